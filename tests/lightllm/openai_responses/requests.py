"""Requests as the provider is sent them, held to the SDK's types."""

from __future__ import annotations

from typing import Any

import pydantic
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from ccproxy.lightllm.flavour import flavour_of
from ccproxy.lightllm.openai_responses.request_writer import write
from ccproxy.lightllm.prompt import CustomTool, Prompt, Text, Tool, Turn

OPENAI = flavour_of("openai_responses", "api.openai.com")
CHATGPT = flavour_of("openai_responses", "chatgpt.com")
PARAMS: pydantic.TypeAdapter[object] = pydantic.TypeAdapter(ResponseCreateParamsNonStreaming)
HI = Turn("user", (Text("hi"),))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRICT = {**SCHEMA, "additionalProperties": False}
LS = Tool("ls", "list", SCHEMA)
SQL = CustomTool("sql", "query", {"type": "text"})


def body(prompt: Prompt, flavour: Any = OPENAI) -> dict[str, Any]:
    """What is sent, valid by the SDK's types."""
    written = write(prompt, flavour)
    items = written["input"]
    assert isinstance(items, list)
    checked = {key: value for key, value in written.items() if key != "stream"}  # which is of an overload
    PARAMS.validate_python({**checked, "input": [_identified(item) for item in items]})
    return written


def _identified(item: dict[str, Any]) -> dict[str, Any]:
    """The types want an id of what the assistant said; the service takes it without, as Codex sends it."""
    return {"id": "msg_1", "status": "completed", **item} if item.get("role") == "assistant" else item


def sent(*turns: Turn, **more: Any) -> dict[str, Any]:
    """The same of some settings, without what is always there."""
    prompt = Prompt(more.pop("model", "gpt-5.4"), turns or (HI,), **more)
    return {
        key: value for key, value in body(prompt).items() if turns or key not in ("model", "input", "store", "include")
    }


def said(role: str, *content: object) -> dict[str, object]:
    return {"type": "message", "role": role, "content": list(content)}


def given(text: str) -> dict[str, object]:
    return {"type": "input_text", "text": text}


def told(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": []}
