from __future__ import annotations

import copy
import json

import pytest
from glom import PathAccessError, glom
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.ask import ask

BODY = {
    "model": "m",
    "system": [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [{"name": "a", "x": {"name": "inner"}}, {"name": "b"}],
    "metadata": {"user_id": "u", "a.b": 1, "0": "zero"},
    "nothing": None,
    "off": False,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model", "m"),
        ("system.0.text", "one"),
        ("system.-1.text", "two"),
        (("system", -1, "text"), "two"),
        ("metadata.0", "zero"),
        (("metadata", "a.b"), 1),
        ("off", False),
        ("tools.*.name", ["a", "b"]),
        ("tools.*.x.name", ["inner"]),
        ((), BODY),
    ],
)
def test_get(path: str | tuple[str | int, ...], expected: object) -> None:
    ctx = ask(BODY)
    assert ctx.extras.get(path, "default") == expected
    assert ctx.extras.has(path)


@pytest.mark.parametrize(
    "path", ["x", "model.x", "system.2", "system.-3", "system.x", "system.²", "metadata.a.b", "nothing.x", "", "tools."]
)
def test_what_is_not_there(path: str) -> None:
    ctx = ask(BODY)
    assert ctx.extras.get(path, "default") == "default"
    assert not ctx.extras.has(path)
    assert ctx.extras.delete(path) is False
    assert json.loads(ctx.body) == BODY


def test_null_is_there() -> None:
    ctx = ask(BODY)
    assert ctx.extras.has("nothing")
    assert ctx.extras.get("nothing", "default") is None


def test_two_stars_go_any_depth() -> None:
    assert sorted(map(str, ask(BODY).extras.get("**.name"))) == ["a", "b", "inner"]  # type: ignore[arg-type]
    assert ask(BODY).extras.has("**.cache_control")
    assert not ask(BODY).extras.has("**.absent")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("model", "n", {**BODY, "model": "n"}),
        ("system.-1.text", "2", {**BODY, "system": [BODY["system"][0], {**BODY["system"][1], "text": "2"}]}),  # type: ignore[index,dict-item]
        ("metadata.team", {"a": [1]}, {**BODY, "metadata": {**BODY["metadata"], "team": {"a": [1]}}}),  # type: ignore[dict-item]
        ("new.deep.er", 1, {**BODY, "new": {"deep": {"er": 1}}}),
        ("tools.2", {"name": "c"}, {**BODY, "tools": [*BODY["tools"], {"name": "c"}]}),  # type: ignore[misc]
        ("tools.2.name", "c", {**BODY, "tools": [*BODY["tools"], {"name": "c"}]}),  # type: ignore[misc]
        ("tools.*.name", "z", {**BODY, "tools": [{"name": "z", "x": {"name": "inner"}}, {"name": "z"}]}),
        ("absent.*.name", "z", BODY),
        ("off", 0, {**BODY, "off": 0}),
    ],
)
def test_set(path: str, value: object, expected: object) -> None:
    ctx = ask(BODY)
    ctx.extras.set(path, value)
    written = json.loads(ctx.body)
    assert written == expected
    assert json.dumps(written) == json.dumps(expected)  # 0 is not false, and the order of keys holds
    assert ctx.json == expected


@pytest.mark.parametrize("path", ["tools.5", "tools.x", "model.x", "nothing.x", "system.0.text.x"])
def test_a_path_that_cannot_be_made(path: str) -> None:
    ctx = ask(BODY)
    before = ctx.body
    with pytest.raises(LookupError):
        ctx.extras.set(path, 1)
    assert ctx.body is before


def test_writing_what_is_there_already_changes_no_byte() -> None:
    ctx = ask(b'{ "model":"m" ,"n":[ 1 ]}')
    before = ctx.body
    ctx.extras.set("model", "m")
    ctx.extras.set("n", [1])
    assert ctx.body is before


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model", {key: value for key, value in BODY.items() if key != "model"}),
        ("system.0", {**BODY, "system": BODY["system"][1:]}),  # type: ignore[index]
        ("system.*", {**BODY, "system": []}),
        ("tools.*.name", {**BODY, "tools": [{"x": {"name": "inner"}}, {}]}),
        ("**.name", {**BODY, "tools": [{"x": {}}, {}]}),
        ("system.*.cache_control", {**BODY, "system": [BODY["system"][0], {"type": "text", "text": "two"}]}),  # type: ignore[index]
    ],
)
def test_delete(path: str, expected: object) -> None:
    ctx = ask(BODY)
    assert ctx.extras.delete(path) is True
    assert json.loads(ctx.body) == expected


def test_a_write_leaves_all_other_bytes_alone() -> None:
    raw = '{ "a" : 1.0,\n\t"model":"m", "dup": 1e2, "text": "\\u00e9é\\/" , "big": 12345678901234567890 }'.encode()
    ctx = ask(raw)
    ctx.extras.set("model", "other")
    assert ctx.body == raw.replace(b'"m"', b'"other"')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc01"), inner, max_size=3),
    max_leaves=12,
)
PATH = st.lists(st.sampled_from([*"abc01", "-1"]), min_size=1, max_size=4).map(".".join)


@given(JSON, PATH)
def test_plain_paths_read_as_glom_reads_them(body: object, path: str) -> None:
    try:
        expected = glom(body, path)
    except PathAccessError:
        expected = "default"
    assert ask(body).extras.get(path, "default") == expected


@given(JSON, PATH, JSON)
def test_what_was_set_is_there_and_the_rest_is_as_it_was(body: object, path: str, value: object) -> None:
    ctx = ask(body)
    was_there = ctx.extras.has(path)
    try:
        ctx.extras.set(path, value)
    except LookupError:
        assert json.loads(ctx.body) == body
        return
    assert ctx.extras.get(path) == value
    assert json.loads(ctx.body) == ctx.json
    if was_there:
        expected = copy.deepcopy(body)
        *parents, last = path.split(".")
        node: object = expected
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]  # type: ignore[index]
        node[int(last) if isinstance(node, list) else last] = value  # type: ignore[index]
        assert json.loads(ctx.body) == expected
