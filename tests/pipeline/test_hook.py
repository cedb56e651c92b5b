from __future__ import annotations

import pytest

from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import Hook, hook
from ccproxy.pipeline.keys import parse
from tests.pipeline.ask import ask


def guarded_guard(ctx: Context) -> bool:
    return ctx.path == "/yes"


@hook(reads=["header:A"], writes=["ctx.session_id"])
def guarded(ctx: Context, params: object) -> None:
    ctx.session_id = "ran"


@hook(guard=lambda ctx: False)
def explicit(ctx: Context, params: object) -> Context:
    return ctx


def test_a_function_becomes_a_hook() -> None:
    assert isinstance(guarded, Hook)
    assert (guarded.name, guarded.module, guarded.critical) == ("guarded", __name__, False)
    assert guarded.touches == (parse("header:a"), parse("ctx.session_id"))


def test_the_guard_is_found_by_its_name() -> None:
    assert guarded.guard is guarded_guard
    assert explicit.guard is not None
    assert explicit.guard(ask()) is False


def test_a_hook_can_be_called() -> None:
    ctx = ask()
    assert guarded(ctx) is None
    assert ctx.session_id == "ran"
    assert explicit(ctx) is ctx


@pytest.mark.parametrize(
    ("reads", "writes", "needs"),
    [
        (["body.a"], [], True),
        (["ctx.messages"], [], True),
        (["header:a", "body.a"], [], False),
        (["header:a"], ["body.a"], True),
        (["header:a"], ["ctx.tools"], True),
        (["header:a"], ["header:a"], False),
        ([], [], False),
    ],
)
def test_who_needs_json(reads: list[str], writes: list[str], needs: bool) -> None:
    @hook(reads=reads, writes=writes)
    def some(ctx: Context, params: object) -> None: ...

    assert some.needs_json is needs


def test_defects_show_when_the_module_is_imported() -> None:
    with pytest.raises(ValueError, match="is no key"):

        @hook(reads=["x-api-key"])
        def wrong_key(ctx: Context, params: object) -> None: ...

    with pytest.raises(TypeError, match="coroutine"):

        @hook()
        async def waits(ctx: Context, params: object) -> None: ...
