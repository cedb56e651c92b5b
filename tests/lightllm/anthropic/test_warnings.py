"""What the writer changes or leaves out is told, by the field; a request that loses nothing is written in silence."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.anthropic.request_writer import write
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.prompt import (
    CacheMark,
    Call,
    OutputFormat,
    Prompt,
    Reasoning,
    Result,
    Sampling,
    ServerTool,
    Text,
    Tool,
    ToolChoice,
    Turn,
)

HI = Turn("user", (Text("hi"),))
BUDGET, ADAPTIVE, ALWAYS, OLD, NEW = (
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-opus-5-5",
    "claude-3-5-haiku",
    "claude-opus-4-8",
)
OPEN: dict[str, object] = {"type": "object", "additionalProperties": {"type": "string"}}
CLOSED: dict[str, object] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
RANGED: dict[str, object] = {**CLOSED, "properties": {"n": {"type": "integer", "minimum": 1}}}
A, B = Tool("a", at="tools.0"), Tool("b", at="tools.1")
CALLED = Turn("assistant", (Call("c", "f", "{}", at="input.1"),))
ANSWERED = Turn("user", (Result("c", "f", (Text("r"),), at="input.2"),))


def think(effort: Any = None, **given: Any) -> Reasoning:
    return Reasoning(effort=effort, at="reasoning", **given)


def tool(schema: dict[str, object]) -> dict[str, Any]:
    return {"tools": (Tool("f", schema=schema, strict=True, at="tools.0"),)}


def form(schema: dict[str, object] | None, **given: Any) -> dict[str, Any]:
    return {"output": OutputFormat(schema, at="text.format", **given)}


def search(**settings: Any) -> ServerTool:
    return ServerTool("web_search", Dialect.OPENAI_RESPONSES, {"type": "web_search", **settings}, "tools.1")


def choose(mode: Any, *names: str, tools: tuple[Tool, ...] = (A, B)) -> dict[str, Any]:
    return {"tools": tools, "tool_choice": ToolChoice(mode, names, at="tool_choice")}


def marked(*marks: CacheMark | None) -> dict[str, Any]:
    return {"turns": (Turn("user", tuple(Text(str(place), mark) for place, mark in enumerate(marks))),)}


def warnings(model: str, given: dict[str, Any]) -> list[str]:
    told: list[str] = []
    write(Prompt(model, **{"turns": (HI,), **given}), FLAVOURS["anthropic"], told.append)
    return told


@pytest.mark.parametrize(
    ("model", "lossy", "warning", "kept"),
    [
        (BUDGET, {"reasoning": think("low"), "sampling": Sampling(0.2)}, "temperature: left out", {}),
        (BUDGET, {"reasoning": think("low"), "sampling": Sampling(top_p=0.2)}, "top_p: left out, the model", {}),
        (
            BUDGET,
            {"reasoning": think("low"), "sampling": Sampling(top_k=5)},
            "top_k: left out, the model refuses it while it thinks",
            {"reasoning": think("low"), "sampling": Sampling(1, 0.97)},
        ),
        (BUDGET, {"sampling": Sampling(1.5)}, "temperature: 1 instead of 1.5", {"sampling": Sampling(0.5)}),
        (BUDGET, {"sampling": Sampling(0.5, 0.5)}, "top_p: left out, claude", {"sampling": Sampling(0.5, top_k=9)}),
        (NEW, {"sampling": Sampling(0.5)}, "temperature: left out, claude", {"sampling": Sampling(1, 1)}),
        (OLD, {"reasoning": think("low")}, "reasoning: left out, the model does not think", {}),
        (ALWAYS, {"reasoning": think("none")}, "reasoning: as little as can be", {"reasoning": think("low")}),
        (ADAPTIVE, {"reasoning": think("xhigh")}, "reasoning: high instead of xhigh", {"reasoning": think("max")}),
        (
            BUDGET,
            {"reasoning": think(budget=9000), "max_tokens": 6000},
            "reasoning: 3000 tokens instead of 9000",
            {"reasoning": think(budget=5000), "max_tokens": 6000},
        ),
        (
            BUDGET,
            {"reasoning": think(budget=9000), "max_tokens": 1000},
            "reasoning: left out, max_tokens leaves no 1024",
            {"reasoning": think(enabled=True), "max_tokens": 6000},
        ),
        (
            BUDGET,
            {"reasoning": think("low"), "turns": (HI, CALLED, ANSWERED)},
            "reasoning: left out for this turn",
            {"turns": (HI, CALLED, ANSWERED)},
        ),
        (BUDGET, {"reasoning": think("low"), **choose("any")}, "reasoning: left out, the model cannot", choose("any")),
        (ALWAYS, choose("one", "a"), "tool_choice: auto instead, claude-opus-5-5 refuses", choose("auto")),
        (ALWAYS, choose("any"), "tool_choice: auto instead, claude-opus-5-5 refuses", choose("none")),
        (BUDGET, choose("some", "a"), "tool_choice: the tools that it does not allow", choose("some", "a", "b")),
        (BUDGET, choose("any", tools=()), "tool_choice: left out, the request has no", choose("auto", tools=())),
        (
            BUDGET,
            {"turns": (HI, CALLED, HI)},
            'input.1: the call has no result, "(no result)"',
            {"turns": (HI, CALLED, ANSWERED)},
        ),
        (BUDGET, {"turns": (HI, ANSWERED)}, "input.2: the result is told as text", {"turns": (HI, HI)}),
        (
            BUDGET,
            {"turns": (Turn("assistant", (Text("a"),)), HI)},
            'messages: "(start of the conversation)" is said first',
            {"turns": (HI, Turn("assistant", (Text("a"),)), HI)},
        ),
        (
            ADAPTIVE,
            {"turns": (HI, Turn("assistant", (Text("a"),), "input.1"))},
            'input.1: "Continue." is said behind it',
            {"turns": (HI, Turn("assistant", (Text("a"),)), HI)},
        ),
        (
            BUDGET,
            {"turns": (HI, Turn("assistant", (Text("a "),), "input.1"))},
            "input.1: the white space at its end",
            {"turns": (HI, Turn("assistant", (Text("a"),), "input.1"))},
        ),
        (BUDGET, marked(*[CacheMark()] * 5), "cache_control: of 5 marks", marked(*[CacheMark()] * 4)),
        (
            BUDGET,
            marked(CacheMark("5m"), CacheMark("1h")),
            "cache_control: 5m instead of 1h",
            marked(CacheMark("1h"), CacheMark("5m")),
        ),
        (
            BUDGET,
            {
                "turns": (
                    HI,
                    CALLED,
                    Turn("user", (Result("c", "f", (Text("r", CacheMark(), at="input.2.output.0"),)),)),
                )
            },
            "input.2.output.0: its cache mark is left out",
            {"turns": (HI, CALLED, Turn("user", (Result("c", "f", (Text("r"),), cache=CacheMark()),)))},
        ),
        (OLD, {"max_tokens": 9000}, "max_tokens: 8192 instead of 9000", {}),
        (BUDGET, {"stop": (" ", "END")}, "stop: sequences of white space", {"stop": ("END",)}),
        (BUDGET, {"user": "u" * 257}, "user: left out", {"user": "u" * 256}),
        (BUDGET, form(OPEN), "text.format: the schema is told in words", form(CLOSED)),
        (BUDGET, form(None), "text.format: that the answer is JSON is told in words", {}),
        (BUDGET, form(RANGED), "text.format: minimum are told in words", form(CLOSED, name="n", strict=True)),
        (BUDGET, form(CLOSED, description="d"), "text.format: the description is left out", form(CLOSED)),
        (BUDGET, tool(OPEN), "tools.0.strict: turned off", tool(CLOSED)),
        (BUDGET, tool(RANGED), "tools.0: minimum are told in words", tool(CLOSED)),
        (
            BUDGET,
            {"tools": (Tool("f", schema={"anyOf": [CLOSED]}, at="tools.0"),)},
            "tools.0: anyOf at the top of its schema",
            {"tools": (Tool("f", schema=OPEN),)},
        ),
        (
            BUDGET,
            {"tools": (search(search_context_size="high"),)},
            "tools.1 (web_search): search_context_size left out",
            {"tools": (search(filters={"allowed_domains": ["a.example"]}, external_web_access=True),)},
        ),
        (
            BUDGET,
            {"tools": (Tool("web_search"), search())},
            "tools.1 (web_search): left out, another tool has its name",
            {"tools": (A, search())},
        ),
    ],
)
def test_warnings(model: str, lossy: dict[str, Any], warning: str, kept: dict[str, Any]) -> None:
    [told] = warnings(model, lossy)
    assert told.startswith(warning)
    assert warnings(model, kept) == []
