"""Read ``messages`` of the Messages API (Anthropic API reference, "Create a Message", ``messages``)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import (
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequestPart,
    ModelResponsePart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from ccproxy.lightllm.view.carry import (
    READ_AT,
    Json,
    binary,
    carry,
    json_object,
    json_objects,
    request,
    response,
    rest,
    unknown_content,
    unknown_message,
    unknown_part,
)

REDACTED = "redacted_thinking"
"""pydantic-ai's id for thinking of which only the signature is there."""


def load_messages(messages: Sequence[Json]) -> list[ModelMessage]:
    """One message for each, in order."""
    tool_names: dict[str, str] = {}
    return [_message(message, tool_names) for message in messages]


def load_system_blocks(blocks: Sequence[Json]) -> list[SystemPromptPart]:
    """The blocks of a system prompt."""
    return [_system_block(block) for block in blocks]


def _message(message: Json, tool_names: dict[str, str]) -> ModelMessage:
    content = message.get("content")
    by_model = message.get("role") == "assistant"
    text: Json = {"type": "text", "text": content}
    blocks = [text] if isinstance(content, str) else json_objects(content)
    bare = isinstance(content, str)
    if blocks is None:
        return unknown_message(message, by_model=by_model)
    match message.get("role"):
        case "assistant":
            parts = [_response_part(block, tool_names) for block in blocks]
            return response(parts, message, "role", "content", bare=bare)
        case "system":
            return request(load_system_blocks(blocks), message, "role", "content", bare=bare)
        case "user" if isinstance(content, str):
            return request([UserPromptPart(content, timestamp=READ_AT)], message, "role", "content")
        case "user":
            return request(_request_parts(blocks, tool_names), message, "role", "content")
        case _:
            return unknown_message(message)


def _system_block(block: Json) -> SystemPromptPart:
    text = block.get("text")
    if block.get("type") != "text" or not isinstance(text, str):
        return SystemPromptPart("", timestamp=READ_AT, metadata=carry(block=block))
    return SystemPromptPart(text, timestamp=READ_AT, metadata=carry(extra=rest(block, "type", "text")))


def _request_parts(blocks: Sequence[Json], tool_names: dict[str, str]) -> list[ModelRequestPart]:
    parts: list[ModelRequestPart] = []
    said: list[UserContent] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            if said:
                parts.append(UserPromptPart(said, timestamp=READ_AT))
                said = []
            parts.append(_tool_return(block, tool_names))
        else:
            said.append(user_content(block))
    if said or not parts:
        parts.append(UserPromptPart(said, timestamp=READ_AT))
    return parts


def _tool_return(block: Json, tool_names: dict[str, str]) -> ToolReturnPart:
    call_id = str(block.get("tool_use_id"))
    content = block.get("content")
    known = ["type", "tool_use_id", "content"]
    if isinstance(block.get("is_error"), bool):
        known.append("is_error")
    # A false that is written out comes back as written.
    left = rest(block, *known) | ({"is_error": False} if block.get("is_error") is False else {})
    return ToolReturnPart(
        tool_names.get(call_id, ""),
        [_result_content(item) for item in content] if isinstance(content, list) else content,
        call_id,
        metadata=carry(extra=left),
        timestamp=READ_AT,
        outcome="failed" if block.get("is_error") is True else "success",
    )


def _result_content(item: object) -> object:
    """A part of a tool's result: what cannot be said plainly stays JSON."""
    if not isinstance(item, dict):
        return item
    content = user_content(item)
    return item if isinstance(content, TextContent) else content


def user_content(block: Json) -> UserContent:
    """One content block."""
    match block.get("type"):
        case "text" if isinstance(text := block.get("text"), str):
            left = carry(extra=rest(block, "type", "text"))
            return TextContent(text, metadata=left) if left else text
        case "image" | "document" as kind:
            return _file(block, kind) or unknown_content(block)
        case _:
            return unknown_content(block)


def _file(block: Json, kind: str) -> UserContent | None:
    source = json_object(block.get("source"))
    left = carry(extra=rest(block, "type", "source"))
    match source:
        case {"type": "base64", "media_type": str() as media_type, "data": str() as data} if len(source) == 3:
            content = binary(data, media_type, left)
            return content if content is not None and content.is_image == (kind == "image") else None
        case {"type": "url", "url": str() as url} if len(source) == 2:
            return ImageUrl(url, vendor_metadata=left) if kind == "image" else DocumentUrl(url, vendor_metadata=left)
        case _:
            return None


def _response_part(block: Json, tool_names: dict[str, str]) -> ModelResponsePart:
    match block:
        case {"type": "text", "text": str() as text}:
            return TextPart(text, provider_details=carry(extra=rest(block, "type", "text")))
        case {"type": "thinking", "thinking": str() as text}:
            signature = block.get("signature")
            left = carry(extra=rest(block, "type", "thinking", "signature"))
            return ThinkingPart(
                text,
                signature=signature if isinstance(signature, str) else None,
                provider_name="anthropic",
                provider_details=left,
            )
        case {"type": "redacted_thinking", "data": str() as data}:
            left = carry(extra=rest(block, "type", "data"))
            return ThinkingPart("", id=REDACTED, signature=data, provider_name="anthropic", provider_details=left)
        case {"type": "tool_use", "id": str() as call_id, "name": str() as name, "input": dict() as arguments}:
            tool_names[call_id] = name
            left = carry(extra=rest(block, "type", "id", "name", "input"))
            return ToolCallPart(name, arguments, call_id, provider_details=left)
        case _:
            return unknown_part(block)
