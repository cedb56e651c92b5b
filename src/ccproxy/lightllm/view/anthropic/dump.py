"""Write ``messages`` of the Messages API; the counterpart of ``load.py``."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from ccproxy.lightllm.view.anthropic.load import REDACTED
from ccproxy.lightllm.view.carry import Json, ViewError, bare, block, extra, refuse


def dump_messages(messages: Iterable[ModelMessage]) -> list[Json]:
    """The messages; a request that mixes system and user parts becomes several."""
    return [wire for message in messages for wire in _message(message)]


def dump_system_blocks(parts: Iterable[SystemPromptPart]) -> list[Json]:
    """The blocks of a system prompt."""
    return [block(part.metadata) or {"type": "text", "text": part.content, **extra(part.metadata)} for part in parts]


def _message(message: ModelMessage) -> Iterator[Json]:
    if (whole := block(message.metadata)) is not None:
        yield whole
        return
    left = extra(message.metadata)
    if isinstance(message, ModelResponse):
        blocks = [_response_block(part) for part in message.parts]
        yield {"role": "assistant", "content": _content(blocks, bare(message.metadata)), **left}
        return
    for is_system, parts in groupby(message.parts, lambda part: isinstance(part, SystemPromptPart)):
        if is_system:
            blocks = dump_system_blocks(part for part in parts if isinstance(part, SystemPromptPart))
            yield {"role": "system", "content": _content(blocks, bare(message.metadata)), **left}
        else:
            yield {"role": "user", "content": _user_content(list(parts)), **left}
        left = {}


def _content(blocks: list[Json], as_text: bool) -> object:
    """A string again, if it was one and still can be."""
    if as_text and len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks


def _user_content(parts: Sequence[ModelRequestPart]) -> object:
    if len(parts) == 1 and isinstance(parts[0], UserPromptPart) and isinstance(parts[0].content, str):
        return parts[0].content
    blocks: list[Json] = []
    for part in parts:
        match part:
            case UserPromptPart(content=str() as text):
                blocks.append({"type": "text", "text": text})
            case UserPromptPart(content=content):
                for item in content:
                    if isinstance(item, CachePoint):
                        _mark(blocks, item)
                    else:
                        blocks.append(content_block(item))
            case ToolReturnPart():
                blocks.append(_tool_result(part))
            case _:
                raise refuse(part, "anthropic")
    return blocks


def _mark(blocks: list[Json], point: CachePoint) -> None:
    if not blocks:
        raise ViewError("a CachePoint marks the content before it; here there is none")
    ttl: Json = {} if point.ttl == "5m" else {"ttl": point.ttl}
    blocks[-1] = {**blocks[-1], "cache_control": {"type": "ephemeral", **ttl}}


def content_block(item: object) -> Json:
    """One content block."""
    match item:
        case str():
            return {"type": "text", "text": item}
        case TextContent():
            return block(item.metadata) or {"type": "text", "text": item.content, **extra(item.metadata)}
        case BinaryContent():
            data = base64.b64encode(item.data).decode()
            source: Json = {"type": "base64", "media_type": item.media_type, "data": data}
            kind = "image" if item.is_image else "document"
            return {"type": kind, "source": source, **extra(item.vendor_metadata)}
        case ImageUrl() | DocumentUrl():
            kind = "image" if isinstance(item, ImageUrl) else "document"
            return {"type": kind, "source": {"type": "url", "url": item.url}, **extra(item.vendor_metadata)}
        case _:
            raise refuse(item, "anthropic")


def _tool_result(part: ToolReturnPart) -> Json:
    left = extra(part.metadata)
    if part.outcome in ("failed", "denied", "interrupted"):
        left = {**left, "is_error": True}
    content: object
    match part.content:
        case None:
            return {"type": "tool_result", "tool_use_id": part.tool_call_id, **left}
        case str():
            content = part.content
        case list() as items:
            content = [item if isinstance(item, dict) else content_block(item) for item in items]
        case _:
            content = part.model_response_str()
    return {"type": "tool_result", "tool_use_id": part.tool_call_id, "content": content, **left}


def _response_block(part: ModelResponsePart) -> Json:
    match part:
        case TextPart():
            return block(part.provider_details) or {
                "type": "text",
                "text": part.content,
                **extra(part.provider_details),
            }
        case ThinkingPart(id=str() as kind) if kind == REDACTED:
            return {"type": REDACTED, "data": part.signature, **extra(part.provider_details)}
        case ThinkingPart():
            signature: Json = {"signature": part.signature} if part.signature is not None else {}
            return {"type": "thinking", "thinking": part.content, **signature, **extra(part.provider_details)}
        case ToolCallPart():
            return {
                "type": "tool_use",
                "id": part.tool_call_id,
                "name": part.tool_name,
                "input": arguments(part),
                **extra(part.provider_details),
            }
        case _:
            raise refuse(part, "anthropic")


def arguments(part: ToolCallPart) -> object:
    """The arguments as an object."""
    if not isinstance(part.args, str):
        return part.args or {}
    try:
        return json.loads(part.args or "{}")
    except ValueError:
        raise ViewError(f"the arguments of the call of {part.tool_name!r} are no JSON") from None
