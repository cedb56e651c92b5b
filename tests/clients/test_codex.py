"""Codex: Responses over HTTP; its built-in provider tries a WebSocket first."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients.gateway import DIRECT
from tests.clients.mock import CANARY
from tests.clients.program import Home, Outcome, run
from tests.clients.providers import CODEX, Provider
from tests.clients.stack import Stack
from tests.clients.toolbox import Toolbox

type NewHome = Callable[..., Home]


def codex(
    stack: Stack, toolbox: Toolbox, home: NewHome, *arguments: str, provider: Provider = CODEX, settings: str = ""
) -> Outcome:
    config = f"""
model = "gpt-5.1-codex"
model_provider = "ccproxy"
{settings}
[model_providers.ccproxy]
name = "ccproxy"
base_url = "{stack.origin}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
[analytics]
enabled = false  # at its end Codex would wait five seconds for a name server that is not there
"""
    argv = ["codex", "exec", "--skip-git-repo-check", *arguments]
    return run(argv, home({".codex/config.toml": config}), toolbox.bin, {"OPENAI_API_KEY": provider.sentinel}, 60)


def test_text(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    with stack.exchange() as exchange:
        done = codex(stack, toolbox, home, "PONGTEST say pong")
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check(CODEX)


def test_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    unsafe = "--dangerously-bypass-approvals-and-sandbox"  # its one command is ours: cat canary.txt
    with stack.exchange() as exchange:
        done = codex(stack, toolbox, home, unsafe, "--json", "TOOLTEST read canary.txt")
    lines = [json.loads(line) for line in done.output.splitlines()]
    items = [line["item"] for line in lines if line["type"] == "item.completed"]
    assert [item["text"] for item in items if item["type"] == "agent_message"] == ["TOOL-DONE"]
    (ran,) = [item for item in items if item["type"] == "command_execution"]
    assert (ran["exit_code"], ran["aggregated_output"]) == (0, f"{CANARY}\n")
    (usage,) = [line["usage"] for line in lines if line["type"] == "turn.completed"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (23, 5)
    exchange.check(CODEX)
    assert (exchange.carrying("TOOLTEST"), exchange.carrying(CANARY)) == (2, 1)


@pytest.mark.skipif(DIRECT, reason="the mock speaks WebSocket; the daemon refuses it")
def test_a_refused_websocket_falls_back_at_once(stack: Stack, toolbox: Toolbox, home: NewHome) -> None:
    """426 makes it post at once; any other answer would cost it seven tries."""
    config = f"""
model = "gpt-5.1-codex"
openai_base_url = "{stack.origin}/v1"
[analytics]
enabled = false
"""
    argv = ["codex", "exec", "--skip-git-repo-check", "PONGTEST say pong"]
    with stack.exchange() as exchange:
        done = run(argv, home({".codex/config.toml": config}), toolbox.bin, {"CODEX_API_KEY": CODEX.sentinel}, 60)
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    upgrades = [request for request in exchange.sent if request.header("upgrade") == "websocket"]
    assert len(upgrades) == 1
    exchange.check(CODEX)
