"""YAML with lines."""

from __future__ import annotations

import pytest

from ccproxy.config.document import read_document
from ccproxy.errors import ConfigError

TEXT = """\
a: 1
b:
  - x
  - y: [2, 3]
c: {d: true,
    e: null}
"""


def test_values_and_their_lines() -> None:
    document = read_document(TEXT, "f")
    assert document.value == {"a": 1, "b": ["x", {"y": [2, 3]}], "c": {"d": True, "e": None}}
    assert document.lines == {
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "y"): 4,
        ("b", 1, "y", 0): 4,
        ("b", 1, "y", 1): 4,
        ("c",): 5,
        ("c", "d"): 5,
        ("c", "e"): 6,
    }
    assert document.problems == []


def test_keys_are_what_is_written() -> None:
    assert read_document("on: 1\n404: 2\n~: 3\n2024-01-01: 4\n", "f").value == {
        "on": 1,
        "404": 2,
        "~": 3,
        "2024-01-01": 4,
    }


def test_a_key_that_occurs_twice_is_found_at_every_depth() -> None:
    document = read_document("a: {b: 1, b: 2}\nc: 1\na: 2\n", "f")
    assert [(p.key, p.line, p.message) for p in document.problems] == [
        ("a", 3, "occurs twice, first on line 1"),
        ("a.b", 1, "occurs twice, first on line 1"),
    ]


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    document = read_document("base: &base {a: 1, b: 2}\nx: {<<: *base, b: 3}\ny: *base\n", "f")
    assert document.value == {"base": {"a": 1, "b": 2}, "x": {"a": 1, "b": 3}, "y": {"a": 1, "b": 2}}
    assert document.problems == []


def test_aliases_that_unfold_to_millions_are_refused() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))
    with pytest.raises(ConfigError, match="unfolds without end"):
        read_document(f"a0: &a0 [x]\n{levels}\n", "f")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ConfigError):
        read_document("[" * 5000, "f")
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_document("[" * 5000 + "]" * 5000, "f")


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system [id]", "a: !x 1", "a: 2024-99-99"])
def test_what_cannot_be_made_into_a_value_is_a_problem_with_a_line(text: str) -> None:
    (problem,) = read_document(text, "f").problems
    assert (problem.key, problem.line) == ("a", 1)


def test_an_empty_file_is_null() -> None:
    assert read_document("", "f").value is None
    assert read_document(b"\xef\xbb\xbf# BOM\n", "f").value is None
