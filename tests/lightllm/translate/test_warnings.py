"""Warnings of a whole translation: first what the table of losses names, then what the writer did; a line each kind."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import flavour_of
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.translate import Leg, translate_request

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}


def warnings(body: dict[str, Any], client: Dialect, kind: str, model: str, asked: Asked) -> tuple[str, ...]:
    leg = Leg(flavour_of(kind, "llm.example"), "p", model, "seed", 0)
    return translate_request(body, client, asked, leg, Memory()).warnings


def test_order_and_kinds() -> None:
    tools = [{"name": name, "input_schema": SCHEMA, "strict": True} for name in "abc"]
    body = {
        "model": "m",
        "max_tokens": 9,
        "top_k": 3,
        "temperature": 0.5,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": tools,
    }
    assert warnings(body, Dialect.ANTHROPIC, "openai", "o3", Asked()) == (
        "top_k: left out, openai has no place for it",
        "tools.0.strict: turned off, the schema leaves keys to choice",
        "temperature: left out, o3 refuses it while it reasons",
    )


CLAUDE_CODE: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 32000,
    "temperature": 1,
    "stream": True,
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]},
    ],
    "tools": [{"name": "Read", "input_schema": SCHEMA}],
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
}
CODEX: dict[str, Any] = {
    "model": "gpt-5.5",
    "instructions": "s",
    "store": False,
    "stream": True,
    "tool_choice": "auto",
    "include": [],
    "reasoning": {"effort": "medium", "summary": "auto"},
    "input": [{"role": "user", "content": "hi"}],
    "tools": [
        {"type": "function", "name": "shell", "strict": False, "parameters": SCHEMA},
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "s:"}},
    ],
}
GEMINI_CLI: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
    "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
    "tools": [{"functionDeclarations": [{"name": "ls", "parametersJsonSchema": SCHEMA}]}],
    "generationConfig": {"temperature": 1, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": -1}},
}


@pytest.mark.parametrize(
    ("body", "client", "targets"),
    [
        (
            CLAUDE_CODE,
            Dialect.ANTHROPIC,
            ["openai gpt-5.5", "openrouter x", "openai_responses gpt-5.5", "google gemini-2.5-pro"],
        ),
        (
            CODEX,
            Dialect.OPENAI_RESPONSES,
            ["anthropic claude-sonnet-4-5", "anthropic claude-opus-4-8", "openai qwen3", "google gemini-3-flash"],
        ),
        (
            GEMINI_CLI,
            Dialect.GOOGLE,
            ["anthropic claude-sonnet-4-5", "anthropic claude-opus-4-8", "openai qwen3", "openai_responses gpt-5.5"],
        ),
    ],
    ids=["claude-code", "codex", "gemini-cli"],
)
def test_that_agents_are_not_warned_without_need(body: dict[str, Any], client: Dialect, targets: list[str]) -> None:
    asked = Asked("gemini-2.5-pro", True) if client is Dialect.GOOGLE else Asked()
    for target in targets:
        kind, model = target.split()
        assert warnings(body, client, kind, model, asked) == (), target
