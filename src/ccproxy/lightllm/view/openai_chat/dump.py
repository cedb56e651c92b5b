"""Write ``messages`` of a chat completion; the counterpart of ``load.py``."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
    ImageUrl,
    ModelMessage,
    ModelResponse,
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
    json_object,
    refuse,
    rest,
    url_of_binary,
)
from ccproxy.lightllm.view.openai_chat.load import THINKING


def dump_messages(messages: Iterable[ModelMessage]) -> list[Json]:
    """The messages; a request that mixes system, user and tool parts becomes several."""
    return [wire for message in messages for wire in dump_message(message)]


def dump_message(message: ModelMessage) -> Iterator[Json]:
    """The messages that one message becomes."""
    if (whole := block(message.metadata)) is not None:
        yield whole
        return
    left = extra(message.metadata)
    if isinstance(message, ModelResponse):
        yield {**_assistant(message), **left}
        return
    for kind, parts in groupby(message.parts, type):
        if issubclass(kind, SystemPromptPart):
            blocks = [_system_block(part) for part in parts if isinstance(part, SystemPromptPart)]
            # The role of what was read is in `left`: it may be "developer".
            yield {"role": "system", "content": _content(blocks, bare(message.metadata) or not left), **left}
            left = {}
            continue
        for part in parts:
            match part:
                case UserPromptPart(content=str() as text):
                    yield {"role": "user", "content": text, **left}
                case UserPromptPart(content=content):
                    yield {"role": "user", "content": _blocks(content), **left}
                case ToolReturnPart():
                    yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": _result(part), **left}
                case _:
                    raise refuse(part, "openai")
            left = {}


def _content(blocks: Sequence[Json], as_text: bool) -> object:
    if as_text and len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return list(blocks)


def _system_block(part: SystemPromptPart) -> Json:
    return block(part.metadata) or {"type": "text", "text": part.content, **extra(part.metadata)}


def _blocks(content: Iterable[object]) -> list[Json]:
    # OpenAI caches by itself; there is no mark to write.
    return [_content_block(item) for item in content if not isinstance(item, CachePoint)]


def _content_block(item: object) -> Json:
    match item:
        case str():
            return {"type": "text", "text": item}
        case TextContent():
            return block(item.metadata) or {"type": "text", "text": item.content, **extra(item.metadata)}
        case BinaryContent() if item.media_type.startswith("audio/"):
            audio = {"data": base64.b64encode(item.data).decode(), "format": item.media_type.removeprefix("audio/")}
            return {"type": "input_audio", "input_audio": audio, **extra(item.vendor_metadata)}
        case ImageUrl():
            return _image(item.url, item.vendor_metadata)
        case BinaryContent() if item.is_image:
            return _image(url_of_binary(item), item.vendor_metadata)
        case _:
            raise refuse(item, "openai")


def _image(url: str, metadata: object) -> Json:
    detail = {name: value for name, value in json_object(metadata).items() if name == "detail"}
    return {"type": "image_url", "image_url": {"url": url, **detail}, **extra(metadata)}


def _result(part: ToolReturnPart) -> object:
    match part.content:
        case str():
            return part.content
        case list() as items:
            return [item if isinstance(item, dict) else _content_block(item) for item in items]
        case _:
            return part.model_response_str()


def _assistant(message: ModelResponse) -> Json:
    out: Json = {"role": "assistant"}
    said: list[Json] = []
    calls: list[Json] = []
    for part in message.parts:
        match part:
            case ThinkingPart():
                key = part.id if part.id in THINKING else THINKING[0]
                before = out.get(key)
                out[key] = f"{before}\n{part.content}" if before else part.content
            case TextPart():
                text: Json = {"type": "text", "text": part.content, **extra(part.provider_details)}
                said.append(block(part.provider_details) or text)
            case ToolCallPart():
                calls.append(_tool_call(part))
            case _:
                raise refuse(part, "openai")
    if said or not message.metadata:
        out["content"] = _content(said, bare(message.metadata) or not message.metadata) if said else None
    if calls:
        out["tool_calls"] = calls
    return out


def _tool_call(part: ToolCallPart) -> Json:
    if (whole := block(part.provider_details)) is not None:
        return whole
    left = extra(part.provider_details)
    function = {"name": part.tool_name, "arguments": arguments_text(part), **json_object(left.get("function"))}
    return {"id": part.tool_call_id, "type": "function", "function": function, **rest(left, "function")}
