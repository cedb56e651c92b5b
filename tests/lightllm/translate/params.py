"""Whether a provider would take a request: by the SDK's types of what may be sent, with no key beside them.

The SDKs' types are TypedDicts, which say at run time what is required and allowed. Pydantic reads them; told to forbid
other keys, it finds at any depth what another dialect left behind.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, is_typeddict

import anthropic.types
import openai.types.chat
import openai.types.responses
import openai.types.shared_params
import pydantic
from google.genai import types as google_types
from pydantic import TypeAdapter

from ccproxy.lightllm.dialect import Dialect

COMPATIBLE = {
    Dialect.ANTHROPIC: {"stream"},
    Dialect.OPENAI: {"stream"},
    Dialect.OPENAI_RESPONSES: {"stream"},
    Dialect.GOOGLE: set[str](),
}
"""Keys that the types have elsewhere: ``stream`` is of two overloads."""

GOOGLE = {
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "serviceTier",
    "store",
}
"""Gemini API reference, ``models.generateContent``, "Request body": the SDK has no type of it as a whole."""


def refused(dialect: Dialect, body: Mapping[str, Any]) -> list[str]:
    """What a provider would refuse, in words."""
    if dialect is Dialect.GOOGLE:
        return list(_refused_by_google(body))
    given = {key: value for key, value in body.items() if key not in COMPATIBLE[dialect]}
    if isinstance(given.get("input"), list):
        given["input"] = [_item(item) for item in given["input"]]
    return list(_wrong(_adapter(dialect), given))


def _item(item: dict[str, Any]) -> dict[str, Any]:
    """What the service takes, and Codex sends, though the types do not have it: the assistant's messages without an id,
    and recordings, whose type no union has."""
    if item.get("type") != "message":
        return item
    if item["role"] == "assistant":
        return {"id": "msg_1", "status": "completed", **item}
    return {**item, "content": [part for part in item["content"] if part["type"] != "input_audio"]}


def _refused_by_google(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{key}: unknown" for key in body if key not in GOOGLE)
    models: list[tuple[str, Any]] = [
        ("contents", list[google_types.Content]),
        ("systemInstruction", google_types.Content),
        ("tools", list[google_types.Tool]),
        ("toolConfig", google_types.ToolConfig),
        ("generationConfig", google_types.GenerationConfig),
    ]
    for key, model in models:
        if key in body:
            yield from (f"{key}.{wrong}" for wrong in _wrong(TypeAdapter(model), body[key]))


@functools.cache
def _adapter(dialect: Dialect) -> TypeAdapter[Any]:
    match dialect:
        case Dialect.ANTHROPIC:
            _forbid(anthropic.types)
            return TypeAdapter(anthropic.types.message_create_params.MessageCreateParamsBase)
        case Dialect.OPENAI:
            _forbid(openai.types.chat)
            _forbid(openai.types.shared_params)
            return TypeAdapter(openai.types.chat.completion_create_params.CompletionCreateParamsBase)
        case _:
            _forbid(openai.types.responses)
            _forbid(openai.types.shared_params)
            return TypeAdapter(openai.types.responses.response_create_params.ResponseCreateParamsBase)


def _forbid(package: ModuleType) -> None:
    """Let pydantic, which nothing else reads these types with, refuse other keys."""
    for module in [package, *(each for each in vars(package).values() if isinstance(each, ModuleType))]:
        for found in vars(module).values():
            if is_typeddict(found):
                found.__pydantic_config__ = pydantic.ConfigDict(extra="forbid")


def _wrong(adapter: TypeAdapter[Any], value: object) -> Iterator[str]:
    try:
        _exhaust(adapter.validate_python(value))
    except pydantic.ValidationError as error:
        for each in error.errors(include_url=False, include_context=False)[:20]:
            yield f"{'.'.join(map(str, each['loc']))}: {each['msg']} ({str(each['input'])[:100]})"


def _exhaust(value: object) -> None:
    """Go through what was only looked at so far: pydantic reads an Iterable as it is read."""
    if isinstance(value, Mapping):
        for each in value.values():
            _exhaust(each)
    elif isinstance(value, Iterator | list | tuple):
        for each in value:
            _exhaust(each)
