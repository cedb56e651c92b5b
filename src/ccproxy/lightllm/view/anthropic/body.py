"""Where the view's parts are in a request of the Messages API."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage, SystemPromptPart
from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.json_edit import dumps
from ccproxy.lightllm.view.anthropic import dump, load, tools
from ccproxy.lightllm.view.carry import Json, json_objects
from ccproxy.lightllm.view.store import read, store_elements, store_value


def load_messages(body: Json) -> list[ModelMessage]:
    """``messages``, those with the role ``system`` included."""
    return load.load_messages(json_objects(body.get("messages")) or [])


def store_messages(raw: bytes, messages: Sequence[ModelMessage]) -> bytes:
    """The body with other ``messages``."""
    body = read(raw)
    old, new = dump.dump_messages(load_messages(body)), dump.dump_messages(messages)
    return store_elements(raw, ("messages",), old, new, present=json_objects(body.get("messages")) is not None)


def load_system(body: Json) -> list[SystemPromptPart]:
    """``system``; a string is one block."""
    return load.load_system_blocks(_blocks(body.get("system")))


def store_system(raw: bytes, parts: Sequence[SystemPromptPart]) -> bytes:
    """The body with another ``system``. A string stays one as long as one can say it."""
    system = read(raw).get("system")
    old, new = dump.dump_system_blocks(load.load_system_blocks(_blocks(system))), dump.dump_system_blocks(parts)
    if dumps(old) == dumps(new):
        return raw
    if isinstance(system, list):
        return store_value(raw, ("system",), old, new or None)
    plain = len(new) == 1 and new[0].keys() == {"type", "text"}
    return store_value(raw, ("system",), system, new[0]["text"] if plain else new or None)


def load_tools(body: Json) -> list[ToolDefinition]:
    """``tools``."""
    return tools.load_tools(json_objects(body.get("tools")) or [])


def store_tools(raw: bytes, definitions: Sequence[ToolDefinition]) -> bytes:
    """The body with other ``tools``."""
    body = read(raw)
    old, new = tools.dump_tools(load_tools(body)), tools.dump_tools(definitions)
    return store_elements(raw, ("tools",), old, new, present=json_objects(body.get("tools")) is not None)


def _blocks(system: object) -> list[Json]:
    return [{"type": "text", "text": system}] if isinstance(system, str) else json_objects(system) or []
