from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.lightllm.json_edit import (
    DEPTH_LIMIT,
    JsonError,
    Path,
    delete,
    dumps,
    insert,
    loads,
    rearrange,
    replace,
    span,
)
from tests.lightllm.recordings import recordings

NEW = b'{"new": [1]}'
SPACE = st.text(st.sampled_from(" \t\r\n"), max_size=2)
STRINGS = st.text(st.sampled_from('ab"\\{}[],: \n\u00e9\U0001f600'), max_size=5)


@st.composite
def written(draw: Callable[..., Any], value: st.SearchStrategy[Any]) -> tuple[str, Any]:
    """A value, and one of the many ways to write it."""

    def string(text: str) -> str:
        return json.dumps(text, ensure_ascii=draw(st.booleans()))

    def write(value: Any) -> str:
        space = draw(SPACE)
        match value:
            case dict():
                inner = ",".join(
                    f"{draw(SPACE)}{string(key)}{space}:{draw(SPACE)}{write(item)}{space}"
                    for key, item in value.items()
                )
                return "{" + (inner or space) + "}"
            case list():
                return "[" + (",".join(f"{space}{write(item)}{draw(SPACE)}" for item in value) or space) + "]"
            case str():
                return string(value)
            case int() if not isinstance(value, bool):
                return draw(st.sampled_from([str(value), f"{value}.0", f"{value}e0"]))
            case _:
                return json.dumps(value)

    drawn = draw(value)
    return draw(SPACE) + write(drawn) + draw(SPACE), drawn


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = written(TREES)


def paths(value: Any, at: Path = ()) -> list[Path]:
    """The paths of all values."""
    found: list[Path] = [at]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        found += paths(item, (*at, name))
    return found


def at(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value


@given(DOCUMENTS, st.data())
def test_replace_changes_nothing_but_the_value(document: tuple[str, Any], data: st.DataObject) -> None:
    raw, value = document[0].encode(), document[1]
    path = data.draw(st.sampled_from(paths(value)))
    place = span(raw, path)
    assert loads(raw[place.start : place.end]) == at(value, path)
    assert replace(raw, path, NEW) == raw[: place.start] + NEW + raw[place.end :]
    assert replace(raw, path, raw[place.start : place.end]) == raw


@given(DOCUMENTS, st.data())
def test_insert_adds_and_delete_takes_away(document: tuple[str, Any], data: st.DataObject) -> None:
    raw, value = document[0].encode(), document[1]
    containers = [path for path in paths(value) if isinstance(at(value, path), dict | list)]
    if not containers:
        return
    path = data.draw(st.sampled_from(containers))
    container = at(value, path)
    if isinstance(container, dict):
        name = data.draw(STRINGS.filter(lambda text: text not in container))
        more = insert(raw, (*path, name), NEW)
        container[name] = loads(NEW)
    else:
        index = data.draw(st.integers(0, len(container)))
        more = insert(raw, (*path, index), NEW)
        name = index
        container.insert(index, loads(NEW))
    assert loads(more) == value
    assert more.count(NEW) == raw.count(NEW) + 1
    left = delete(more, (*path, name))
    assert strip(left) == strip(raw)


def strip(raw: bytes) -> str:
    """Without the white space between tokens, everything else as it is written."""
    out, text = [], raw.decode()
    inside = False
    for i, character in enumerate(text):
        if character == '"' and (len(text[:i]) - len(text[:i].rstrip("\\"))) % 2 == 0:
            inside = not inside
        if inside or character not in " \t\r\n":
            out.append(character)
    return "".join(out)


@given(DOCUMENTS, st.data())
def test_delete_leaves_all_others_as_they_are(document: tuple[str, Any], data: st.DataObject) -> None:
    raw, value = document[0].encode(), document[1]
    path = data.draw(st.sampled_from(paths(value)))
    if not path:
        return
    kept = [raw[span(raw, other).start : span(raw, other).end] for other in siblings(value, path)]
    left = delete(raw, path)
    del at(value, path[:-1])[path[-1]]
    assert loads(left) == value
    assert [left[span(left, other).start : span(left, other).end] for other in children(value, path[:-1])] == kept


def children(value: Any, path: Path) -> list[Path]:
    container = at(value, path)
    return [(*path, name) for name in (container if isinstance(container, dict) else range(len(container)))]


def siblings(value: Any, path: Path) -> list[Path]:
    return [other for other in children(value, path[:-1]) if other != path]


@given(written(st.lists(TREES, max_size=6)), st.data())
def test_rearrange_moves_elements_as_they_are(document: tuple[str, list[Any]], data: st.DataObject) -> None:
    raw, value = document[0].encode(), document[1]
    assert rearrange(raw, (), range(len(value))) == raw
    choice = st.just(NEW) if not value else st.integers(0, len(value) - 1) | st.just(NEW)
    items = data.draw(st.lists(choice, max_size=6))
    got = rearrange(raw, (), items)
    assert loads(got) == [value[item] if isinstance(item, int) else loads(item) for item in items]
    for i, item in enumerate(items):
        old, new = span(raw, (item,)) if isinstance(item, int) else None, span(got, (i,))
        assert got[new.start : new.end] == (raw[old.start : old.end] if old is not None else NEW)


def test_recorded_requests_change_in_one_place() -> None:
    for recording in recordings():
        if recording.request is None:
            continue
        raw = recording.request
        for name in loads(raw):  # type: ignore[attr-defined]
            place = span(raw, (name,))
            assert replace(raw, (name,), NEW) == raw[: place.start] + NEW + raw[place.end :]
            assert name not in loads(delete(raw, (name,)))  # type: ignore[operator]


BAD = [
    b"",
    b"{",
    b"[1,]",
    b"{'a':1}",
    b"NaN",
    b"[Infinity]",
    b'{"a": -Infinity}',
    b"1 2",
    b'"\xff"',
    b'"\xed\xa0\x80"',  # a surrogate in UTF-8
    b'"\xc0\xaf"',  # overlong
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b'"\x01"',
    b"9" * 5000,
    b"[" * 100_000,
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
]


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
def test_what_is_no_json_is_refused_by_all(raw: bytes) -> None:
    for act in (
        lambda: loads(raw),
        lambda: span(raw, ()),
        lambda: replace(raw, (), b"1"),
        lambda: delete(raw, ("a",)),
        lambda: insert(raw, ("b",), b"1"),
        lambda: rearrange(raw, (), []),
    ):
        with pytest.raises(JsonError) as raised:
            act()
        assert isinstance(raised.value, BadRequest)
        assert len(str(raised.value)) < 300


def test_nesting_up_to_the_limit_is_read() -> None:
    raw = b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT
    assert replace(raw, (0,) * (DEPTH_LIMIT - 1), b"1").count(b"1") == 1
    flat = b"[" + b",".join([b'"[[["', b"[]", b"{}"] * DEPTH_LIMIT) + b"]"
    assert len(loads(flat)) == 3 * DEPTH_LIMIT  # type: ignore[arg-type]


def test_names_that_occur_twice_are_kept_and_not_edited() -> None:
    raw = b'{"a": 1, "b": 2, "\\u0061": 3}'
    assert loads(raw) == {"a": 3, "b": 2}
    assert replace(raw, ("b",), b"5") == b'{"a": 1, "b": 5, "\\u0061": 3}'
    for act in (replace, lambda raw, path, _: delete(raw, path)):
        with pytest.raises(JsonError, match="twice"):
            act(raw, ("a",), b"0")


@pytest.mark.parametrize(
    "path", [("x",), (0,), ("a", 2), ("a", -1), ("a", "x"), ("s", 0), ("s", "x"), ("o", 0), ("o", "x", "y")]
)
def test_a_path_that_leads_nowhere(path: Path) -> None:
    raw = b'{"a": [1, 2], "s": "text", "o": {}}'
    for act in (span, delete, lambda raw, path: replace(raw, path, b"1")):
        with pytest.raises(KeyError):
            act(raw, path)


def test_insert_follows_the_documents_own_style() -> None:
    raw = b'{\n  "a" : 1,\n  "b" : 2\n}'
    assert insert(raw, ("c",), b"3") == b'{\n  "a" : 1,\n  "b" : 2,\n  "c" : 3\n}'
    assert insert(b"[\n  1,\n  2\n]", (1,), b"9") == b"[\n  1,\n  9,\n  2\n]"
    with pytest.raises(KeyError):
        insert(raw, ("a",), b"3")
    with pytest.raises(KeyError):
        insert(raw, (), b"3")


def test_dumps() -> None:
    assert dumps({"a": ["é", 1.5, None]}) == '{"a":["é",1.5,null]}'.encode()
    assert dumps("\ud83d") == b'"\\ud83d"'
    with pytest.raises(ValueError, match="JSON"):
        dumps(float("nan"))
