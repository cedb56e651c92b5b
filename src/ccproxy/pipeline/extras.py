"""Raw access to a JSON body by path: ``ctx.extras.get("metadata.user_id")``.

::

    path = segment { "." segment }       segment = key of an object | index of an array (-1: the last) | "*" | "**"

``*`` is every member of an object or array, ``**`` also everything beneath. A key that holds a dot is reached by a
tuple, ``("labels", "a.b")``. Reading with wildcards gives a list, by glom; writing writes to every place that is there.

A write changes the bytes of what is written and leaves all others alone: caches of providers are keyed by the prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from glom import Path

type Parts = tuple[str | int, ...]


class NotJson(LookupError):
    """The body is no JSON, or too large to be parsed, so nothing can be written in it."""


class Document(Protocol):
    """A JSON body that can be read parsed and edited as text."""

    @property
    def json(self) -> object:
        """The parsed body, None if it is no JSON. Not to be changed in place."""

    def replace(self, path: Parts, value: object) -> None: ...

    def insert(self, path: Parts, value: object) -> None: ...

    def remove(self, path: Parts) -> None: ...


class Extras:
    """Reads and edits the body of one request."""

    __slots__ = ("_document",)

    def __init__(self, document: Document) -> None:
        self._document = document

    def get(self, path: str | Parts, default: object = None) -> object:
        """The value at ``path``; with wildcards the list of values. ``default`` if there is none, or no JSON body."""
        parts = _split(path) if isinstance(path, str) else path
        node = self._document.json
        if isinstance(path, str) and "*" in path:
            return default if node is None else _glom(node, path)
        for part in parts:
            node, found = _child(node, part)
            if not found:
                return default
        return node

    def has(self, path: str | Parts) -> bool:
        """Whether there is anything at ``path``."""
        parts = _split(path) if isinstance(path, str) else path
        return next(_places(self._document.json, parts), None) is not None

    def set(self, path: str | Parts, value: object) -> None:
        """Write ``value`` (JSON data), making objects on the way where there is nothing.

        An index equal to an array's length appends. Raises NotJson for a body that is none, LookupError where the path
        cannot be made, TypeError or ValueError for a value that JSON cannot hold.
        """
        parts = _split(path) if isinstance(path, str) else path
        if self._document.json is None:
            raise NotJson("nothing can be written in a body that is no JSON")
        if "*" in parts or "**" in parts:
            for place in _outermost(_places(self._document.json, parts)):
                self._document.replace(place, value)
            return
        self._set(parts, value)

    def delete(self, path: str | Parts) -> bool:
        """Remove what is at ``path``, at every place where it has wildcards. False if there was nothing."""
        parts = _split(path) if isinstance(path, str) else path
        places = _outermost(_places(self._document.json, parts))
        for place in places:
            self._document.remove(place)
        return bool(places)

    def _set(self, parts: Parts, value: object) -> None:
        node = self._document.json
        place: list[str | int] = []
        for depth, part in enumerate(parts):
            child, found = _child(node, part)
            if not found:
                for missing in reversed(parts[depth + 1 :]):
                    value = {str(missing): value}
                self._document.insert((*place, _new(node, part, parts)), value)
                return
            place.append(_step(node, part))
            node = child
        if node != value or type(node) is not type(value):
            self._document.replace(tuple(place), value)


def _new(node: object, part: str | int, parts: Parts) -> str | int:
    """The key or index under which something can be added to ``node``."""
    if isinstance(node, dict):
        return str(part)
    if isinstance(node, list) and _index(part) == len(node):
        return len(node)
    raise LookupError(f"nothing can be written at {'.'.join(map(str, parts))!r}: {part!r} has no place there")


@lru_cache(maxsize=512)
def _split(path: str) -> Parts:
    return tuple(path.split("."))


@lru_cache(maxsize=512)
def _spec(path: str) -> Path:
    from glom import Path  # noqa: PLC0415  # 0.17 s, and most requests never need it

    return Path.from_text(path)


def _glom(node: object, path: str) -> object:
    from glom import glom  # noqa: PLC0415

    return glom(node, _spec(path), default=[])


def _child(node: object, part: str | int) -> tuple[object, bool]:
    if isinstance(node, dict):
        part = str(part)
        return (node[part], True) if part in node else (None, False)
    if isinstance(node, list):
        index = _index(part)
        if index is not None and -len(node) <= index < len(node):
            return node[index], True
    return None, False


def _step(node: object, part: str | int) -> str | int:
    """``part`` as the key or the index that it is, counted from the front."""
    if isinstance(node, list):
        index = _index(part)
        assert index is not None
        return index % len(node)
    return str(part)


def _index(part: str | int) -> int | None:
    if isinstance(part, int):
        return part
    return int(part) if part.removeprefix("-").isascii() and part.removeprefix("-").isdigit() else None


def _places(node: object, parts: Sequence[str | int], at: Parts = ()) -> Iterator[Parts]:
    """Every concrete path that ``parts`` matches."""
    if not parts:
        yield at
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _places(node, rest, at)
    if part in ("*", "**"):
        deeper = parts if part == "**" else rest
        for step, child in _members(node):
            yield from _places(child, deeper, (*at, step))
        return
    child, found = _child(node, part)
    if found:
        yield from _places(child, rest, (*at, _step(node, part)))


def _members(node: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def _outermost(places: Iterator[Parts]) -> list[Parts]:
    """Last first, so that a removal moves no place that is still to come; nothing inside another place."""
    chosen = list(dict.fromkeys(places))
    whole = set(chosen)
    kept = [place for place in chosen if not any(place[:depth] in whole for depth in range(len(place)))]
    return kept[::-1]
