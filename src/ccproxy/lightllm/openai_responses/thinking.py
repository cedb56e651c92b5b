"""Reasoning: its settings and its items, in both directions (OpenAI API reference, "Responses", ``reasoning``).

A reasoning item has a summary in parts, or the raw reasoning in ``content``, and what the provider wants back in
``encrypted_content``. Here it is one text: the parts with two empty lines between them, which no part was seen to have
in itself, so that the same parts can be made of it again.

>>> item = write_item(Thought("**Look**\\n\\nI see.\\n\\n\\n**Act**", "gAAA", id="rs_1"))
>>> item["summary"]
[{'type': 'summary_text', 'text': '**Look**\\n\\nI see.'}, {'type': 'summary_text', 'text': '**Act**'}]
>>> read_item(item, "input.0").text
'**Look**\\n\\nI see.\\n\\n\\n**Act**'
"""

from __future__ import annotations

from typing import Final

from ccproxy.lightllm.openai_limits import fit_effort
from ccproxy.lightllm.openai_models import SCALE, known
from ccproxy.lightllm.openai_responses.fields import Fields, bad, fields_at, list_at, maybe, want
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Effort, Reasoning, Thought

PARTS: Final = "\n\n\n"
"""Between the parts of a summary."""
_EFFORTS: Final[dict[str, Effort]] = {effort: effort for effort in SCALE}
_BUDGETS: Final[tuple[tuple[int, Effort], ...]] = ((0, "none"), (2048, "low"), (8192, "medium"))
"""The most tokens of each effort; ``high`` above."""


def read_settings(value: object) -> Reasoning | None:
    """``reasoning``; None where it says nothing."""
    if value is None:
        return None
    fields = fields_at(value, "reasoning")
    effort = read_effort(fields.get("effort"), "reasoning.effort")
    summary = maybe(fields, "summary", str, "reasoning") or maybe(fields, "generate_summary", str, "reasoning")
    if summary == "none":  # Codex's word for leaving it out
        summary = None
    if effort is None and summary is None:
        return None
    enabled = False if effort == "none" else None
    return Reasoning(enabled, effort, None, True if summary else None, summary, "reasoning")


def read_effort(value: object, at: str) -> Effort | None:
    """An effort."""
    if value is None:
        return None
    effort = _EFFORTS.get(want(value, str, at))
    if effort is None:
        raise bad(at, f"one of {', '.join(SCALE)} is expected here")
    return effort


def reasons(model: str) -> bool:
    """Whether the model may reason, and so has encrypted reasoning to give. Those that do not refuse to be asked."""
    family = known(model)
    return family is None or bool(family.efforts)


def write_settings(reasoning: Reasoning | None, model: str, warn: Warn) -> dict[str, object]:
    """``reasoning``, empty where there is nothing to say."""
    if reasoning is None:
        return {}
    effort = fit_effort(_effort(reasoning), reasoning, model, warn)
    if not reasons(model):
        return {}
    settings: dict[str, object] = {}
    if effort is not None:
        settings["effort"] = effort
    if reasoning.shown and reasoning.enabled is not False and effort != "none":
        settings["summary"] = reasoning.detail or "auto"
    return settings


def _effort(reasoning: Reasoning) -> Effort | None:
    if reasoning.enabled is False:
        return "none"
    if reasoning.effort is not None or reasoning.budget is None:
        return reasoning.effort
    budget = reasoning.budget
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def samples(model: str, effort: object) -> bool:
    """Whether ``temperature`` and ``top_p`` may be said beside that effort (None: not said)."""
    family = known(model)
    return family is None or family.samples(_EFFORTS.get(effort) if isinstance(effort, str) else None)


def read_item(item: Fields, at: str) -> Thought | None:
    """A reasoning item; None where it holds nothing but its id."""
    text = PARTS.join(_texts(item, "summary", at)) or PARTS.join(_texts(item, "content", at))
    signature = maybe(item, "encrypted_content", str, at) or None
    if not text and signature is None:
        return None
    return Thought(text, signature, not text, maybe(item, "id", str, at), at)


def _texts(item: Fields, key: str, at: str) -> list[str]:
    value = item.get(key)
    parts = [] if value is None else list_at(value, f"{at}.{key}")
    places = [(fields_at(part, f"{at}.{key}.{index}"), f"{at}.{key}.{index}.text") for index, part in enumerate(parts)]
    return [text for part, place in places if (text := want(part.get("text"), str, place))]


def write_item(thought: Thought) -> dict[str, object]:
    """The item of a thought that this provider gave, as it gave it."""
    item: dict[str, object] = {"type": "reasoning"}
    if thought.id is not None:
        item["id"] = thought.id
    texts = thought.text.split(PARTS) if thought.text else []
    item["summary"] = [{"type": "summary_text", "text": text} for text in texts]
    item["encrypted_content"] = thought.signature
    return item
