"""Thinking: ``generationConfig.thinkingConfig`` (Gemini API, "Thinking").

Gemini 3 is told a level, Gemini 2.5 a budget of tokens: 0 is off, -1 is as much as it sees fit. Levels and budgets are
turned into one another as Google's own OpenAI endpoint does (Gemini API, "OpenAI compatibility", seen 2026-11).

>>> write_thinking(Reasoning(enabled=True, budget=9000), "gemini-3.1-pro-preview", print)
{'includeThoughts': True, 'thinkingLevel': 'medium'}
>>> write_thinking(Reasoning(effort="medium", shown=False), "gemini-2.5-flash", print)
{'thinkingBudget': 8192}
"""

from __future__ import annotations

from typing import Final

from ccproxy.lightllm.google.fields import Json, boolean, integer, place, word, wrong
from ccproxy.lightllm.google.models import thinking_style
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Effort, Reasoning

_EFFORTS: Final[dict[str, Effort]] = {
    "MINIMAL": "minimal",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "XHIGH": "xhigh",
    "MAX": "max",
}
_BUDGETS: Final[dict[Effort, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 32768,
}
_RANGES: Final = (("flash-lite", 512, 24576), ("flash", 1, 24576), ("", 128, 32768))
"""Part of the model's name, smallest and largest budget."""


def read_thinking(config: Json, at: str) -> Reasoning:
    """What a client asks for. Whoever wants to see thoughts wants them thought."""
    budget = integer(config, "thinkingBudget", at)
    shown = boolean(config, "includeThoughts", at)
    level = word(config, "thinkingLevel", at)
    if level is not None and level not in _EFFORTS:
        raise wrong(place(at, "thinkingLevel"), f"one of {', '.join(_EFFORTS)}", level)
    if budget == 0:
        return Reasoning(enabled=False, shown=shown, at=at)
    return Reasoning(
        enabled=True if budget is not None or level is not None or shown else None,
        effort=_EFFORTS[level] if level is not None else None,
        budget=budget if budget is not None and budget > 0 else None,
        shown=shown,
        at=at,
    )


def write_thinking(reasoning: Reasoning, model: str, warn: Warn) -> dict[str, object]:
    """``thinkingConfig`` for a model; empty if there is nothing to say, or nothing that the model takes."""
    style = thinking_style(model)
    off = reasoning.enabled is False or reasoning.effort == "none"
    asked = any((reasoning.enabled, reasoning.effort, reasoning.budget, reasoning.shown))
    at = reasoning.at or "thinking"
    if style == "none" or not (off or asked):
        if asked and not off:
            warn(f"{at}: left out, {model} cannot be asked to think")
        return {}
    config: dict[str, object] = {}
    if not off and reasoning.shown is not False:
        config["includeThoughts"] = True
    if style == "budget":
        budget = _least(model) if off else _budget(reasoning, model, warn)
        if off and budget:
            warn(f"{at}: as little as can be instead of not at all, which {model} refuses")
        return config if budget is None else {**config, "thinkingBudget": budget}
    level = _lowest(model) if off else _level(reasoning, model)
    if off:
        warn(f"{at}: as little as can be instead of not at all, which {model} refuses")
    elif reasoning.effort is not None and level != reasoning.effort:
        warn(f"{at}: {level} instead of {reasoning.effort}, which {model} does not take")
    return config if level is None else {**config, "thinkingLevel": level}


def _budget(reasoning: Reasoning, model: str, warn: Warn) -> int | None:
    tokens = reasoning.budget
    if tokens is None and reasoning.effort is not None:
        tokens = _BUDGETS[reasoning.effort]
    if tokens is None:
        return -1 if reasoning.enabled else None
    low, high = _range(model)
    fitted = min(max(tokens, low), high)
    if fitted != tokens:
        warn(f"{reasoning.at or 'thinking'}: {fitted} tokens instead of {tokens}, {model} takes {low} to {high}")
    return fitted


def _range(model: str) -> tuple[int, int]:
    return next((low, high) for name, low, high in _RANGES if name in model)


def _least(model: str) -> int:
    """Only Flash models can be told not to think at all."""
    return 0 if "flash" in model else _range(model)[0]


def _level(reasoning: Reasoning, model: str) -> str | None:
    effort = reasoning.effort
    if effort is None:
        if reasoning.budget is None:
            return None
        effort = "low" if reasoning.budget < 4096 else "medium" if reasoning.budget < 16384 else "high"
    match effort:
        case "none" | "minimal":
            return _lowest(model)
        case "low":
            return "low"
        case "medium":
            return "high" if "gemini-3-pro" in model else "medium"  # which knows only low and high
        case _:
            return "high"


def _lowest(model: str) -> str:
    return "minimal" if "flash" in model else "low"
