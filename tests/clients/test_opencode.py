"""opencode: one client, four wire formats."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients.mock import CANARY
from tests.clients.program import Home, Outcome, run
from tests.clients.providers import OPENCODE, Provider
from tests.clients.stack import Stack
from tests.clients.toolbox import Toolbox

type NewHome = Callable[..., Home]

MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "openai": "gpt-5.1",
    "chat": "gpt-4o",
    "google": "gemini-2.5-flash",
}
TARGETS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/responses",
    "chat": "/v1/chat/completions",
    "google": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
}


def opencode(
    stack: Stack, toolbox: Toolbox, home: NewHome, provider: str, prompt: str, *, upstream: Provider | None = None
) -> Outcome:
    def options(name: str, version: str) -> dict[str, object]:
        key = (upstream or OPENCODE[name]).sentinel
        return {"options": {"baseURL": f"{stack.origin}/{version}", "apiKey": key}}

    compatible = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "chat",
        "models": {"gpt-4o": {"name": "gpt-4o", "tool_call": True}},
    }
    config = {
        "autoupdate": False,
        "share": "disabled",
        "permission": {"bash": "allow"},
        "provider": {
            "anthropic": options("anthropic", "v1"),
            "openai": options("openai", "v1"),
            "google": options("google", "v1beta"),
            "chat": compatible | options("chat", "v1"),
        },
    }
    folder = home({".config/opencode/opencode.json": json.dumps(config)})
    environ = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
    argv = ["opencode", "run", "-m", f"{provider}/{MODELS[provider]}", prompt]
    return run(argv, folder, toolbox.bin, environ, 60)


@pytest.mark.parametrize("provider", OPENCODE)
def test_text(stack: Stack, toolbox: Toolbox, home: NewHome, provider: str) -> None:
    with stack.exchange() as exchange:
        done = opencode(stack, toolbox, home, provider, "PONGTEST say pong")
    assert done.code == 0, done
    assert "PONG-OK" in done.output
    exchange.check(OPENCODE[provider])
    assert TARGETS[provider] in {request.target for request in exchange.forwarded}  # the title has a model of its own


@pytest.mark.parametrize("provider", OPENCODE)
def test_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome, provider: str) -> None:
    with stack.exchange() as exchange:
        done = opencode(stack, toolbox, home, provider, "TOOLTEST read canary.txt")
    assert done.code == 0, done
    assert "TOOL-DONE" in done.output
    exchange.check(OPENCODE[provider])
    assert exchange.carrying(CANARY) == 1
