"""How much to think, said to models that think by budget, adaptively, always, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.anthropic.thinking import plan_thinking
from ccproxy.lightllm.models import COMPATIBLE, abilities
from ccproxy.lightllm.prompt import Reasoning

type Json = dict[str, Any]

ADAPTIVE: Json = {"type": "adaptive"}
OFF: Json = {"type": "disabled"}


def budget(tokens: int) -> Json:
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("model", "asked", "thinking", "effort"),
    [
        ("claude-sonnet-4-5", None, None, None),
        ("claude-3-5-haiku-latest", Reasoning(True), None, None),
        # by budget
        ("claude-sonnet-4-5", Reasoning(True, budget=3000), budget(3000), None),
        ("claude-sonnet-4-5", Reasoning(True, budget=100), budget(1024), None),
        ("claude-sonnet-4-5", Reasoning(True, budget=70000), budget(16000), None),
        ("claude-sonnet-4-5", Reasoning(effort="minimal"), budget(1024), None),
        ("claude-sonnet-4-5", Reasoning(effort="low"), budget(2048), None),
        ("claude-sonnet-4-5", Reasoning(True), budget(24576), None),
        ("claude-sonnet-4-5", Reasoning(shown=True), {**budget(24576), "display": "summarized"}, None),
        ("claude-sonnet-4-5", Reasoning(False), OFF, None),
        ("claude-sonnet-4-5", Reasoning(effort="none"), OFF, None),
        ("claude-sonnet-4-5", Reasoning(budget=0), OFF, None),
        ("claude-sonnet-4-5", Reasoning(shown=False), None, None),
        # adaptively
        ("claude-opus-4-6", Reasoning(True), ADAPTIVE, None),
        ("claude-opus-4-6", Reasoning(effort="minimal"), ADAPTIVE, "low"),
        ("claude-opus-4-6", Reasoning(effort="xhigh"), ADAPTIVE, "high"),
        ("claude-opus-4-6", Reasoning(effort="max"), ADAPTIVE, "max"),
        ("claude-opus-4-7", Reasoning(effort="xhigh"), ADAPTIVE, "xhigh"),
        ("claude-opus-4-7", Reasoning(True, budget=1024), ADAPTIVE, "low"),
        ("claude-opus-4-7", Reasoning(True, budget=9000), ADAPTIVE, "high"),
        ("claude-opus-4-7", Reasoning(True, budget=99999), ADAPTIVE, "max"),
        ("claude-opus-4-7", Reasoning(True, shown=False), {**ADAPTIVE, "display": "omitted"}, None),
        ("claude-opus-4-7", Reasoning(False), OFF, None),
        # what cannot be turned off
        ("claude-opus-5-5", Reasoning(False), None, "low"),
        ("claude-sonnet-5-5", Reasoning(False), {"type": "between_tools"}, None),
    ],
)
def test_what_is_said(model: str, asked: Reasoning | None, thinking: Json | None, effort: str | None) -> None:
    found = plan_thinking(asked, abilities(model), 32000, forced=False, begun=False, display=True)
    assert (found.config, found.effort) == (thinking, effort)


@pytest.mark.parametrize(
    ("model", "max_tokens", "forced", "begun", "thinking", "effort"),
    [
        ("claude-sonnet-4-5", 32000, True, False, None, None),
        ("claude-sonnet-4-5", 32000, False, True, None, None),
        ("claude-sonnet-4-5", 1024, False, False, None, None),
        ("claude-sonnet-4-5", 1025, False, False, budget(1024), None),
        ("claude-sonnet-4-5", 4000, False, False, budget(2000), None),
        ("claude-opus-4-8", 1, True, True, None, "high"),
        ("claude-opus-4-8", 1, False, True, ADAPTIVE, "high"),
    ],
)
def test_what_would_be_refused_is_not_said(
    model: str, max_tokens: int, forced: bool, begun: bool, thinking: Json | None, effort: str | None
) -> None:
    asked = Reasoning(effort="high")
    found = plan_thinking(asked, abilities(model), max_tokens, forced=forced, begun=begun, display=True)
    assert (found.config, found.effort, found.on) == (thinking, effort, thinking is not None)


def test_other_makers_know_no_display() -> None:
    found = plan_thinking(Reasoning(True, shown=True), COMPATIBLE, 32000, forced=False, begun=False, display=False)
    assert found.config == budget(24576)
