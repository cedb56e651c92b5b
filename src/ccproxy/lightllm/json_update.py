"""Carry a change over to a document that says the same thing in its own way.

A reader turns part of a body into something simpler, somebody changes that, a writer turns it back. What the reader
did not understand must not be lost. So what was written back is never used as such: only the *difference* between
writing back the old and the new is applied to the bytes, at the smallest places where the two differ.

>>> raw = b'{ "role":"user", "content":[ {"text":"hi", "mark":1.0}, {"text":"bye"} ] }'
>>> old = {"content": [{"text": "hi"}, {"text": "bye"}]}
>>> new = {"content": [{"text": "hello"}, {"text": "and"}, {"text": "bye"}]}
>>> update(raw, old, new)
b'{ "role":"user", "content":[ {"text":"hello", "mark":1.0}, {"text":"and"}, {"text":"bye"} ] }'
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Final

from ccproxy.lightllm.json_edit import Path, delete, dumps, insert, loads, rearrange, replace, span

_ALIGN_LIMIT: Final = 250_000
"""Most pairs of elements that are compared to find out which moved."""


def update(raw: bytes, old: object, new: object) -> bytes:
    """``raw`` with the change that leads from ``old`` to ``new``; ``old`` is what ``raw`` says, perhaps less."""
    if dumps(old) == dumps(new):
        return raw
    match loads(raw), old, new:
        case dict() as current, dict(), dict():
            return _update_object(raw, current, old, new)
        case list() as current, list(), list() if len(current) == len(old):
            return update_elements(raw, (), 0, old, new)
        case _:
            return dumps(new)


def update_at(raw: bytes, path: Path, old: object, new: object) -> bytes:
    """The same for the value at ``path``. Raises KeyError where there is none."""
    if dumps(old) == dumps(new):
        return raw
    place = span(raw, path)
    return replace(raw, path, update(raw[place.start : place.end], old, new))


def update_elements(raw: bytes, path: Path, start: int, old: Sequence[object], new: Sequence[object]) -> bytes:
    """The same for those elements of the array at ``path`` that ``old`` stands for, from index ``start`` on."""
    count = len(_array(loads(raw), path))
    items: list[int | bytes] = list(range(start))
    for item in _align(old, new):
        if isinstance(item, int):
            items.append(start + item)
        else:
            before, after = item
            if before is None:
                items.append(dumps(new[after]))
            else:
                place = span(raw, (*path, start + before))
                items.append(update(raw[place.start : place.end], old[before], new[after]))
    return rearrange(raw, path, [*items, *range(start + len(old), count)])


def _update_object(raw: bytes, current: dict[str, object], old: dict[str, object], new: dict[str, object]) -> bytes:
    for name in old:
        if name not in new and name in current:
            raw = delete(raw, (name,))
    for name, value in new.items():
        if name not in current:
            if name not in old or dumps(old[name]) != dumps(value):
                raw = insert(raw, (name,), dumps(value))
        elif name in old:
            raw = update_at(raw, (name,), old[name], value)
        else:
            raw = replace(raw, (name,), dumps(value))
    return raw


def _array(value: object, path: Path) -> list[object]:
    for name in path:
        value = value[name]  # type: ignore[index]
    if not isinstance(value, list):
        raise KeyError(path)
    return value


type _Item = int | tuple[int | None, int]


def _align(old: Sequence[object], new: Sequence[object]) -> list[_Item]:
    """For each new element the index of the equal old one, else (index of the one it takes the place of, its own)."""
    a, b = [dumps(value) for value in old], [dumps(value) for value in new]
    head = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    rest = zip(reversed(a[head:]), reversed(b[head:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    items: list[_Item] = list(range(head))
    if len(middle_a) * len(middle_b) > _ALIGN_LIMIT:
        items += [(None, head + j) for j in range(len(middle_b))]
    else:
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, middle_a, middle_b, autojunk=False).get_opcodes():
            if tag == "equal":
                items += range(head + i1, head + i2)
            else:
                items += [(head + i1 + j - j1 if i1 + j - j1 < i2 else None, head + j) for j in range(j1, j2)]
    return [*items, *range(len(a) - tail, len(a))]
