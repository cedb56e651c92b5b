"""Read ``messages`` of a chat completion (OpenAI API reference, "Create chat completion", ``messages``)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import (
    ImageUrl,
    ModelMessage,
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
    binary_of_url,
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

THINKING = ("reasoning_content", "reasoning")
"""The keys in which compatible providers send thinking: DeepSeek and most, OpenRouter."""


def load_messages(messages: Sequence[Json]) -> list[ModelMessage]:
    """One message for each, in order."""
    tool_names: dict[str, str] = {}
    return [load_message(message, tool_names) for message in messages]


def load_message(message: Json, tool_names: dict[str, str]) -> ModelMessage:
    """One message. ``tool_names`` remembers what the calls of earlier messages named."""
    role, content = message.get("role"), message.get("content")
    if role == "assistant":
        return _assistant(message, tool_names)
    blocks = json_objects(content)
    if not isinstance(content, str) and blocks is None:
        return unknown_message(message)
    match role:
        case "system" | "developer":
            parts = [_system(content)] if isinstance(content, str) else [_system_block(block) for block in blocks or ()]
            return request(parts, message, "content", bare=isinstance(content, str))
        case "user":
            said = content if isinstance(content, str) else [_user_content(block) for block in blocks or ()]
            return request([UserPromptPart(said, timestamp=READ_AT)], message, "role", "content")
        case "tool":
            return _tool_message(message, content if isinstance(content, str) else blocks, tool_names)
        case _:
            return unknown_message(message)


def _system(text: str, wire: Json | None = None) -> SystemPromptPart:
    return SystemPromptPart(text, timestamp=READ_AT, metadata=carry(extra=wire))


def _system_block(block: Json) -> SystemPromptPart:
    match block:
        case {"type": "text", "text": str() as text}:
            return _system(text, rest(block, "type", "text"))
        case _:
            return SystemPromptPart("", timestamp=READ_AT, metadata=carry(block=block))


def _tool_message(message: Json, content: str | list[Json] | None, tool_names: dict[str, str]) -> ModelMessage:
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str):
        return unknown_message(message)
    if isinstance(content, list):
        said = [_user_content(block) for block in content]
        result: object = [
            item if not isinstance(item, TextContent) else block for item, block in zip(said, content, strict=True)
        ]
    else:
        result = content
    part = ToolReturnPart(tool_names.get(call_id, ""), result, call_id, timestamp=READ_AT)
    return request([part], message, "role", "content", "tool_call_id")


def _user_content(block: Json) -> UserContent:
    match block:
        case {"type": "text", "text": str() as text}:
            left = carry(extra=rest(block, "type", "text"))
            return TextContent(text, metadata=left) if left else text
        case {"type": "image_url", "image_url": {"url": str() as url, **more}} if more.keys() <= {"detail"}:
            detail: Json = {str(key): value for key, value in more.items()}
            metadata = {**detail, **(carry(extra=rest(block, "type", "image_url")) or {})} or None
            return binary_of_url(url, metadata) or ImageUrl(url, vendor_metadata=metadata)
        case {"type": "input_audio", "input_audio": {"data": str() as data, "format": str() as form, **more}} if (
            not more
        ):
            left = carry(extra=rest(block, "type", "input_audio"))
            return binary(data, f"audio/{form}", left) or unknown_content(block)
        case _:
            return unknown_content(block)


def _assistant(message: Json, tool_names: dict[str, str]) -> ModelMessage:
    parts: list[ModelResponsePart] = []
    known = ["role"]
    for key in THINKING:
        if isinstance(text := message.get(key), str) and text:
            parts.append(ThinkingPart(text, id=key, provider_name="openai"))
            known.append(key)
            break
    content = message.get("content")
    if isinstance(content, str):
        known.append("content")
        parts.append(TextPart(content))
    elif (blocks := json_objects(content)) is not None:
        known.append("content")
        parts += [_text_part(block) for block in blocks]
    if (calls := json_objects(message.get("tool_calls"))) is not None:
        known.append("tool_calls")
        parts += [_tool_call(call, tool_names) for call in calls]
    return response(parts, message, *known, bare=isinstance(content, str))


def _text_part(block: Json) -> TextPart:
    match block:
        case {"type": "text", "text": str() as text}:
            return TextPart(text, provider_details=carry(extra=rest(block, "type", "text")))
        case _:
            return unknown_part(block)


def _tool_call(call: Json, tool_names: dict[str, str]) -> ToolCallPart:
    match call:
        case {
            "id": str() as call_id,
            "type": "function",
            "function": {"name": str() as name, "arguments": str() as text},
        }:
            tool_names[call_id] = name
            function = rest(json_object(call["function"]), "name", "arguments")
            left = rest(call, "id", "type", "function") | ({"function": function} if function else {})
            return ToolCallPart(name, text, call_id, provider_details=carry(extra=left))
        case _:
            name = str(call.get("type"))
            return ToolCallPart(name, None, str(call.get("id")), provider_details=carry(block=call))
