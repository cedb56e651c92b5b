from __future__ import annotations

import logging

import pytest

from ccproxy.errors import BadRequest, CcproxyError, RequestError
from ccproxy.flows.record import HookResult
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import Hook, hook
from ccproxy.pipeline.overrides import NONE, Overrides
from ccproxy.pipeline.run import run
from ccproxy.sentinel import Sentinel
from tests.pipeline.ask import ask, planned, ticks

SECRET = "what the user wrote"


@hook(writes=["header:x-seen"])
def marks(ctx: Context, params: object) -> Context:
    ctx.set_header("x-seen", "1")
    return ctx


@hook(writes=["header:x-never"], guard=lambda ctx: False)
def guarded(ctx: Context, params: object) -> None:
    ctx.set_header("x-never", "1")


@hook(writes=["header", "body", "ctx.path", "ctx.session_id", "ctx.sentinel"])
def fails(ctx: Context, params: object) -> None:
    ctx.set_header("x-half", "done")
    ctx.headers.remove("accept")
    ctx.body = b"{}"
    ctx.path = "/other"
    ctx.session_id = "s"
    ctx.sentinel = Sentinel("a", "x-api-key")
    raise ValueError(f"cannot use {SECRET}\nat all")


@hook()
def returns_another(ctx: Context, params: object) -> Context:
    return ask()


@hook(writes=["body.a"])
def writes_body(ctx: Context, params: object) -> None:
    ctx.extras.set("a", 1)


@hook(critical=True)
def refuses(ctx: Context, params: object) -> None:
    raise BadRequest("two of them")


@hook(critical=True)
def breaks(ctx: Context, params: object) -> None:
    raise KeyError(SECRET)


def results(*hooks: Hook, ctx: Context | None = None, overrides: Overrides = NONE) -> list[HookResult]:
    return run(planned(*hooks), ctx or ask({"a": 0}), timer=ticks(), overrides=overrides)


def test_each_hook_has_a_result() -> None:
    ctx = ask()
    first, second = results(marks, guarded, ctx=ctx)
    assert (first.name, first.stage, first.status, first.took_s) == ("marks", "inbound", "ok", 1.0)
    assert (second.status, second.detail) == ("skipped", "not for this request")
    assert list(ctx.headers) == [("x-seen", "1")]


def test_a_failing_hook_is_recorded_undone_and_stops_nothing() -> None:
    ctx = ask({"a": 0}, ("accept", "*/*"))
    before = (ctx.body, ctx.path, ctx.headers.fields)
    failed, after = results(fails, marks, ctx=ctx)
    assert (failed.status, failed.detail) == ("error", f"ValueError: cannot use {SECRET} at all")
    assert after.status == "ok"
    assert ctx.body is before[0]
    assert (ctx.path, ctx.headers.fields[:-1]) == before[1:]
    assert ctx.session_id is None
    assert ctx.sentinel is None
    assert ctx.json == {"a": 0}


def test_a_hook_cannot_put_another_request_in_its_place() -> None:
    (result,) = results(returns_another)
    assert result.status == "error"
    assert "return the context" in result.detail


def test_a_failing_guard_is_a_failing_hook() -> None:
    def guard(ctx: Context) -> bool:
        raise LookupError

    @hook(guard=guard)
    def some(ctx: Context, params: object) -> None: ...

    (result,) = results(some)
    assert (result.status, result.detail) == ("error", "LookupError")


def test_a_critical_hook_that_refuses_ends_the_request() -> None:
    with pytest.raises(BadRequest, match="two of them"):
        results(refuses, marks)


def test_a_critical_hook_that_breaks_ends_the_request_too() -> None:
    with pytest.raises(CcproxyError, match=r"'breaks'.*nothing was sent") as caught:
        results(breaks)
    assert not isinstance(caught.value, RequestError)
    assert SECRET not in str(caught.value)


def test_a_critical_hook_runs_even_if_somebody_found_a_way_to_skip_it() -> None:
    with pytest.raises(BadRequest):
        results(refuses, overrides=Overrides(skipped={"refuses"}))


@pytest.mark.parametrize(
    "body", [b"", b"no json", b'{"a":', b"\xff\xfe{\x00}\x00", b'"text"', b"{'a': 1}", b"[" * 100_000]
)
def test_a_body_that_is_no_json_is_left_alone(body: bytes) -> None:
    ctx = ask(body)
    (result,) = results(writes_body, ctx=ctx)
    assert result.status != "ok"
    assert ctx.body is body
    if body != b'"text"':
        assert (result.status, result.detail) == ("skipped", "the body is no JSON")


def test_overrides_skip_hooks_and_guards() -> None:
    ctx = ask()
    first, second = results(marks, guarded, ctx=ctx, overrides=Overrides(forced={"guarded"}, skipped={"marks"}))
    assert (first.status, first.detail) == ("skipped", "switched off by x-ccproxy-hooks")
    assert second.status == "ok"
    assert list(ctx.headers) == [("x-never", "1")]


def test_the_log_gets_no_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="ccproxy.pipeline"):
        results(fails)
    assert "fails: ValueError at" in caplog.text
    assert "test_run.py" in caplog.text
    assert SECRET not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="ccproxy.pipeline"):
        results(fails)
    assert caplog.text == ""


def test_a_long_error_is_cut() -> None:
    @hook()
    def verbose(ctx: Context, params: object) -> None:
        raise ValueError("x" * 10_000)

    (result,) = results(verbose)
    assert len(result.detail) == 300
