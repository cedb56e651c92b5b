"""Gemini CLI: streamGenerateContent, and a router call that wants JSON where no model is named."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.clients.mock import CANARY
from tests.clients.program import Home, Outcome, run
from tests.clients.providers import GEMINI_CLI, Provider
from tests.clients.stack import Stack
from tests.clients.toolbox import Toolbox

type NewHome = Callable[..., Home]

SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "general": {"enableAutoUpdate": False},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
}
MODEL = ("-m", "gemini-2.5-flash")


def gemini(stack: Stack, toolbox: Toolbox, home: NewHome, *arguments: str, provider: Provider = GEMINI_CLI) -> Outcome:
    environ = {"GEMINI_API_KEY": provider.sentinel, "GOOGLE_GEMINI_BASE_URL": stack.origin}
    folder = home({".gemini/settings.json": json.dumps(SETTINGS)})
    return run(["gemini", "--skip-trust", *arguments], folder, toolbox.bin, environ, 90)


def test_text(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    with stack.exchange() as exchange:
        done = gemini(stack, toolbox, home, *MODEL, "-p", "PONGTEST say pong")
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check(GEMINI_CLI)
    (request,) = exchange.forwarded
    assert request.target == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"


def test_router_call(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    """Without ``-m`` a small model is asked first which model to take, with a schema for its answer."""
    with stack.exchange() as exchange:
        done = gemini(stack, toolbox, home, "-p", "PONGTEST say pong")
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check(GEMINI_CLI)
    asked = {request.target.rpartition(":")[2]: request.body for request in exchange.forwarded}
    assert set(asked) == {"generateContent", "streamGenerateContent?alt=sse"}
    assert b"responseJsonSchema" in asked["generateContent"]


def test_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    with stack.exchange() as exchange:
        done = gemini(
            stack, toolbox, home, "--approval-mode", "yolo", *MODEL, "-o", "json", "-p", "TOOLTEST read canary.txt"
        )
    result = json.loads(done.output)
    assert result["response"] == "TOOL-DONE"
    assert result["stats"]["tools"]["byName"]["run_shell_command"]["success"] == 1
    exchange.check(GEMINI_CLI)
    assert (exchange.carrying("TOOLTEST"), exchange.carrying(CANARY)) == (2, 1)
