"""Whether what a writer made is valid by the models of the target's SDK, which themselves take nearly anything."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pydantic
from anthropic import types as anthropic_types
from google.genai import types as google_types
from openai.types import chat as chat_types
from openai.types import responses as responses_types

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate.wire import Events


def invalid_events(dialect: Dialect, events: Events) -> list[str]:
    """What is wrong with a stream's events; an error event is of no model."""
    return [
        f"{name or 'chunk'}: {wrong}"
        for name, event in events
        if name not in ("error", "ping", "[DONE]")
        for wrong in _wrong(_model(dialect, name), event)
        if not wrong.endswith(_CUSTOM)
    ]


_CUSTOM = "Input should be 'function' (custom)"
"""The model of a chat's delta does not know the calls of custom tools, which the service streams."""


def invalid_document(dialect: Dialect, body: Mapping[str, object]) -> list[str]:
    """What is wrong with a whole answer."""
    return list(_wrong(_WHOLE[dialect], body))


_WHOLE: dict[Dialect, type[pydantic.BaseModel]] = {
    Dialect.ANTHROPIC: anthropic_types.Message,
    Dialect.OPENAI: chat_types.ChatCompletion,
    Dialect.OPENAI_RESPONSES: responses_types.Response,
    Dialect.GOOGLE: google_types.GenerateContentResponse,
}


@functools.cache
def _named(union: Any) -> dict[str, type[pydantic.BaseModel]]:
    """The models of a union by the value of their ``type``. One of sixty that are tried in turn says nothing of use."""
    found = {}
    for model in get_args(get_args(union)[0]):
        for name in get_args(model.model_fields["type"].annotation):
            found[name] = model
    return found


def _model(dialect: Dialect, name: str) -> type[pydantic.BaseModel]:
    match dialect:
        case Dialect.ANTHROPIC:
            return _named(anthropic_types.RawMessageStreamEvent)[name]
        case Dialect.OPENAI_RESPONSES:
            return _named(responses_types.ResponseStreamEvent)[name]
        case Dialect.OPENAI:
            return chat_types.ChatCompletionChunk
        case Dialect.GOOGLE:
            return google_types.GenerateContentResponse  # which forbids keys that it does not know


def _wrong(model: type[pydantic.BaseModel], value: object) -> Iterator[str]:
    try:
        model.model_validate(value)
    except pydantic.ValidationError as error:
        for each in error.errors(include_url=False, include_context=False)[:12]:
            yield f"{'.'.join(map(str, each['loc']))}: {each['msg']} ({str(each['input'])[:100]})"
