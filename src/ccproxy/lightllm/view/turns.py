"""System prompts that are messages: from messages to the parts of a system prompt, and back (OpenAI's two formats)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby, takewhile

from pydantic_ai.messages import ModelMessage, ModelRequest, SystemPromptPart

from ccproxy.lightllm.view.carry import KEY, Json, carried, json_objects, rest

_MESSAGE = "message"


def lead(messages: Sequence[Json]) -> int:
    """How many messages at the beginning are a system prompt that can be read."""
    return sum(1 for _ in takewhile(_is_system, messages))


def _is_system(message: Json) -> bool:
    content = message.get("content")
    return message.get("role") in ("system", "developer") and (isinstance(content, str) or bool(json_objects(content)))


def split_system(messages: Iterable[ModelMessage]) -> list[SystemPromptPart]:
    """The parts of messages that are system prompts; each remembers its message."""
    return [
        _with(part, {**carried(part.metadata), _MESSAGE: {"number": number, "metadata": message.metadata}})
        for number, message in enumerate(messages)
        for part in message.parts
        if isinstance(part, SystemPromptPart)
    ]


def join_system(parts: Iterable[SystemPromptPart]) -> list[ModelMessage]:
    """The messages again; a part that a hook made is a message of its own."""
    out: list[ModelMessage] = []
    for message, together in groupby(parts, lambda part: carried(part.metadata).get(_MESSAGE)):
        members = [_with(part, rest(carried(part.metadata), _MESSAGE)) for part in together]
        if isinstance(message, dict):
            out.append(ModelRequest(members, metadata=message["metadata"]))
        else:
            out += [ModelRequest([part]) for part in members]
    return out


def was_message(part: SystemPromptPart) -> bool:
    """Whether the part was read from a message."""
    return _MESSAGE in carried(part.metadata)


def _with(part: SystemPromptPart, found: Json) -> SystemPromptPart:
    return replace(part, metadata={KEY: found} if found else None)
