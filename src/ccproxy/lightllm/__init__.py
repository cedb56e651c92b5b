"""The wire formats: told apart, read, watched and written. Pure: bytes and plain values in and out, no I/O, no clock.

* ``dialect``       which API a request speaks, and which operation it asks for
* ``failure``       errors in each format, whole and in mid-stream; ``status`` has the values
* ``sse``           server-sent events, parsed and written
* ``tap``           how a passing stream ended, without parsing it; ``usage`` the same of a whole answer
* ``json_edit``     change one place of a body and keep every other byte; ``json_update`` carries a change over
* ``view``          requests as pydantic-ai objects for hooks; the only part that imports anything heavy

One package for each dialect holds what only that dialect knows, under the same file names in each.
"""
