"""What the writer changes or leaves out is told, by the field; a request that loses nothing is written in silence."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.flavour import FLAVOURS, Flavour, flavour_of
from ccproxy.lightllm.openai_chat.request_writer import write
from ccproxy.lightllm.prompt import (
    Knob,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
    Text,
    Thought,
    Tool,
    ToolChoice,
    Turn,
)

HI = Turn("user", (Text("hi"),))
OPENAI = flavour_of("openai", "api.openai.com")
COMPATIBLE = flavour_of("openai", "llm.example")
OPENROUTER = FLAVOURS["openrouter"]
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**LOOSE, "required": ["a"]}
A, B = Tool("a", at="tools.0"), Tool("b", at="tools.1")


def tool(schema: dict[str, object]) -> Tool:
    return Tool("f", schema=schema, strict=True, at="tools.0.function")


def form(schema: dict[str, object]) -> OutputFormat:
    return OutputFormat(schema, "n", strict=True, at="response_format")


def think(effort: Any = None, **given: Any) -> dict[str, Any]:
    return {"reasoning": Reasoning(effort=effort, at="thinking", **given)}


def warnings(flavour: Flavour, model: str, given: dict[str, Any]) -> list[str]:
    told: list[str] = []
    write(Prompt(model, **{"turns": (HI,), **given}), flavour, told.append)
    return told


@pytest.mark.parametrize(
    ("flavour", "model", "lossy", "warning", "kept"),
    [
        (OPENAI, "gpt-4.1", think("high"), "thinking: left out, gpt-4.1 does not reason", think("none")),
        (OPENAI, "gpt-4.1", think(enabled=True), "thinking: left out, gpt-4.1 does not reason", {}),
        (OPENAI, "gpt-5-mini", think("max"), "thinking: high instead of max, which", think("high")),
        (OPENAI, "o3", think(enabled=False), "thinking: low instead of none, which", think("low")),
        (OPENAI, "o3", think("low", shown=True), "thinking: o3 does not show its thoughts", think("low", shown=False)),
        (COMPATIBLE, "m", think(enabled=False), "thinking: that the model is not to think", think("none")),
        (OPENROUTER, "m", think("max"), "thinking: xhigh instead of max", think("xhigh")),
        (OPENROUTER, "m", think("low", budget=2000), "thinking: the effort is left out", think(budget=2000)),
        (OPENAI, "o3", {"sampling": Sampling(temperature=0.2)}, "temperature: left out, o3 refuses", {}),
        (OPENAI, "o3", {"sampling": Sampling(top_p=0.2)}, "top_p: left out, o3", {"sampling": Sampling(1, 1)}),
        (OPENAI, "o3", {"sampling": Sampling(presence_penalty=1)}, "presence_penalty: left out", {}),
        (OPENAI, "gpt-4.1", {"tools": (tool(LOOSE),)}, "tools.0.function.strict: off", {"tools": (tool(CLOSED),)}),
        (OPENAI, "gpt-4.1", {"output": form(LOOSE)}, "response_format.strict: off", {"output": form(CLOSED)}),
        (
            OPENAI,
            "gpt-4.1",
            {"output": OutputFormat(at="response_format")},
            'response_format: "Answer in JSON." is said',
            {"output": OutputFormat(at="response_format"), "turns": (Turn("user", (Text("in json"),)),)},
        ),
        (
            OPENAI,
            "m",
            {"knobs": (Knob("metadata", {"a": "b"}, "metadata"),)},
            "metadata: left out, the provider takes it only with store",
            {"knobs": (Knob("metadata", {"a": "b"}), Knob("store", True))},
        ),
        (
            OPENAI,
            "m",
            {"knobs": (Knob("service_tier", "own", "serviceTier"),)},
            "serviceTier: left out, 'own' is not known",
            {"knobs": (Knob("service_tier", "auto"),)},
        ),
        (
            OPENAI,
            "m",
            {"knobs": (Knob("verbosity", "huge", "text.verbosity"),)},
            "text.verbosity: left out, 'huge' is not known",
            {"knobs": (Knob("verbosity", "low"),)},
        ),
        (OPENAI, "m", {"user": "u" * 65}, "user: hashed", {"user": "u" * 64}),
        (OPENAI, "m", {"cache_key": "k" * 65}, "cache_key: hashed", {"cache_key": "k" * 64}),
        (
            COMPATIBLE,
            "m",
            {"tools": (A, B), "tool_choice": ToolChoice("some", ("a",), at="tool_choice")},
            "tool_choice: the tools that it does not allow are left out",
            {"tools": (A, B), "tool_choice": ToolChoice("some", ("a", "b"))},
        ),
        (
            OPENAI,
            "m",
            {"tools": (A,), "tool_choice": ToolChoice("one", ("web_search",), at="tool_choice")},
            "tool_choice: left out, the request has no tool it names",
            {"tools": (A,), "tool_choice": ToolChoice("one", ("a",))},
        ),
        (
            OPENAI,
            "m",
            {"tool_choice": ToolChoice("any", at="tool_choice")},
            "tool_choice: left out, the request has no tool that",
            {"tool_choice": ToolChoice("none")},
        ),
        (
            OPENAI,
            "m",
            {"turns": (HI, Turn("assistant", (Thought("t", at="messages.1.content.0"), Text("a"))), HI)},
            "messages.1.content.0: left out, the provider takes no thoughts back",
            {"turns": (HI, Turn("assistant", (Text("a"),)), HI)},
        ),
    ],
)
def test_warnings(flavour: Flavour, model: str, lossy: dict[str, Any], warning: str, kept: dict[str, Any]) -> None:
    [told] = warnings(flavour, model, lossy)
    assert told.startswith(warning.replace(": off", ": turned off"))
    assert warnings(flavour, model, kept) == []


def test_that_allowed_tools_and_thoughts_are_no_loss_where_they_are_known() -> None:
    allowed = ToolChoice("some", ("a",), at="tool_choice")
    assert warnings(OPENAI, "m", {"tools": (A, B), "tool_choice": allowed}) == []
    assert warnings(COMPATIBLE, "m", {"turns": (HI, Turn("assistant", (Thought("t"), Text("a"))), HI)}) == []
