from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.json_edit import dumps, loads, span
from ccproxy.lightllm.json_update import update, update_at, update_elements
from tests.lightllm.test_json_edit import DOCUMENTS, TREES, written


@given(DOCUMENTS)
def test_no_change_is_no_change(document: tuple[str, Any]) -> None:
    raw, value = document[0].encode(), document[1]
    assert update(raw, value, loads(dumps(value))) == raw


@given(DOCUMENTS, TREES)
def test_the_document_then_says_the_new_value(document: tuple[str, Any], new: Any) -> None:
    raw, value = document[0].encode(), document[1]
    assert loads(update(raw, value, new)) == new


@given(written(st.lists(TREES, max_size=6)), st.data())
def test_other_elements_keep_their_bytes(document: tuple[str, list[Any]], data: st.DataObject) -> None:
    raw, old = document[0].encode(), document[1]
    order = data.draw(st.lists(st.sampled_from(range(len(old))), unique=True)) if old else []
    place = data.draw(st.integers(0, len(order)))
    marker = {"nobody": "else has this"}
    new = [*(old[i] for i in order[:place]), marker, *(old[i] for i in order[place:])]
    got = update(raw, old, new)
    assert loads(got) == new
    if order == sorted(order):  # else some have to be written at a new place
        wanted = [raw[span(raw, (i,)).start : span(raw, (i,)).end] for i in order]
        if len({dumps(old[i]) for i in range(len(old))}) == len(old):
            kept = [got[span(got, (i,)).start : span(got, (i,)).end] for i in range(len(new)) if i != place]
            assert kept == wanted


def test_what_the_reader_did_not_see_stays() -> None:
    raw = b'{"a": [{"x": 1.0, "unseen": [true ]}, {"y":2}], "b" :null}'
    got = update(raw, {"a": [{"x": 1}, {"y": 2}]}, {"a": [{"x": 3}, {"y": 2}], "c": 0})
    assert got == b'{"a": [{"x": 3, "unseen": [true ]}, {"y":2}], "b" :null, "c" :0}'


def test_types_are_told_apart() -> None:
    assert update(b'{"a": 1}', {"a": 1}, {"a": True}) == b'{"a": true}'
    assert update(b'{"a": 1}', {"a": 1}, {"a": 1.0}) == b'{"a": 1.0}'


def test_a_reader_that_added_something_does_not_write_it() -> None:
    assert update(b'{"a": 1}', {"a": 1, "role": "user"}, {"a": 2, "role": "user"}) == b'{"a": 2}'
    assert update(b'{"a": 1}', {"a": 1, "role": "user"}, {"a": 1, "role": "x"}) == b'{"a": 1,"role": "x"}'


def test_a_part_of_an_array() -> None:
    raw = b'{"m": [ "s", 1.0, 2.0, "t" ]}'
    assert update_elements(raw, ("m",), 1, [1, 2], [1, 5, 2]) == b'{"m": [ "s", 1.0, 5, 2.0, "t" ]}'
    assert update_elements(raw, ("m",), 1, [1, 2], []) == b'{"m": [ "s", "t" ]}'
    assert update_at(raw, ("m",), ["s", 1, 2, "t"], "x") == b'{"m": "x"}'


def test_long_arrays_without_likeness_end_soon() -> None:
    old, new = [{"o": i} for i in range(2000)], [{"n": i} for i in range(2000)]
    assert loads(update(json.dumps(old).encode(), old, new)) == new
