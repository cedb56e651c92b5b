"""Write ``contents`` of the Gemini API; the counterpart of ``load.py``."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from pydantic_ai.messages import (
    AudioUrl,
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
    VideoUrl,
)

from ccproxy.lightllm.view.carry import Json, block, extra, json_object, refuse, rest
from ccproxy.lightllm.view.google.load import CALL_ID


def dump_messages(messages: Iterable[ModelMessage]) -> list[Json]:
    """One content for each message."""
    return [_content(message) for message in messages]


def dump_system_parts(parts: Iterable[SystemPromptPart]) -> list[Json]:
    """The parts of ``systemInstruction``."""
    return [block(part.metadata) or {"text": part.content, **extra(part.metadata)} for part in parts]


def _content(message: ModelMessage) -> Json:
    if (whole := block(message.metadata)) is not None:
        return whole
    left = extra(message.metadata)
    if isinstance(message, ModelResponse):
        return {"role": "model", "parts": [_response_part(part) for part in message.parts], **left}
    parts = [wire for part in message.parts for wire in _request_part(part)]
    return {"role": "user", "parts": parts, **left}


def _request_part(part: ModelRequestPart) -> Iterator[Json]:
    match part:
        case UserPromptPart(content=str() as text):
            yield {"text": text}
        case UserPromptPart(content=content):
            # Gemini caches by itself; there is no mark to write.
            yield from (_user_part(item) for item in content if not isinstance(item, CachePoint))
        case ToolReturnPart():
            left = extra(part.metadata)
            name: Json = {} if part.tool_call_id.startswith(CALL_ID) else {"id": part.tool_call_id}
            result = part.content if isinstance(part.content, dict) else part.model_response_object()
            more = json_object(left.get("functionResponse"))
            yield {
                "functionResponse": {**name, "name": part.tool_name, "response": result, **more},
                **rest(left, "functionResponse"),
            }
        case _:  # a system prompt has its place in systemInstruction alone
            raise refuse(part, "google")


def _user_part(item: object) -> Json:
    match item:
        case str():
            return {"text": item}
        case TextContent():
            return block(item.metadata) or {"text": item.content, **extra(item.metadata)}
        case BinaryContent():
            data = base64.b64encode(item.data).decode()
            return {"inlineData": {"mimeType": item.media_type, "data": data}, **extra(item.vendor_metadata)}
        case ImageUrl() | AudioUrl() | VideoUrl() | DocumentUrl():
            return {"fileData": {"mimeType": item.media_type, "fileUri": item.url}, **extra(item.vendor_metadata)}
        case _:
            raise refuse(item, "google")


def _response_part(part: ModelResponsePart) -> Json:
    match part:
        case TextPart():
            return block(part.provider_details) or {"text": part.content, **extra(part.provider_details)}
        case ThinkingPart():
            signature: Json = {"thoughtSignature": part.signature} if part.signature is not None else {}
            return {"text": part.content, "thought": True, **signature, **extra(part.provider_details)}
        case ToolCallPart():
            left = extra(part.provider_details)
            name: Json = {} if part.tool_call_id.startswith(CALL_ID) else {"id": part.tool_call_id}
            arguments: Json = {} if part.args is None else {"args": part.args_as_dict()}
            more = json_object(left.get("functionCall"))
            return {"functionCall": {**name, "name": part.tool_name, **arguments, **more}, **rest(left, "functionCall")}
        case _:
            raise refuse(part, "google")
