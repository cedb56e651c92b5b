"""jq filters work, and a hostile one gets nothing: no file, no environment, no time, no memory."""

from __future__ import annotations

import time

import pytest

from ccproxy.flows.query import QueryError, select
from tests.support.need import need_tool

FLOWS = [{"id": str(n), "n": n} for n in range(5)]


@pytest.fixture(autouse=True)
def _jq():
    need_tool("jq")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["."], FLOWS),
        (["map(select(.n > 2))"], FLOWS[3:]),
        (["map(select(.n > 1))", ".[:1]"], FLOWS[2:3]),
        (["map(.id) # a comment"], ["0", "1", "2", "3", "4"]),
        (["def big: .n > 3; map(select(big))"], FLOWS[4:]),
        (["[]"], []),
    ],
)
def test_filters(filters, found):
    assert select(filters, FLOWS) == found


@pytest.mark.parametrize("one", [".[]", ".[0]", "empty", '"text"'])
def test_what_is_no_array_is_refused(one):
    with pytest.raises(QueryError, match="one array"):
        select([one], FLOWS)


@pytest.mark.parametrize("one", ["map(", "map(select(", ") | (.", "nonsense", ".[0] + 1", "\0"])
def test_what_jq_refuses_is_told_in_a_line(one):
    with pytest.raises(QueryError) as refused:
        select([one], FLOWS)
    assert "\n" not in str(refused.value)


def test_a_filter_sees_no_environment(monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "canary")

    assert select(["[$ENV, env]"], []) == [{}, {}]


def test_a_filter_reads_no_file(tmp_path):
    (tmp_path / "secret.json").write_text('{"token": "canary"}')

    for one in (
        f'import "secret" as $s {{search: "{tmp_path}"}}; [$s]',
        f'include "secret" {{search: "{tmp_path}"}}; []',
        f'.) | (import "secret" as $s {{search: "{tmp_path}"}}; [$s]',
        f'# \\\nimport "secret" as $s {{search: "{tmp_path}"}}; [$s]',
    ):
        with pytest.raises(QueryError) as refused:
            select([one], [])
        assert "canary" not in str(refused.value)


def test_a_filter_without_end_is_ended():
    began = time.monotonic()
    with pytest.raises(QueryError, match=r"longer than 0\.3 s"):
        select(["[range(1e18) | select(. < 0)]"], [], timeout_s=0.3)

    assert time.monotonic() - began < 5


def test_a_filter_gets_no_memory_without_end():
    with pytest.raises(QueryError):
        select(["[range(1e9)]"], [], timeout_s=20)


def test_output_without_end_is_cut():
    with pytest.raises(QueryError, match="more than 64 MiB"):
        select(['range(1e9) | "x" * 100000'], [], timeout_s=20)


def test_a_large_list_goes_through():
    many = [{"id": str(n), "text": "x" * 200} for n in range(10_000)]

    assert len(select(["map(select(.id | length == 4))"], many)) == 9000


def test_a_missing_jq_is_said(tmp_path):
    with pytest.raises(QueryError, match="jq is not installed"):
        select(["."], [], path=str(tmp_path))
