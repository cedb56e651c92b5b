"""What the writer changes or leaves out is told, by the field; a request that loses nothing is written in silence."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.google.request_writer import write
from ccproxy.lightllm.prompt import (
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
F = Tool("f", schema={"type": "object", "properties": {}})
PRO, FLASH, THREE = "gemini-2.5-pro", "gemini-2.5-flash", "gemini-3.1-pro-preview"
FORM = OutputFormat({"type": "object"}, at="response_format")


def search(**settings: Any) -> ServerTool:
    return ServerTool("web_search", Dialect.ANTHROPIC, {"type": "web_search_20250305", **settings}, "tools.1")


def think(effort: Any = None, **given: Any) -> dict[str, Any]:
    return {"reasoning": Reasoning(effort=effort, at="thinking", **given)}


def warnings(model: str, given: dict[str, Any]) -> list[str]:
    told: list[str] = []
    write(Prompt(model, **{"turns": (HI,), **given}), FLAVOURS["google"], told.append)
    return told


@pytest.mark.parametrize(
    ("model", "lossy", "warning", "kept"),
    [
        (PRO, {"tools": (F, search())}, "tools.1 (web_search): left out, the provider", {"tools": (search(),)}),
        (PRO, {"tools": (search(max_uses=8),)}, "tools.1 (web_search): max_uses left out", {"tools": (F,)}),
        (PRO, {"tools": (F,), "output": FORM}, "response_format: the form of the answer is told", {"output": FORM}),
        (
            THREE,
            {"output": OutputFormat({"type": "object"}, description="d", at="response_format")},
            "response_format: the description is left out",
            {"tools": (F,), "output": FORM},
        ),
        (PRO, {"sampling": Sampling(seed=2**40 + 1)}, "seed: 1 instead of", {"sampling": Sampling(0.1, 0.2, 3, 4)}),
        ("gemini-2.0-flash", think("low"), "thinking: left out, gemini-2.0-flash", think("none")),
        (PRO, think(enabled=False), "thinking: as little as can be instead of not at all", think("high")),
        (THREE, think("none"), "thinking: as little as can be instead of not at all", think("low")),
        (THREE, think("max"), "thinking: high instead of max", think("high")),
        (FLASH, think(budget=31999), "thinking: 24576 tokens instead of 31999", think(budget=2000)),
        (FLASH, think("xhigh"), "thinking: 24576 tokens instead of 32768", think(enabled=False)),
        (
            PRO,
            {"tool_choice": ToolChoice("any", at="tool_choice")},
            "tool_choice: left out, the request has no tool that",
            {"tool_choice": ToolChoice("auto")},
        ),
        (
            PRO,
            {"tools": (F,), "tool_choice": ToolChoice("one", ("web_search",), at="tool_choice")},
            "tool_choice: left out, the request has no tool it names",
            {"tools": (F,), "tool_choice": ToolChoice("one", ("f",))},
        ),
        (
            PRO,
            {"turns": (Turn("assistant", (Text("a"),)),)},
            "messages: a blank text is said first",
            {"turns": (HI, Turn("assistant", (Text("a"),)))},
        ),
        (
            PRO,
            {"turns": (HI, Turn("user", (Result("c", None, (Text("r"),), at="input.1"),)))},
            "input.1: unknown stands for the function's name",
            {"turns": (HI, Turn("assistant", (Call("c", "f", "{}"),)), Turn("user", (Result("c", None, ()),)))},
        ),
    ],
)
def test_warnings(model: str, lossy: dict[str, Any], warning: str, kept: dict[str, Any]) -> None:
    [told] = warnings(model, lossy)
    assert told.startswith(warning)
    assert warnings(model, kept) == []
