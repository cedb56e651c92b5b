"""How much the model is to think, in the words that servers of this dialect have for it.

=================================================  ================================================================
``reasoning_effort``                               OpenAI, and most others
``reasoning: {effort, max_tokens, enabled,         OpenRouter
exclude}``, ``include_reasoning``
``thinking: {type, budget_tokens}``                Z.ai, DeepSeek, Kimi
``enable_thinking``, ``thinking_budget``           Qwen
=================================================  ================================================================

>>> read_reasoning({"reasoning_effort": "none"})
Reasoning(enabled=False, effort='none', budget=None, shown=None, detail=None, at='reasoning_effort')
"""

from __future__ import annotations

from typing import Final

from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.openai_chat.fields import Fields, flag, integer, object_at
from ccproxy.lightllm.openai_limits import fit_effort
from ccproxy.lightllm.openai_models import EFFORTS, known
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Effort, Reasoning

KEYS: Final = frozenset(
    {"reasoning_effort", "reasoning", "include_reasoning", "thinking", "enable_thinking", "thinking_budget"}
)
"""The settings that ``read_reasoning`` reads."""

_THINKERS: Final = ("deepseek", "kimi")
_BUDGETS: Final[tuple[tuple[int, Effort], ...]] = ((0, "none"), (2048, "low"), (8192, "medium"))
"""The most tokens of each effort; ``high`` above."""


def is_thinker(model: str) -> bool:
    """Whether the model, where it thinks, refuses calls in the conversation without ``reasoning_content``.

    "Missing `reasoning_content` field in the assistant message", DeepSeek; "reasoning_content is missing in assistant
    tool call message", Kimi (both seen 2026-11; an empty one will do).
    """
    return any(name in model.lower() for name in _THINKERS)


def read_reasoning(body: Fields) -> Reasoning | None:
    """What the request says of it; None if nothing. Words that are not known say nothing."""
    said = [key for key in body if key in KEYS and body[key] is not None]
    if not said:
        return None
    effort = _effort(body.get("reasoning_effort"))
    enabled, budget, shown = flag(body, "enable_thinking"), integer(body, "thinking_budget"), _shown(body)
    if body.get("reasoning") is not None:
        nested = object_at(body["reasoning"], "reasoning")
        effort = _effort(nested.get("effort")) or effort
        budget = _tokens(nested.get("max_tokens")) or budget
        enabled = _boolean(nested.get("enabled"), enabled)
        exclude = nested.get("exclude")
        shown = not exclude if isinstance(exclude, bool) else shown
    if body.get("thinking") is not None:
        nested = object_at(body["thinking"], "thinking")
        enabled = _boolean(nested.get("type") != "disabled" if "type" in nested else None, enabled)
        budget = _tokens(nested.get("budget_tokens")) or budget
    if effort == "none":
        enabled = False
    if (enabled, effort, budget, shown) == (None, None, None, None):
        return None
    return Reasoning(enabled, effort, budget, shown, at=said[0])


def _shown(body: Fields) -> bool | None:
    return _boolean(body.get("include_reasoning"), None)


def _effort(value: object) -> Effort | None:
    return EFFORTS.get(value) if isinstance(value, str) else None


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _boolean(value: object, otherwise: bool | None) -> bool | None:
    return value if isinstance(value, bool) else otherwise


def read_thought(message: Fields) -> str:
    """What an assistant message says that was thought: under one of three keys, or the same under several."""
    for key in ("reasoning_content", "reasoning"):
        if isinstance(text := message.get(key), str) and text:
            return text
    details = message.get("reasoning_details")
    return "".join(_detail(each) for each in details) if isinstance(details, list) else ""


def _detail(detail: object) -> str:
    """OpenRouter's ``reasoning.text`` and ``reasoning.summary``; the encrypted ones have no text."""
    if not isinstance(detail, dict):
        return ""
    text = detail.get("text") or detail.get("summary")
    return text if isinstance(text, str) else ""


def write_reasoning(reasoning: Reasoning | None, model: str, flavour: Flavour, warn: Warn) -> dict[str, object]:
    """The settings in the flavour's words."""
    if reasoning is None:
        return {}
    effort = wanted_effort(reasoning)
    match flavour.reasoning:
        case "effort":
            fitted = fit_effort(effort, reasoning, model, warn)
            family = known(model)
            if reasoning.shown and effort != "none" and family is not None and family.efforts:
                warn(f"{reasoning.at or 'reasoning'}: {model} does not show its thoughts in Chat Completions")
            return {} if fitted is None else {"reasoning_effort": fitted}
        case "object":
            return _reasoning_object(reasoning, effort, warn)
        case "thinking":
            if effort is None and reasoning.enabled is None:
                return {}
            if effort not in (None, "none"):
                warn(f"{reasoning.at or 'reasoning'}: only that the model is to think is said, not how much")
            return {"thinking": {"type": "disabled" if effort == "none" else "enabled"}}


def wanted_effort(reasoning: Reasoning) -> Effort | None:
    """The effort that is said, or that a budget amounts to."""
    if reasoning.enabled is False:
        return "none"
    if reasoning.effort is not None or reasoning.budget is None:
        return reasoning.effort
    budget = reasoning.budget
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def _reasoning_object(reasoning: Reasoning, effort: Effort | None, warn: Warn) -> dict[str, object]:
    """OpenRouter takes ``effort`` or ``max_tokens``, not both, and no ``max`` (reference, "Reasoning tokens")."""
    said: dict[str, object] = {}
    at = reasoning.at or "reasoning"
    if effort == "none":
        said["effort" if reasoning.effort == "none" else "enabled"] = "none" if reasoning.effort == "none" else False
    elif reasoning.budget is not None:
        said["max_tokens"] = reasoning.budget
        if reasoning.effort is not None:
            warn(f"{at}: the effort is left out beside the budget, the provider takes one of them")
    elif effort is not None:
        said["effort"] = "xhigh" if effort == "max" else effort
        if effort == "max":
            warn(f"{at}: xhigh instead of max, which the provider does not know")
    elif reasoning.enabled:
        said["enabled"] = True
    if reasoning.shown is False:
        said["exclude"] = True
    return {"reasoning": said} if said else {}
