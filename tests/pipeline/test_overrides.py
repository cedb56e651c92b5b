from __future__ import annotations

import pytest

from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import hook
from ccproxy.pipeline.overrides import NONE, take
from ccproxy.pipeline.plan import Pipeline
from tests.pipeline.ask import headers, planned


@hook()
def a(ctx: Context, params: object) -> None: ...


@hook()
def b(ctx: Context, params: object) -> None: ...


@hook(critical=True)
def keeper(ctx: Context, params: object) -> None: ...


PIPELINE = Pipeline(planned(a, keeper), planned(b, stage="outbound"))


@pytest.mark.parametrize(
    ("values", "forced", "skipped"),
    [
        (["+a,-b"], {"a"}, {"b"}),
        ([" - b , a "], {"a"}, {"b"}),
        (["a", "b"], {"a", "b"}, set()),
        (["", ",,"], set(), set()),
    ],
)
def test_the_header_is_read_and_removed(values: list[str], forced: set[str], skipped: set[str]) -> None:
    fields = headers(*(("X-CCProxy-Hooks", value) for value in values), ("accept", "*/*"))
    overrides, warnings = take(fields, PIPELINE, jailed=False)
    assert (set(overrides.forced), set(overrides.skipped), warnings) == (forced, skipped, [])
    assert list(fields) == [("accept", "*/*")]


def test_a_critical_hook_is_immune() -> None:
    for word in ("-keeper", "+keeper"):
        overrides, (warning,) = take(headers(("x-ccproxy-hooks", word)), PIPELINE, jailed=False)
        assert not overrides.forced
        assert not overrides.skipped
        assert "'keeper'" in warning


def test_an_unknown_name_is_a_warning_and_adds_nothing() -> None:
    overrides, (warning,) = take(headers(("x-ccproxy-hooks", "+nobody,-a")), PIPELINE, jailed=False)
    assert "'nobody'" in warning
    assert (set(overrides.forced), set(overrides.skipped)) == (set(), {"a"})


def test_a_jail_has_no_say() -> None:
    fields = headers(("x-ccproxy-hooks", "-a"))
    overrides, (warning,) = take(fields, PIPELINE, jailed=True)
    assert overrides is NONE
    assert "jail" in warning
    assert len(fields) == 0


def test_without_the_header_nothing_happens() -> None:
    fields = headers(("accept", "*/*"))
    before = fields.fields
    assert take(fields, PIPELINE, jailed=False) == (NONE, [])
    assert fields.fields is before
