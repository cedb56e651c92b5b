"""Hold a hook to what it declares.

``run_declared(hook, ctx, params)`` runs it on a request that writes down every header, place of the body and attribute
that is read or written, and fails the test if one of them is covered by no key of ``reads`` or ``writes``. Looks that
give nothing away (``may_be_json``, ``has_body``, ``mentions``) and warnings are free. A hook of your own can be tested
the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from ccproxy.headers import Fields, Headers
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.extras import Document, Extras, Parts
from ccproxy.pipeline.hook import Hook
from ccproxy.pipeline.keys import GIVEN, MADE, VIEW, Key, covers

FREE = {"has_body", "warnings"}
WATCHED = ({*GIVEN, *MADE, "json"} - FREE) | {"body"}


class Notes:
    """What was touched; nothing is written down while the code under the surface works."""

    def __init__(self) -> None:
        self.reads: set[Key] = set()
        self.writes: set[Key] = set()
        self.quiet = 0

    @contextmanager
    def pause(self) -> Iterator[None]:
        self.quiet += 1
        try:
            yield
        finally:
            self.quiet -= 1

    def read(self, key: Key) -> None:
        if not self.quiet:
            self.reads.add(key)

    def write(self, key: Key) -> None:
        if not self.quiet:
            self.writes.add(key)


class WatchedHeaders(Headers):
    def __init__(self, fields: Fields, notes: Notes) -> None:
        self._notes = notes
        self._fields = fields

    @property
    def fields(self) -> Fields:  # type: ignore[override]
        self._notes.read(Key("header", ()))
        return self._fields

    @fields.setter
    def fields(self, fields: Fields) -> None:
        self._notes.write(Key("header", ()))
        self._fields = fields

    def get(self, name: str, default: str = "") -> str:
        self._notes.read(Key("header", (name.lower(),)))
        with self._notes.pause():
            return super().get(name, default)

    def get_all(self, name: str) -> list[str]:
        self._notes.read(Key("header", (name.lower(),)))
        with self._notes.pause():
            return super().get_all(name)

    def __contains__(self, name: str) -> bool:
        self._notes.read(Key("header", (name.lower(),)))
        with self._notes.pause():
            return super().__contains__(name)

    def set(self, name: str, value: str) -> None:
        self._notes.write(Key("header", (name.lower(),)))
        with self._notes.pause():
            super().set(name, value)

    def remove(self, *names: str) -> None:
        for name in names:
            self._notes.write(Key("header", (name.lower(),)))
        with self._notes.pause():
            super().remove(*names)


class WatchedExtras(Extras):
    __slots__ = ("_notes",)

    def __init__(self, document: Document, notes: Notes) -> None:
        super().__init__(document)
        self._notes = notes

    def get(self, path: str | Parts, default: object = None) -> object:
        self._notes.read(place(path))
        with self._notes.pause():
            return super().get(path, default)

    def has(self, path: str | Parts) -> bool:
        self._notes.read(place(path))
        with self._notes.pause():
            return super().has(path)

    def set(self, path: str | Parts, value: object) -> None:
        self._notes.write(place(path))
        with self._notes.pause():
            super().set(path, value)

    def delete(self, path: str | Parts) -> bool:
        self._notes.write(place(path))
        with self._notes.pause():
            return super().delete(path)


def place(path: str | Parts) -> Key:
    return Key("body", tuple(path.split(".")) if isinstance(path, str) else tuple(map(str, path)))


class WatchedContext(Context):
    """The same request, under watch."""

    def __init__(self, ctx: Context, notes: Notes) -> None:
        vars(self).update(vars(ctx))
        self.__dict__["headers"] = WatchedHeaders(ctx.headers.fields, notes)
        self.__dict__["notes"] = notes

    def __getattribute__(self, name: str) -> Any:
        plain = super().__getattribute__
        if name.startswith("_") or name == "notes":
            return plain(name)
        notes: Notes = plain("notes")
        if name == "extras":
            return WatchedExtras(self, notes)
        if name == "mentions":
            return free(notes, plain("mentions"))
        if name in WATCHED:
            notes.read(Key("body", ()) if name in ("body", "json") else Key("ctx", (name,)))
        if name in {*VIEW, *WATCHED, *FREE, "may_be_json"}:
            with notes.pause():
                return plain(name)
        return plain(name)

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            self.notes.write(Key("body", ()) if name == "body" else Key("ctx", (name,)))
        with self.notes.pause():
            super().__setattr__(name, value)


def free(notes: Notes, look: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    def quietly(text: bytes) -> bool:
        with notes.pause():
            return look(text)

    return quietly


class Undeclared(AssertionError):
    """A hook touched more than it declares."""


def run_declared(hook: Hook, ctx: Context, params: object = None) -> Context:
    """Run guard and hook under watch, whatever the guard says; gives the context as they left it."""
    notes = Notes()
    watched = WatchedContext(ctx, notes)
    try:
        if hook.guard is not None:
            hook.guard(watched)
        hook(watched, params)
        with notes.pause():
            changed = watched.settle()
        for name in changed:
            notes.write(Key("ctx", (name,)))
    finally:
        over = [f"reads {key}" for key in notes.reads if not any(covers(known, key) for known in hook.reads)]
        over += [f"writes {key}" for key in notes.writes if not any(covers(known, key) for known in hook.writes)]
        if over:
            raise Undeclared(f"{hook.name} declares less than it does: {', '.join(sorted(over))}")
    notes.quiet = 1
    return cast(Context, watched)
