"""What the writer changes or leaves out is told, by the field; a request that loses nothing is written in silence."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import Flavour, flavour_of
from ccproxy.lightllm.openai_responses.request_writer import write
from ccproxy.lightllm.prompt import (
    Knob,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
    ServerTool,
    Text,
    Tool,
    ToolChoice,
    Turn,
)

HI = Turn("user", (Text("hi"),))
TOLD = (Turn("system", (Text("Be brief."),)), HI)
OPENAI = flavour_of("openai_responses", "api.openai.com")
CHATGPT = flavour_of("openai_responses", "chatgpt.com")
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**LOOSE, "required": ["a"]}
A = Tool("a", at="tools.0")


def tool(schema: dict[str, object]) -> Tool:
    return Tool("f", schema=schema, strict=True, at="tools.0")


def form(schema: dict[str, object]) -> OutputFormat:
    return OutputFormat(schema, "n", strict=True, at="response_format")


def search(**settings: Any) -> ServerTool:
    return ServerTool("web_search", Dialect.ANTHROPIC, {"type": "web_search_20250305", **settings}, "tools.1")


def think(effort: Any = None, **given: Any) -> dict[str, Any]:
    return {"reasoning": Reasoning(effort=effort, at="thinking", **given)}


def warnings(flavour: Flavour, model: str, given: dict[str, Any]) -> list[str]:
    told: list[str] = []
    write(Prompt(model, **{"turns": TOLD, **given}), flavour, told.append)
    return told


@pytest.mark.parametrize(
    ("flavour", "model", "lossy", "warning", "kept"),
    [
        (OPENAI, "gpt-4.1", think("high"), "thinking: left out, gpt-4.1 does not reason", think("none")),
        (OPENAI, "gpt-5-mini", think("xhigh"), "thinking: high instead of xhigh", think("high", shown=True)),
        (OPENAI, "m", think(enabled=False), "thinking: that the model is not to think", think("none")),
        (OPENAI, "o3", {"sampling": Sampling(temperature=0.2)}, "temperature: left out, o3 refuses", {}),
        (OPENAI, "o3", {"sampling": Sampling(top_p=0.2)}, "top_p: left out", {"sampling": Sampling(1, 1)}),
        (OPENAI, "m", {"max_tokens": 9}, "max_tokens: 16 instead of 9", {"max_tokens": 16}),
        (OPENAI, "m", {"user": "u" * 65}, "user: hashed", {"user": "u" * 64}),
        (OPENAI, "m", {"cache_key": "k" * 65}, "cache_key: hashed", {"cache_key": "k" * 64}),
        (OPENAI, "m", {"tools": (tool(LOOSE),)}, "tools.0.strict: turned off", {"tools": (tool(CLOSED),)}),
        (OPENAI, "m", {"output": form(LOOSE)}, "response_format.strict: turned off", {"output": form(CLOSED)}),
        (
            OPENAI,
            "m",
            {"output": OutputFormat(at="response_format")},
            'response_format: "Answer in JSON." is said',
            {"output": OutputFormat(), "turns": (Turn("user", (Text("in json"),)),)},
        ),
        (
            OPENAI,
            "m",
            {"knobs": (Knob("service_tier", "standard", "serviceTier"),)},
            "serviceTier: default instead of 'standard'",
            {"knobs": (Knob("service_tier", "auto"),)},
        ),
        (
            OPENAI,
            "m",
            {"knobs": (Knob("metadata", "x", "metadata"),)},
            "metadata: left out, the provider takes an object",
            {"knobs": (Knob("metadata", {"a": "b"}),)},
        ),
        (
            OPENAI,
            "m",
            {"knobs": (Knob("verbosity", 3, "verbosity"),)},
            "verbosity: left out, the provider takes a word",
            {"knobs": (Knob("verbosity", "low"),)},
        ),
        (
            OPENAI,
            "m",
            {"tools": (search(max_uses=8),)},
            "tools.1 (web_search): max_uses left out",
            {"tools": (search(allowed_domains=["a.example"]),)},
        ),
        (
            OPENAI,
            "m",
            {"tools": (A,), "tool_choice": ToolChoice("one", ("b",), at="tool_choice")},
            "tool_choice: left out, the request has no tool it names",
            {"tools": (A,), "tool_choice": ToolChoice("one", ("a",))},
        ),
        (
            OPENAI,
            "m",
            {"tool_choice": ToolChoice("any", at="tool_choice")},
            "tool_choice: left out, the request has no tool that",
            {"tool_choice": ToolChoice("auto")},
        ),
        (CHATGPT, "gpt-5.4", {"max_tokens": 9}, "max_tokens: left out, ChatGPT's backend", {}),
        (CHATGPT, "gpt-5.4", {"user": "u" * 65}, "user: left out, ChatGPT's backend", {}),
        (CHATGPT, "gpt-5.4", {"sampling": Sampling(0.5)}, "temperature: left out, ChatGPT's backend", {}),
        (CHATGPT, "gpt-5.4", {"turns": (HI,)}, "system: there is none", {"stream": True}),
        (
            CHATGPT,
            "gpt-5.4",
            {"knobs": (Knob("store", True, "store"),)},
            "store: left out, ChatGPT's backend",
            {"knobs": (Knob("store", False),)},
        ),
    ],
)
def test_warnings(flavour: Flavour, model: str, lossy: dict[str, Any], warning: str, kept: dict[str, Any]) -> None:
    [told] = warnings(flavour, model, lossy)
    assert told.startswith(warning)
    assert warnings(flavour, model, kept) == []
