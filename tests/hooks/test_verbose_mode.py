from __future__ import annotations

import pytest

from ccproxy.hooks.verbose_mode import verbose_mode
from ccproxy.pipeline.run import run
from tests.hooks.declared import run_declared
from tests.pipeline.ask import ask, planned, ticks

VERSION = ("anthropic-version", "2023-06-01")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a,redact-thinking-2026-02-12,b"], ["a,b"]),
        (["redact-thinking-x, a"], ["a"]),
        (["a", "b, redact-thinking-x"], ["a,b"]),
        (["redact-thinking-x"], []),
    ],
)
def test_redaction_is_not_asked_for(values: list[str], expected: list[str]) -> None:
    done = run_declared(verbose_mode, ask({}, VERSION, *(("Anthropic-Beta", value) for value in values)))
    assert done.headers.get_all("anthropic-beta") == expected


@pytest.mark.parametrize("value", ["a, b ,c", "not-redact-thinking"])
def test_other_betas_are_left_as_they_are(value: str) -> None:
    ctx = ask({}, VERSION, ("anthropic-beta", value))
    before = ctx.headers.fields
    if "redact" not in value:
        assert run_declared(verbose_mode, ctx).headers.fields is before
    assert run_declared(verbose_mode, ctx).headers.get_all("anthropic-beta") == [value]


def test_it_is_for_anthropics_format_only() -> None:
    ctx = ask({}, ("anthropic-beta", "redact-thinking-x"))
    (result,) = run(planned(verbose_mode), ctx, timer=ticks())
    assert result.status == "skipped"
    assert ctx.get_header("anthropic-beta") == "redact-thinking-x"
