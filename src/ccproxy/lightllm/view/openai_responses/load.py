"""Read ``input`` of the Responses API (OpenAI API reference, "Create a model response", ``input``).

Each item is one message: a reasoning item, a call and a text of the same turn are three responses in a row.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import (
    ImageUrl,
    ModelMessage,
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
    binary_of_url,
    carry,
    json_objects,
    request,
    response,
    rest,
    unknown_content,
    unknown_message,
    unknown_part,
)

_OF_CLIENT = frozenset({"additional_tools", "item_reference", "mcp_approval_response", "compaction_trigger"})
"""Types of items, beside the outputs of calls, that are not the model's."""


def load_messages(items: Sequence[Json]) -> list[ModelMessage]:
    """One message for each, in order."""
    tool_names: dict[str, str] = {}
    return [load_item(item, tool_names) for item in items]


def load_item(item: Json, tool_names: dict[str, str]) -> ModelMessage:
    """One item. ``tool_names`` remembers what the calls of earlier items named."""
    match item:
        case {"type": "function_call", "call_id": str() as call_id, "name": str() as name, "arguments": str() as text}:
            tool_names[call_id] = name
            return response([ToolCallPart(name, text, call_id)], item, "type", "call_id", "name", "arguments")
        case {"type": "function_call_output", "call_id": str() as call_id, "output": output}:
            part = _tool_return(call_id, output, tool_names)
            return request([part], item, "type", "call_id", "output")
        case {"type": "reasoning"}:
            return _reasoning(item)
        case {"role": str()} if item.get("type", "message") == "message":
            return _message(item)
        case _:
            kind = str(item.get("type"))
            return unknown_message(item, by_model=kind not in _OF_CLIENT and not kind.endswith("_output"))


def _message(item: Json) -> ModelMessage:
    content = item.get("content")
    blocks = json_objects(content)
    bare = isinstance(content, str)
    if not bare and blocks is None:
        return unknown_message(item)
    match item["role"]:
        case "assistant":
            parts = [TextPart(content)] if isinstance(content, str) else [_text_part(block) for block in blocks or ()]
            return response(parts, item, "role", "content", bare=bare)
        case "system" | "developer":
            system = (
                [_system(content)] if isinstance(content, str) else [_system_block(block) for block in blocks or ()]
            )
            return request(system, item, "content", bare=bare)
        case "user":
            said = content if isinstance(content, str) else [user_content(block) for block in blocks or ()]
            return request([UserPromptPart(said, timestamp=READ_AT)], item, "role", "content")
        case _:
            return unknown_message(item)


def _reasoning(item: Json) -> ModelMessage:
    summary = json_objects(item.get("summary"))
    if summary is None or not all(set(part) == {"type", "text"} for part in summary):
        return unknown_message(item, by_model=True)
    signature, name = item.get("encrypted_content"), item.get("id")
    known = ["type", "summary"]
    known += ["encrypted_content"] if isinstance(signature, str) else []
    known += ["id"] if isinstance(name, str) else []
    part = ThinkingPart(
        "\n\n".join(str(part["text"]) for part in summary),
        id=name if isinstance(name, str) else None,
        signature=signature if isinstance(signature, str) else None,
        provider_name="openai",
        provider_details=carry(group={"summary": summary}),
    )
    return response([part], item, *known)


def _tool_return(call_id: str, output: object, tool_names: dict[str, str]) -> ToolReturnPart:
    blocks = json_objects(output)
    result = output
    if blocks is not None:
        said = [user_content(block) for block in blocks]
        result = [block if isinstance(item, TextContent) else item for item, block in zip(said, blocks, strict=True)]
    return ToolReturnPart(tool_names.get(call_id, ""), result, call_id, timestamp=READ_AT)


def user_content(block: Json) -> UserContent:
    """One part of a user's message."""
    match block:
        case {"type": "input_text", "text": str() as text}:
            left = carry(extra=rest(block, "type", "text"))
            return TextContent(text, metadata=left) if left else text
        case {"type": "input_image", "image_url": str() as url}:
            left = rest(block, "type", "image_url", "detail")
            detail: Json = {"detail": block["detail"]} if "detail" in block else {}
            metadata = {**detail, **(carry(extra=left) or {})} or None
            return binary_of_url(url, metadata) or ImageUrl(url, vendor_metadata=metadata)
        case _:
            return unknown_content(block)


def _system(text: str, left: Json | None = None) -> SystemPromptPart:
    return SystemPromptPart(text, timestamp=READ_AT, metadata=carry(extra=left))


def _system_block(block: Json) -> SystemPromptPart:
    match block:
        case {"type": "input_text", "text": str() as text}:
            return _system(text, rest(block, "type", "text"))
        case _:
            return SystemPromptPart("", timestamp=READ_AT, metadata=carry(block=block))


def _text_part(block: Json) -> TextPart:
    match block:
        case {"type": "output_text", "text": str() as text}:
            return TextPart(text, provider_details=carry(extra=rest(block, "type", "text")))
        case _:
            return unknown_part(block)
