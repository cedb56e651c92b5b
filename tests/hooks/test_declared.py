"""The built-in hooks touch what they declare; and the test that says so can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from ccproxy.config.hooks import BUILT, entries
from ccproxy.errors import RequestError
from ccproxy.lightllm.dialect import Dialect
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import hook
from ccproxy.pipeline.load import load
from ccproxy.pipeline.plan import Step
from ccproxy.sentinel import PREFIX
from tests.hooks.declared import Undeclared, run_declared
from tests.lightllm.recordings import recordings
from tests.pipeline.ask import ask

STEPS = load(entries(*BUILT), []).inbound.steps
PATHS = {
    Dialect.ANTHROPIC: "/v1/messages?beta=true",
    Dialect.OPENAI: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.GOOGLE: "/v1beta/models/m:streamGenerateContent?alt=sse",
}
JSON = ("content-type", "application/json")
HEADERS: list[list[tuple[str, str]]] = [
    [JSON],
    [
        JSON,
        ("x-api-key", PREFIX + "anthropic"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "a,redact-thinking-1"),
    ],
    [JSON, ("authorization", f"Bearer {PREFIX}nobody"), ("session-id", "s1"), ("cookie", "a=b")],
]
BODIES = [
    b"",
    b"no json",
    b'{"metadata":{"user_id":"user_a_session_b"},"system":"You generate Conventional Commit messages from git diffs."}',
    b'{"system":[{"type":"text","text":"You generate Conventional Commit messages from git diffs."}]}',
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_built_in_hook_touches_what_it_declares(step: Step) -> None:
    for pairs in HEADERS:
        for body in BODIES:
            check(step, ask(body, *pairs, path=f"/v1/messages?key={PREFIX}deepseek"))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_built_in_hook_touches_what_it_declares_in_recorded_requests(step: Step) -> None:
    for recording in recordings():
        if recording.request is not None:
            for pairs in HEADERS:
                check(step, ask(recording.request, *pairs, path=PATHS[recording.dialect]))


def check(step: Step, ctx: Context) -> None:
    with suppress(RequestError, LookupError):  # that it refuses this request is another test's matter
        run_declared(step.hook, ctx, step.params)


ACTIONS: dict[str, Callable[[Context], object]] = {
    "reads a header": lambda ctx: ctx.get_header("x-other"),
    "reads all headers": lambda ctx: list(ctx.headers),
    "looks for a header": lambda ctx: "x-other" in ctx.headers,
    "writes a header": lambda ctx: ctx.set_header("x-a", "1"),
    "removes a header": lambda ctx: ctx.set_header("x-other", ""),
    "writes fields": lambda ctx: setattr(ctx.headers, "fields", ()),
    "reads the body": lambda ctx: ctx.body,
    "reads it parsed": lambda ctx: ctx.json,
    "reads a place": lambda ctx: ctx.extras.get("b"),
    "asks for a place": lambda ctx: ctx.extras.has(("b",)),
    "writes a place": lambda ctx: ctx.extras.set("a", 2),
    "removes a place": lambda ctx: ctx.extras.delete("b.c"),
    "replaces the body": lambda ctx: setattr(ctx, "body", b"{}"),
    "reads the model": lambda ctx: ctx.model,
    "reads the messages": lambda ctx: ctx.messages,
    "changes a tool": lambda ctx: ctx.tools.clear(),
    "reads an attribute": lambda ctx: ctx.session_id,
    "writes an attribute": lambda ctx: setattr(ctx, "path", "/"),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_hook_that_touches_more_is_caught(name: str) -> None:
    @hook(reads=["header:x-a", "body.a", "ctx.tools"])
    def cheats(ctx: Context, params: object) -> None:
        ACTIONS[name](ctx)

    with pytest.raises(Undeclared, match="cheats declares less"):
        run_declared(cheats, ask({"a": 1, "b": {"c": 1}, "tools": [{"name": "t", "input_schema": {}}]}, ("x-a", "1")))


def test_a_guard_is_watched_too() -> None:
    @hook(guard=lambda ctx: ctx.get_header("x") == "")
    def cheats(ctx: Context, params: object) -> None: ...

    with pytest.raises(Undeclared, match="reads header:x"):
        run_declared(cheats, ask())


def test_a_hook_that_declares_everything_passes() -> None:
    @hook(reads=["header:x-a", "body.a"], writes=["header:x-b", "body.b", "ctx.session_id"])
    def honest(ctx: Context, params: object) -> None:
        ctx.set_header("x-b", ctx.get_header("X-A") + str(ctx.extras.get("a.deep")))
        ctx.extras.set("b.c", ctx.mentions(b"x") or ctx.may_be_json or ctx.has_body)
        ctx.session_id = "s"
        ctx.warnings.append("w")

    done = run_declared(honest, ask({"a": {"deep": 1}}, ("x-a", "1")))
    assert json.loads(done.body) == {"a": {"deep": 1}, "b": {"c": True}}
    assert (done.get_header("x-b"), done.session_id) == ("11", "s")
