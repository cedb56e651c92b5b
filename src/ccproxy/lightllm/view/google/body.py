"""Where the view's parts are in a request of the Gemini API; Code Assist (``v1internal``) wraps it in ``request``."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage, SystemPromptPart
from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.json_edit import Path
from ccproxy.lightllm.view.carry import Json, json_object, json_objects
from ccproxy.lightllm.view.google import dump, load, tools
from ccproxy.lightllm.view.store import read, store_elements, store_value

_SYSTEM = ("systemInstruction", "system_instruction")


def load_messages(body: Json) -> list[ModelMessage]:
    """``contents``."""
    return load.load_messages(json_objects(_open(body)[1].get("contents")) or [])


def store_messages(raw: bytes, messages: Sequence[ModelMessage]) -> bytes:
    """The body with other ``contents``."""
    body = read(raw)
    path, inner = _open(body)
    old, new = dump.dump_messages(load_messages(body)), dump.dump_messages(messages)
    return store_elements(raw, (*path, "contents"), old, new, present=json_objects(inner.get("contents")) is not None)


def load_system(body: Json) -> list[SystemPromptPart]:
    """The parts of ``systemInstruction``."""
    _, inner = _open(body)
    return load.load_system_parts(json_objects(json_object(inner.get(_system_key(inner))).get("parts")) or [])


def store_system(raw: bytes, parts: Sequence[SystemPromptPart]) -> bytes:
    """The body with another ``systemInstruction``."""
    body = read(raw)
    path, inner = _open(body)
    key = _system_key(inner)
    old, new = dump.dump_system_parts(load_system(body)), dump.dump_system_parts(parts)
    if not old or not new:
        return store_value(raw, (*path, key), {"parts": old} if old else None, {"parts": new} if new else None)
    return store_elements(raw, (*path, key, "parts"), old, new)


def load_tools(body: Json) -> list[ToolDefinition]:
    """The declarations and built-in tools of ``tools``."""
    return tools.load_tools(json_objects(_open(body)[1].get("tools")) or [])


def store_tools(raw: bytes, definitions: Sequence[ToolDefinition]) -> bytes:
    """The body with other ``tools``."""
    body = read(raw)
    path, inner = _open(body)
    old, new = tools.dump_tools(load_tools(body)), tools.dump_tools(definitions)
    return store_elements(raw, (*path, "tools"), old, new, present=json_objects(inner.get("tools")) is not None)


def _open(body: Json) -> tuple[Path, Json]:
    inner = body.get("request")
    return (("request",), inner) if isinstance(inner, dict) and "contents" not in body else ((), body)


def _system_key(inner: Json) -> str:
    return next((key for key in _SYSTEM if key in inner), _SYSTEM[0])
