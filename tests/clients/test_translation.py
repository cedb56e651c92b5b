"""Clients on providers that speak another format: they must not notice, and the provider must not either."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.clients.gateway import DIRECT
from tests.clients.mock import CANARY
from tests.clients.program import Home
from tests.clients.providers import LANGUAGES, TRANSLATED
from tests.clients.stack import Stack
from tests.clients.test_claude_code import claude
from tests.clients.test_codex import codex
from tests.clients.test_gemini_cli import MODEL as GEMINI_MODEL
from tests.clients.test_gemini_cli import gemini
from tests.clients.test_opencode import opencode
from tests.clients.test_sdks import sdk
from tests.clients.toolbox import Toolbox

type NewHome = Callable[..., Home]
type NewStack = Callable[..., AbstractContextManager[Stack]]

pytestmark = pytest.mark.skipif(DIRECT, reason="there is nobody to translate")

OWN = {"anthropic": "anthropic", "openai": "responses", "chat": "chat", "google": "google"}
"""What opencode's providers speak."""
UNSAFE = "--dangerously-bypass-approvals-and-sandbox"  # its one command is ours: cat canary.txt
REASONING = (
    'model_reasoning_effort = "medium"\nmodel_reasoning_summary = "auto"\nmodel_supports_reasoning_summaries = true'
)


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Iterator[Stack]:
    """How the processes are started is of no matter here."""
    with new_stack("ccproxy start") as running:
        yield running


def check_usage(usage: dict[str, int], target: str) -> None:
    """The mock's own number for both turns; in Chat it makes one up for the first."""
    told = usage["input_tokens"], usage["output_tokens"]
    assert told > (23, 5) if target == "chat" else told == (23, 5)


@pytest.mark.parametrize("target", ["chat", "responses", "google"])
def test_claude_code_text(stack: Stack, toolbox: Toolbox, home: NewHome, target: str) -> None:
    with stack.exchange() as exchange:
        done = claude(stack, toolbox, home(), "PONGTEST say pong", provider=TRANSLATED[target])
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check_translated(TRANSLATED[target])


@pytest.mark.parametrize("target", ["chat", "responses", "google"])
@pytest.mark.parametrize("word", ["TOOLTEST", "THINKTEST"])
def test_claude_code_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome, target: str, word: str) -> None:
    options = ["--allowedTools", "Bash", "--output-format", "stream-json", "--verbose", "--include-partial-messages"]
    with stack.exchange() as exchange:
        done = claude(stack, toolbox, home(), f"{word} read canary.txt", *options, provider=TRANSLATED[target])
    lines = [json.loads(line) for line in done.output.splitlines()]
    result = lines[-1]
    assert (result["result"], result["num_turns"], result["is_error"]) == ("TOOL-DONE", 2, False)
    check_usage(result["usage"], target)
    exchange.check_translated(TRANSLATED[target])
    assert (exchange.carrying(word), exchange.carrying(CANARY)) == (2, 1)
    if word == "THINKTEST":
        deltas = [line["event"].get("delta", {}) for line in lines if line["type"] == "stream_event"]
        thought = "".join(delta.get("thinking", "") for delta in deltas)
        assert thought == "First I have to read the file.Now I know what it says."


@pytest.mark.parametrize("target", ["anthropic", "chat", "google"])
def test_codex_text(stack: Stack, toolbox: Toolbox, home: NewHome, target: str) -> None:
    with stack.exchange() as exchange:
        done = codex(stack, toolbox, home, "PONGTEST say pong", provider=TRANSLATED[target])
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check_translated(TRANSLATED[target])


@pytest.mark.parametrize("target", ["anthropic", "chat", "google"])
@pytest.mark.parametrize("word", ["TOOLTEST", "THINKTEST"])
def test_codex_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome, target: str, word: str) -> None:
    with stack.exchange() as exchange:
        done = codex(
            stack, toolbox, home, UNSAFE, "--json", f"{word} read canary.txt",
            provider=TRANSLATED[target], settings=REASONING,
        )  # fmt: skip
    lines = [json.loads(line) for line in done.output.splitlines()]
    items = [line["item"] for line in lines if line["type"] == "item.completed"]
    assert [item["text"] for item in items if item["type"] == "agent_message"] == ["TOOL-DONE"], done
    (ran,) = [item for item in items if item["type"] == "command_execution"]
    assert (ran["exit_code"], ran["aggregated_output"]) == (0, f"{CANARY}\n")
    (usage,) = [line["usage"] for line in lines if line["type"] == "turn.completed"]
    check_usage(usage, target)
    exchange.check_translated(TRANSLATED[target])
    assert (exchange.carrying(word), exchange.carrying(CANARY)) == (2, 1)
    if (word, target) == ("THINKTEST", "anthropic"):  # its signature comes back to it, and the thought in front
        (second,) = [json.loads(one.body) for one in exchange.forwarded if CANARY.encode() in one.body]
        thoughts = [
            block for message in second["messages"] for block in message["content"] if block["type"] == "thinking"
        ]
        assert [(block["thinking"], block["signature"]) for block in thoughts] == [
            ("First I have to read the file.", "c2lnLW9mLXRoZS1jYWxs")
        ]


@pytest.mark.parametrize("target", ["anthropic", "chat", "responses"])
def test_gemini_cli_text(stack: Stack, toolbox: Toolbox, home: NewHome, target: str) -> None:
    """Without ``-m`` a small model is asked first which model to take, with a schema for its answer."""
    with stack.exchange() as exchange:
        done = gemini(stack, toolbox, home, "-p", "PONGTEST say pong", provider=TRANSLATED[target])
    assert (done.code, done.output) == (0, "PONG-OK\n"), done
    exchange.check_translated(TRANSLATED[target])


@pytest.mark.parametrize("target", ["anthropic", "chat", "responses"])
@pytest.mark.parametrize("word", ["TOOLTEST", "THINKTEST"])
def test_gemini_cli_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome, target: str, word: str) -> None:
    options = ["--approval-mode", "yolo", *GEMINI_MODEL, "-o", "json", "-p", f"{word} read canary.txt"]
    with stack.exchange() as exchange:
        done = gemini(stack, toolbox, home, *options, provider=TRANSLATED[target])
    result = json.loads(done.output)
    assert result["response"] == "TOOL-DONE"
    assert result["stats"]["tools"]["byName"]["run_shell_command"]["success"] == 1
    exchange.check_translated(TRANSLATED[target])
    assert (exchange.carrying(word), exchange.carrying(CANARY)) == (2, 1)


@pytest.mark.parametrize(
    ("provider", "target"),
    [(provider, target) for provider in OWN for target in TRANSLATED if OWN[provider] != target],
)
def test_opencode_tool_loop(stack: Stack, toolbox: Toolbox, home: NewHome, provider: str, target: str) -> None:
    with stack.exchange() as exchange:
        done = opencode(stack, toolbox, home, provider, "TOOLTEST read canary.txt", upstream=TRANSLATED[target])
    assert done.code == 0, done
    assert "TOOL-DONE" in done.output
    exchange.check_translated(TRANSLATED[target])
    assert exchange.carrying(CANARY) == 1


SDKS = {
    "anthropic": ("anthropic", (), {"ANTHROPIC_BASE_URL": ""}, "ANTHROPIC_API_KEY"),
    "chat": ("openai", ("chat",), {"OPENAI_BASE_URL": "/v1"}, "OPENAI_API_KEY"),
    "responses": ("openai", ("responses",), {"OPENAI_BASE_URL": "/v1"}, "OPENAI_API_KEY"),
    "google": ("google", (), {"GOOGLE_GEMINI_BASE_URL": ""}, "GEMINI_API_KEY"),
}
"""Format → script, its arguments, the variable of the base URL with what follows the origin, that of the key."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("client", "target"), [(client, target) for client in SDKS for target in TRANSLATED if client != target]
)
def test_sdks(stack: Stack, toolbox: Toolbox, home: NewHome, language: str, client: str, target: str) -> None:
    script, arguments, urls, key = SDKS[client]
    environ = {name: stack.origin + path for name, path in urls.items()} | {key: TRANSLATED[target].sentinel}
    exchange = sdk(stack, toolbox, home(), language, script, environ, *arguments)
    exchange.check_translated(TRANSLATED[target])
    assert (exchange.carrying("PONGTEST"), exchange.carrying("TOOLTEST"), exchange.carrying(CANARY)) == (2, 2, 1)
