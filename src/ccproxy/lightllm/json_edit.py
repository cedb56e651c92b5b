"""Change one place of a JSON document and leave every other byte as it was (RFC 8259).

Providers key their prompt caches by exact bytes, and clients send keys, orders, escapes and number formats that no
parser keeps. So a document is not parsed and written anew: the span of the value is found, and only that is replaced.

A path is a tuple of member names and element indices: ``("messages", 3, "content")``. Values are given as JSON bytes
(``dumps``). Reading is strict: UTF-8 without a mark, no ``NaN`` or ``Infinity``, no control characters in strings,
nesting of at most DEPTH_LIMIT. Names that occur twice in an object are legal and stay as they are; an edit *at* such a
name is refused, because parsers differ in which one they take.

>>> raw = b'{ "a" : [1.0, "\\\\u00e9" ],"b":{}}'
>>> replace(raw, ("a", 0), b"2")
b'{ "a" : [2, "\\\\u00e9" ],"b":{}}'
>>> delete(raw, ("a",))
b'{ "b":{}}'
>>> insert(raw, ("b", "c"), b"null")
b'{ "a" : [1.0, "\\\\u00e9" ],"b":{"c":null}}'
>>> rearrange(raw, ("a",), [b"0", 1, 0])
b'{ "a" : [0, "\\\\u00e9", 1.0 ],"b":{}}'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from ccproxy.errors import BadRequest

type Path = tuple[str | int, ...]

DEPTH_LIMIT: Final = 2000

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class JsonError(BadRequest):
    """The bytes are not a JSON document, or not one that can be edited at this path."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the document, in bytes."""

    start: int
    end: int


def loads(raw: bytes) -> object:
    """The document as Python values; of a name that occurs twice the last value. Raises JsonError."""
    return _read(raw)[1]


def dumps(value: object) -> bytes:
    """Compact JSON. Raises ValueError for what JSON cannot express (NaN)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can carry
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def span(raw: bytes, path: Path) -> Span:
    """Where the value at ``path`` is, without the white space around it. Raises KeyError where there is none."""
    text, _ = _read(raw)
    start, end = _find(text, path)
    before = len(text[:start].encode())
    return Span(before, before + len(text[start:end].encode()))


def spans(raw: bytes, path: Path) -> list[Span]:
    """Where the elements of the array at ``path`` are. Raises KeyError where there is none."""
    text, _ = _read(raw)
    found: list[Span] = []
    at = before = 0
    for start, end in _elements(text, _find(text, path)[0]):
        before += len(text[at:start].encode())
        length = len(text[start:end].encode())
        found.append(Span(before, before + length))
        at, before = end, before + length
    return found


def replace(raw: bytes, path: Path, value: bytes) -> bytes:
    """Put another value in the place of the one at ``path``. Raises KeyError where there is none."""
    text, _ = _read(raw)
    start, end = _find(text, path)
    return _splice(text, start, end, value.decode())


def delete(raw: bytes, path: Path) -> bytes:
    """Take the member or element at ``path`` out, with one comma. Raises KeyError where there is none."""
    text, _ = _read(raw)
    name = _last(path)
    container = _find(text, path[:-1])[0]
    if isinstance(name, int):
        keep: list[int | bytes] = list(range(len(list(_elements(text, container)))))
        if not 0 <= name < len(keep):
            raise KeyError(path)
        del keep[name]
        return _rearrange(text, container, keep)
    members = list(_members(text, container))
    place = _only([member.name for member in members], name, path)
    if place + 1 < len(members):
        return _splice(text, members[place].start, members[place + 1].start, "")
    if place > 0:
        return _splice(text, members[place - 1].end, members[place].end, "")
    return _splice(text, members[place].start, members[place].end, "")


def insert(raw: bytes, path: Path, value: bytes) -> bytes:
    """Add an element before the one at ``path`` (or at the end), or a member at the end of its object.

    Raises KeyError where there is nothing to add to, or the member is already there.
    """
    text, _ = _read(raw)
    name = _last(path)
    container = _find(text, path[:-1])[0]
    if isinstance(name, int):
        items: list[int | bytes] = list(range(len(list(_elements(text, container)))))
        if not 0 <= name <= len(items):
            raise KeyError(path)
        items.insert(name, value)
        return _rearrange(text, container, items)
    members = list(_members(text, container))
    if any(member.name == name for member in members):
        raise KeyError(path)
    if not members:
        at = container + 1
        return _splice(text, at, at, dumps(name).decode() + ":" + value.decode())
    last = members[-1]
    comma = text[members[-2].end : last.start] if len(members) > 1 else ","
    colon = text[last.name_end : last.value]
    return _splice(text, last.end, last.end, comma + dumps(name).decode() + colon + value.decode())


def rearrange(raw: bytes, path: Path, items: Sequence[int | bytes]) -> bytes:
    """Give the array at ``path`` other elements: an index stands for an old one, as it is, bytes for a new one.

    ``items`` of ``[0, 1, …, n-1]`` is the identity. Raises KeyError where there is no array or no such element.
    """
    text, _ = _read(raw)
    return _rearrange(text, _find(text, path)[0], items)


# All positions below are in characters of the decoded text: strict UTF-8 gives the same bytes back.


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    start: int
    name_end: int
    value: int
    end: int


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def _read(raw: bytes) -> tuple[str, object]:
    try:
        text = raw.decode("utf-8")
        if text.count("[") + text.count("{") > DEPTH_LIMIT:
            _check_depth(text)
        return text, _DECODER.decode(text)
    except RecursionError:
        raise JsonError(f"the JSON is nested deeper than {DEPTH_LIMIT} levels") from None
    except ValueError as error:
        raise JsonError(f"this is no JSON document: {error}") from None


def _check_depth(text: str) -> None:
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise RecursionError
        elif character in "]}":
            depth -= 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _members(text: str, start: int) -> Iterator[_Member]:
    """The members of the object that begins at ``start``. The text is known to be valid."""
    if text[start] != "{":
        raise KeyError(f"no object at character {start}")
    position = _skip(text, start + 1)
    while text[position] != "}":
        name, name_end = _DECODER.raw_decode(text, position)
        value = _skip(text, _skip(text, name_end) + 1)
        end = _DECODER.raw_decode(text, value)[1]
        yield _Member(name, position, name_end, value, end)
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The elements of the array that begins at ``start``. The text is known to be valid."""
    if text[start] != "[":
        raise KeyError(f"no array at character {start}")
    position = _skip(text, start + 1)
    while text[position] != "]":
        end = _DECODER.raw_decode(text, position)[1]
        yield position, end
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _find(text: str, path: Path) -> tuple[int, int]:
    start = _skip(text, 0)
    end = len(text.rstrip(" \t\n\r"))
    for name in path:
        if isinstance(name, int):
            spans = list(_elements(text, start))
            if not 0 <= name < len(spans):
                raise KeyError(path)
            start, end = spans[name]
        else:
            members = list(_members(text, start))
            member = members[_only([member.name for member in members], name, path)]
            start, end = member.value, member.end
    return start, end


def _only(names: list[str], name: str, path: Path) -> int:
    match names.count(name):
        case 0:
            raise KeyError(path)
        case 1:
            return names.index(name)
        case _:
            raise JsonError(f"{name!r} occurs twice in one object of the body, so it is not changed")


def _last(path: Path) -> str | int:
    if not path:
        raise KeyError(path)
    return path[-1]


def _rearrange(text: str, start: int, items: Sequence[int | bytes]) -> bytes:
    spans = list(_elements(text, start))
    if any(isinstance(item, int) and not 0 <= item < len(spans) for item in items):
        raise KeyError(f"no such element at character {start}")
    if not spans:
        at = start + 1
        return _splice(text, at, at, ",".join(_text(item) for item in items))
    comma = text[spans[0][1] : spans[1][0]] if len(spans) > 1 else ","
    out: list[str] = []
    before: int | bytes | None = None
    for item in items:
        if before is not None:
            neighbours = isinstance(before, int) and item == before + 1
            out.append(
                text[spans[before][1] : spans[before + 1][0]] if neighbours and isinstance(before, int) else comma
            )
        out.append(text[slice(*spans[item])] if isinstance(item, int) else item.decode())
        before = item
    return _splice(text, spans[0][0], spans[-1][1], "".join(out))


def _text(item: int | bytes) -> str:
    assert isinstance(item, bytes)
    return item.decode()


def _splice(text: str, start: int, end: int, value: str) -> bytes:
    return (text[:start] + value + text[end:]).encode()
