"""Arguments of calls, toward a client that reads them as they come and wants an object in the end.

What they are is known at their first character. If that begins no object they are held, and made one where they can
be: nothing and null are an empty one, and some servers write the object's JSON as a string. What cannot be made one is
passed on as it came: what a model writes may be broken, and its client tells it so. A custom tool's text becomes an
object with one string, ``input``.

>>> arguments = Arguments(custom=False)
>>> arguments.take(' {"a"'), arguments.take(": 1}"), arguments.end()
(' {"a"', ': 1}', '')
>>> arguments = Arguments(custom=True)
>>> arguments.opening + arguments.take('say "hi"') + arguments.end()
'{"input":"say \\\\"hi\\\\""}'
>>> arguments = Arguments(custom=False)
>>> arguments.take("nu"), arguments.take("ll"), arguments.end()
('', '', '')
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from pydantic_core import from_json

LIMIT: Final = 4 << 20
"""Longest arguments, in characters, that are held; longer ones are passed on as they are."""


class Arguments:
    """Those of one call."""

    __slots__ = ("_custom", "_other", "_pieces", "_size", "_told")

    def __init__(self, *, custom: bool) -> None:
        self._custom = custom
        self._told = False
        """They are said as they come."""
        self._other = False
        """They begin with something else than an object."""
        self._size = 0
        self._pieces: list[str] = []

    @property
    def opening(self) -> str:
        """What is to be said before anything has come."""
        return '{"input":"' if self._custom else ""

    def take(self, piece: str) -> str:
        """What is to be said at the next piece."""
        if self._custom:
            return quoted(piece)[1:-1]
        if self._told:
            return piece
        self._pieces.append(piece)
        self._size += len(piece)
        if not self._other and (begun := piece.lstrip()):
            self._told = begun.startswith("{")
            self._other = not self._told
        if not self._told and self._size <= LIMIT:
            return ""
        self._told = True
        held = "".join(self._pieces)
        self._pieces.clear()
        return held

    def end(self) -> str:
        """What is still to be said."""
        if self._custom:
            return '"}'
        if self._told:
            return ""
        held = "".join(self._pieces)
        found = _as_object(held)
        if found is None:
            return held
        return json.dumps(found) if found else ""


def whole_arguments(text: str, *, custom: bool) -> dict[str, object]:
    """Arguments that are there at once, as far as they go where they were cut; empty where they are no object."""
    if custom:
        return {"input": text}
    if (found := _as_object(text)) is not None:
        return found
    try:
        # A half of a surrogate pair, which models write into strings, becomes a question mark: it is no Unicode.
        partial = from_json(text.encode("utf-8", "replace"), allow_partial="trailing-strings")
    except ValueError:
        return {}
    return partial if isinstance(partial, dict) else {}


def _as_object(text: str) -> dict[str, object] | None:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
        if isinstance(found, str):
            found = json.loads(found)
    except (ValueError, RecursionError):
        return None
    if found is None:
        return {}
    return found if isinstance(found, dict) else None
