"""Write ``input`` of the Responses API; the counterpart of ``load.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
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

from ccproxy.lightllm.view.carry import (
    Json,
    arguments_text,
    bare,
    block,
    extra,
    group,
    json_object,
    refuse,
    url_of_binary,
)


def dump_messages(messages: Iterable[ModelMessage]) -> list[Json]:
    """The items; a message of several kinds of parts becomes several."""
    return [item for message in messages for item in dump_message(message)]


def dump_message(message: ModelMessage) -> Iterator[Json]:
    """The items that one message becomes."""
    if (whole := block(message.metadata)) is not None:
        yield whole
        return
    left = extra(message.metadata)
    as_text = bare(message.metadata) or not message.metadata
    if isinstance(message, ModelResponse):
        if not message.parts:
            yield {"role": "assistant", "content": [], **left}
        for is_text, parts in groupby(message.parts, lambda part: isinstance(part, TextPart)):
            if is_text:
                blocks = [_output_text(part) for part in parts if isinstance(part, TextPart)]
                yield {"role": "assistant", "content": _content(blocks, as_text), **left}
                left = {}
                continue
            for part in parts:
                yield {**_model_item(part), **left}
                left = {}
        return
    for is_system, requested in groupby(message.parts, lambda part: isinstance(part, SystemPromptPart)):
        if is_system:
            blocks = [_system_block(part) for part in requested if isinstance(part, SystemPromptPart)]
            yield {"role": "developer", "content": _content(blocks, as_text), **left}
            left = {}
            continue
        for asked in requested:
            yield {**_client_item(asked), **left}
            left = {}


def _content(blocks: Sequence[Json], as_text: bool) -> object:
    """A string again, if it was one (or nothing at all) and still can be."""
    if as_text and len(blocks) == 1 and not blocks[0].keys() - {"type", "text", "annotations"}:
        return blocks[0]["text"]
    return list(blocks)


def _system_block(part: SystemPromptPart) -> Json:
    return block(part.metadata) or {"type": "input_text", "text": part.content, **extra(part.metadata)}


def _output_text(part: TextPart) -> Json:
    return block(part.provider_details) or {
        "type": "output_text",
        "text": part.content,
        **({"annotations": []} if not part.provider_details else {}),
        **extra(part.provider_details),
    }


def _model_item(part: ModelResponsePart) -> Json:
    match part:
        case ThinkingPart():
            summary = json_object(group(part.provider_details)).get("summary")
            known = summary if isinstance(summary, list) else []
            if "\n\n".join(str(json_object(item).get("text")) for item in known) != part.content:
                known = [{"type": "summary_text", "text": part.content}]
            name: Json = {"id": part.id} if part.id is not None else {}
            signature: Json = {"encrypted_content": part.signature} if part.signature is not None else {}
            return {"type": "reasoning", **name, "summary": known, **signature}
        case ToolCallPart():
            return {
                "type": "function_call",
                "call_id": part.tool_call_id,
                "name": part.tool_name,
                "arguments": arguments_text(part),
            }
        case _:
            raise refuse(part, "openai_responses")


def _client_item(part: ModelRequestPart) -> Json:
    match part:
        case UserPromptPart(content=str() as text):
            return {"role": "user", "content": text}
        case UserPromptPart(content=content):
            return {
                "role": "user",
                "content": [content_block(item) for item in content if not isinstance(item, CachePoint)],
            }
        case ToolReturnPart():
            return {"type": "function_call_output", "call_id": part.tool_call_id, "output": _result(part)}
        case _:
            raise refuse(part, "openai_responses")


def content_block(item: object) -> Json:
    """One part of a user's message."""
    match item:
        case str():
            return {"type": "input_text", "text": item}
        case TextContent():
            return block(item.metadata) or {"type": "input_text", "text": item.content, **extra(item.metadata)}
        case ImageUrl():
            return _image(item.url, item.vendor_metadata)
        case BinaryContent() if item.is_image:
            return _image(url_of_binary(item), item.vendor_metadata)
        case _:
            raise refuse(item, "openai_responses")


def _image(url: str, metadata: object) -> Json:
    detail = {name: value for name, value in json_object(metadata).items() if name == "detail"}
    return {"type": "input_image", "image_url": url, **detail, **extra(metadata)}


def _result(part: ToolReturnPart) -> object:
    match part.content:
        case str():
            return part.content
        case list() as items:
            return [item if isinstance(item, dict) else content_block(item) for item in items]
        case _:
            return part.model_response_str()
