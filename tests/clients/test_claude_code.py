"""Claude Code: Anthropic Messages, always streaming."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients.mock import CANARY
from tests.clients.program import Home, Outcome, run
from tests.clients.providers import CLAUDE_CODE, Provider
from tests.clients.stack import Stack
from tests.clients.toolbox import Toolbox

type NewHome = Callable[..., Home]


def claude(
    stack: Stack,
    toolbox: Toolbox,
    home: Home,
    *arguments: str,
    key: str = "ANTHROPIC_API_KEY",
    provider: Provider = CLAUDE_CODE,
) -> Outcome:
    environ = {
        "ANTHROPIC_BASE_URL": stack.origin,
        key: provider.sentinel,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    return run(["claude", "-p", *arguments], home, toolbox.bin, environ, 60)


@pytest.mark.parametrize("key", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_text(stack: Stack, toolbox: Toolbox, home: NewHome, key: str) -> None:
    with stack.exchange() as exchange:
        done = claude(stack, toolbox, home(), "PONGTEST say pong", key=key)
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check(CLAUDE_CODE)
    slot = "x-api-key" if key == "ANTHROPIC_API_KEY" else "authorization"
    assert {name for request in exchange.sent for name, _ in request.credentials} == {slot}


def test_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    with stack.exchange() as exchange:
        done = claude(
            stack, toolbox, home(), "TOOLTEST read canary.txt", "--allowedTools", "Bash", "--output-format", "json"
        )
    result = json.loads(done.output)
    assert (result["result"], result["num_turns"], result["is_error"]) == ("TOOL-DONE", 2, False)
    assert (result["usage"]["input_tokens"], result["usage"]["output_tokens"]) == (23, 5)
    exchange.check(CLAUDE_CODE)
    assert (exchange.carrying("TOOLTEST"), exchange.carrying(CANARY)) == (2, 1)
    assert {request.target for request in exchange.forwarded} == {"/v1/messages?beta=true"}


def test_events(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    options = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]
    with stack.exchange() as exchange:
        done = claude(stack, toolbox, home(), "PONGTEST say pong", *options)
    lines = [json.loads(line) for line in done.output.splitlines()]
    deltas = [line["event"].get("delta", {}) for line in lines if line["type"] == "stream_event"]
    assert "".join(delta.get("text", "") for delta in deltas) == "PONG-OK"
    assert lines[-1]["result"] == "PONG-OK"
    exchange.check(CLAUDE_CODE)
