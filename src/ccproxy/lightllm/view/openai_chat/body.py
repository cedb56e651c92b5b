"""Where the view's parts are in a chat completion request.

The system prompt is the run of ``system`` and ``developer`` messages at the beginning; one further on is a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage, SystemPromptPart
from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.view.carry import Json, json_objects
from ccproxy.lightllm.view.openai_chat import dump, load, tools
from ccproxy.lightllm.view.store import read, store_elements
from ccproxy.lightllm.view.turns import join_system, lead, split_system


def load_messages(body: Json) -> list[ModelMessage]:
    """``messages`` after the system prompt."""
    messages = json_objects(body.get("messages")) or []
    return load.load_messages(messages[lead(messages) :])


def store_messages(raw: bytes, messages: Sequence[ModelMessage]) -> bytes:
    """The body with other ``messages`` after the system prompt."""
    body = read(raw)
    wire = json_objects(body.get("messages"))
    old, new = dump.dump_messages(load_messages(body)), dump.dump_messages(messages)
    return store_elements(raw, ("messages",), old, new, start=lead(wire or []), present=wire is not None)


def load_system(body: Json) -> list[SystemPromptPart]:
    """The messages of the system prompt."""
    messages = json_objects(body.get("messages")) or []
    return split_system(load.load_messages(messages[: lead(messages)]))


def store_system(raw: bytes, parts: Sequence[SystemPromptPart]) -> bytes:
    """The body with another system prompt."""
    body = read(raw)
    old = dump.dump_messages(join_system(load_system(body)))
    new = dump.dump_messages(join_system(parts))
    return store_elements(raw, ("messages",), old, new, present=json_objects(body.get("messages")) is not None)


def load_tools(body: Json) -> list[ToolDefinition]:
    """``tools``."""
    return tools.load_tools(json_objects(body.get("tools")) or [])


def store_tools(raw: bytes, definitions: Sequence[ToolDefinition]) -> bytes:
    """The body with other ``tools``."""
    body = read(raw)
    old, new = tools.dump_tools(load_tools(body)), tools.dump_tools(definitions)
    return store_elements(raw, ("tools",), old, new, present=json_objects(body.get("tools")) is not None)
