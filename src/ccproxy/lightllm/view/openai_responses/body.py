"""Where the view's parts are in a request of the Responses API.

The system prompt is ``instructions`` and then the run of ``system`` and ``developer`` items at the beginning of
``input``. What a hook adds becomes such an item, or ``instructions`` where there is no system prompt at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage, SystemPromptPart
from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.view.carry import READ_AT, Json, carry, json_objects, place
from ccproxy.lightllm.view.openai_responses import dump, load, tools
from ccproxy.lightllm.view.store import read, store_elements, store_value
from ccproxy.lightllm.view.turns import join_system, lead, split_system, was_message

_INSTRUCTIONS = "instructions"


def load_messages(body: Json) -> list[ModelMessage]:
    """``input`` after the system prompt."""
    items = _items(body)
    return load.load_messages(items[lead(items) :])


def store_messages(raw: bytes, messages: Sequence[ModelMessage]) -> bytes:
    """The body with another ``input`` after the system prompt."""
    body = read(raw)
    old, new = dump.dump_messages(load_messages(body)), dump.dump_messages(messages)
    return _store_input(raw, body, old, new, lead(_items(body)))


def load_system(body: Json) -> list[SystemPromptPart]:
    """``instructions`` and the first items."""
    text = body.get(_INSTRUCTIONS)
    items = _items(body)
    parts = split_system(load.load_messages(items[: lead(items)]))
    if not isinstance(text, str):
        return parts
    return [SystemPromptPart(text, timestamp=READ_AT, metadata=carry(place=_INSTRUCTIONS)), *parts]


def store_system(raw: bytes, parts: Sequence[SystemPromptPart]) -> bytes:
    """The body with another system prompt."""
    body = read(raw)
    old_parts = load_system(body)
    (old_text, old), (text, new) = _divide(old_parts, True), _divide(parts, bool(old_parts))
    raw = store_value(raw, (_INSTRUCTIONS,), old_text, text)
    return _store_input(raw, body, old, new, 0)


def load_tools(body: Json) -> list[ToolDefinition]:
    """``tools``."""
    return tools.load_tools(json_objects(body.get("tools")) or [])


def store_tools(raw: bytes, definitions: Sequence[ToolDefinition]) -> bytes:
    """The body with other ``tools``."""
    body = read(raw)
    old, new = tools.dump_tools(load_tools(body)), tools.dump_tools(definitions)
    return store_elements(raw, ("tools",), old, new, present=json_objects(body.get("tools")) is not None)


def _items(body: Json) -> list[Json]:
    """``input``; a string is one message of the user."""
    items = body.get("input")
    return [{"role": "user", "content": items}] if isinstance(items, str) else json_objects(items) or []


def _store_input(raw: bytes, body: Json, old: list[Json], new: list[Json], start: int) -> bytes:
    if not isinstance(body.get("input"), str):
        return store_elements(
            raw, ("input",), old, new, start=start, present=json_objects(body.get("input")) is not None
        )
    if start == 0 and len(old) == 0:  # a system prompt before a string
        new = [*new, *_items(body)]
        old = _items(body)
    match new:
        case [{"role": "user", "content": str() as text, **more}] if not more:
            return store_value(raw, ("input",), body["input"], text)
        case _:
            return store_value(raw, ("input",), old, new)


def _divide(parts: Sequence[SystemPromptPart], had_system: bool) -> tuple[str | None, list[Json]]:
    """The text of ``instructions`` and the items."""
    texts: list[str] = []
    others: list[SystemPromptPart] = []
    for part in parts:
        if place(part.metadata) == _INSTRUCTIONS or not (had_system or was_message(part)):
            texts.append(part.content)
        else:
            others.append(part)
    return "\n\n".join(texts) if texts else None, dump.dump_messages(join_system(others))
