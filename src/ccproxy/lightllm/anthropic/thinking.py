"""How much a model is to think (Anthropic documentation, "Thinking", "Extended thinking" and "Effort").

Models up to 4.5 think within ``thinking.budget_tokens``, later ones adaptively, by ``output_config.effort``; which
model takes what is in ``models``. What the API refuses is never written:

* a budget below 1,024 or not below ``max_tokens``, a budget for a model that thinks adaptively, and the reverse;
* ``disabled`` where thinking cannot be turned off: the least effort stands for it;
* thinking beside a forced ``tool_choice``: the choice is kept, since a program relies on it;
* thinking by budget where the turn under way has begun without it, as after a change of provider or of setting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.anthropic.fields import Object, mapping, string, string_or_none, whole
from ccproxy.lightllm.models import Abilities
from ccproxy.lightllm.prompt import Effort, Reasoning

BUDGETS: Final[dict[Effort, int]] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 63999,
}
"""Tokens for an effort where there are only budgets, and the reverse: an effort up to its budget."""
LEAST_BUDGET: Final = 1024
_FORCED: Final = "left out, the model cannot think where it must call a tool"
_BEGUN: Final = "left out for this turn, which has begun without thoughts"
_ORDER: Final[tuple[Effort, ...]] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def read_reasoning(body: Object, later: tuple[str, str] | None) -> Reasoning | None:
    """``thinking`` and ``output_config.effort``. ``later``: the effort that a system turn sets, and where."""
    config = mapping(body.get("output_config") or {}, "output_config")
    effort = _effort(*later) if later is not None else None
    if effort is None and (given := string_or_none(config, "effort", "output_config")) is not None:
        effort = _effort(given, "output_config.effort")
    if body.get("thinking") is None:
        return Reasoning(effort=effort, at="output_config.effort") if effort is not None else None
    thinking = mapping(body["thinking"], "thinking")
    display = string_or_none(thinking, "display", "thinking")
    shown = None if display is None else display != "omitted"
    match kind := string(thinking, "type", "thinking"):
        case "enabled":
            budget = whole(thinking, "budget_tokens", "thinking")
            return Reasoning(True, effort, budget, shown, at="thinking")
        case "adaptive":
            return Reasoning(True, effort, None, shown, at="thinking")
        case "disabled" | "between_tools":
            return Reasoning(False, at="thinking")
    raise BadRequest(f"thinking.type: this must be 'adaptive', 'enabled' or 'disabled', not {kind!r}")


def _effort(value: str, at: str) -> Effort:
    for known in _ORDER:
        if value == known:
            return known
    raise BadRequest(f"{at}: this must be one of {', '.join(_ORDER[2:])}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Thinking:
    """What is written of it."""

    config: dict[str, object] | None = None
    """The body's ``thinking``."""
    effort: Effort | None = None
    """Its ``output_config.effort``."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What is not as it was asked for, by the field."""

    @property
    def on(self) -> bool:
        """Whether the request turns thinking on, so that sampling is bound."""
        return self.config is not None and self.config["type"] in ("enabled", "adaptive")


def plan_thinking(
    asked: Reasoning | None, model: Abilities, max_tokens: int, *, forced: bool, begun: bool, display: bool
) -> Thinking:
    """What to write. ``forced``: a tool must be called. ``begun``: the turn under way has no thoughts in front.

    ``display``: the provider knows that field.
    """
    if asked is None:
        return Thinking()
    at = asked.at or "thinking"
    if asked.enabled is False or asked.effort == "none" or asked.budget == 0:
        return _least(model, at)
    said = asked.enabled or asked.effort or asked.budget or asked.shown
    if not said or model.thinking == "none":
        return Thinking(notes=(f"{at}: left out, the model does not think",) if said else ())
    shown: dict[str, object] = {}
    if display and asked.shown is not None:
        shown["display"] = "summarized" if asked.shown else "omitted"
    if model.thinking == "adaptive":
        wanted = asked.effort or _of_budget(asked.budget)
        effort = _nearest(wanted, model.efforts)
        notes = [f"{at}: {effort} instead of {wanted}, which the model does not take"] if effort != wanted else []
        notes += [f"{at}: {_FORCED}"] if forced else []
        return Thinking(None if forced else {"type": "adaptive", **shown}, effort, tuple(notes))
    wanted_budget = asked.budget or BUDGETS[asked.effort or "high"]
    budget = _within(wanted_budget, max_tokens)
    if forced or begun or budget is None:
        why = _FORCED if forced else _BEGUN if begun else f"left out, max_tokens leaves no {LEAST_BUDGET} tokens for it"
        return Thinking(notes=(f"{at}: {why}",))
    lowered = f"{at}: {budget} tokens instead of {wanted_budget}, between {LEAST_BUDGET} and max_tokens"
    config: dict[str, object] = {"type": "enabled", "budget_tokens": budget, **shown}
    return Thinking(config, notes=(lowered,) if budget != wanted_budget and (asked.budget or asked.effort) else ())


def _least(model: Abilities, at: str) -> Thinking:
    """As little as the model can be told to think."""
    if model.thinking == "none" or model.off == "disabled":
        return Thinking({"type": "disabled"} if model.thinking != "none" else None)
    notes = (f"{at}: as little as can be instead of not at all, which the model refuses",)
    if model.off is None:
        return Thinking(effort=model.efforts[0] if model.efforts else None, notes=notes)
    return Thinking({"type": model.off}, notes=notes)


def _of_budget(budget: int | None) -> Effort | None:
    if budget is None:
        return None
    return next((effort for effort, most in BUDGETS.items() if budget <= most), "max")


def _nearest(effort: Effort | None, known: tuple[Effort, ...]) -> Effort | None:
    """The effort itself, else the next lower one that the model knows, else its lowest."""
    if effort is None or not known:
        return None
    below = [each for each in known if _ORDER.index(each) <= _ORDER.index(effort)]
    return below[-1] if below else known[0]


def _within(budget: int, max_tokens: int) -> int | None:
    """A budget that leaves room for the answer: half of ``max_tokens`` where it would not; None if there is none."""
    if max_tokens <= LEAST_BUDGET:
        return None
    if budget >= max_tokens:
        budget = max_tokens // 2
    return max(budget, LEAST_BUDGET)
