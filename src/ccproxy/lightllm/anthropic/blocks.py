"""Content blocks of requests (Anthropic API reference, "Messages": ``content``), written; ``content`` reads them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Final, Literal

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.prompt import CacheMark, Call, File, Opaque, Part, Result, Text, Thought

type Block = dict[str, object]

# What a base64 text begins with, for pictures that come without a type.
_MAGIC: Final = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
_TEXTUAL: Final = frozenset({"application/json", "application/xml", "application/yaml", "application/javascript"})
PDF: Final = "application/pdf"


def write_blocks(parts: Iterable[Part]) -> list[Block]:
    """The blocks of one message."""
    return [block for part in parts if (block := _block(part)) is not None]


def text_block(text: Text) -> Block:
    """A text."""
    return _marked({"type": "text", "text": text.text}, text.cache)


def cache_control(mark: CacheMark) -> dict[str, object]:
    """The value of that key."""
    return {"type": "ephemeral"} if mark.ttl is None else {"type": "ephemeral", "ttl": mark.ttl}


def _marked(block: Block, mark: CacheMark | None) -> Block:
    if mark is not None:
        block["cache_control"] = cache_control(mark)
    return block


def _block(part: Part) -> Block | None:
    block: Block | None = None
    match part:
        case Text():
            return text_block(part)
        case Call():
            block = {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part)}
            return _marked(block, part.cache)
        case Result():
            return _marked(_result(part), part.cache)
        case File():
            return _marked(_file(part), part.cache)
        case Thought(signature=str(signature)):
            if part.redacted:
                block = {"type": "redacted_thinking", "data": signature}
            else:
                block = {"type": "thinking", "thinking": part.text, "signature": signature}
        case Opaque(Dialect.ANTHROPIC):
            block = dict(part.value)
        case _:
            pass
    return block


def _input(call: Call) -> dict[str, object]:
    if not call.arguments.strip():
        return {}
    try:
        found = json.loads(call.arguments)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{call.at}: the arguments of the call of {call.name} are no JSON") from error
    if not isinstance(found, dict):
        raise BadRequest(f"{call.at}: the arguments of the call of {call.name} are no JSON object")
    return found


def _result(result: Result) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": result.call_id}
    match result.content:
        case ():
            pass
        case (Text(text),):
            block["content"] = text
        case content:
            inner = [_inner(part) for part in content]
            block["content"] = [each for each in inner if each is not None and each.get("text") != ""]
    if result.is_error:
        block["is_error"] = True
    return block


def _inner(part: Text | File | Opaque) -> Block | None:
    """A block of a result. Marks inside are left out: the result has one."""
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case File():
            return _file(part)
        case Opaque():
            return dict(part.value) if part.dialect is Dialect.ANTHROPIC else None


def _file(file: File) -> Block:
    kind: Literal["image", "document"]
    match file.kind:
        case "image":
            kind = "image"
        case "document":
            kind = "document"
        case other:
            raise BadRequest(f"{file.at}: Anthropic's models take no {other}")
    block: Block = {"type": kind, "source": _source(file, kind)}
    if kind == "document" and file.name:
        block["title"] = file.name[:500]
    return block


def _source(file: File, kind: Literal["image", "document"]) -> Block:
    if file.url is not None:
        return {"type": "url", "url": file.url}
    if file.file_id is not None:
        return {"type": "file", "file_id": file.file_id}
    if file.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": file.text}
    data = file.data or ""
    mime = (file.mime or PDF).partition(";")[0].strip().lower()
    if kind == "image" or mime == PDF:
        mime = PDF if kind == "document" else _image_type(file.mime, data)
        return {"type": "base64", "media_type": mime, "data": data}
    if mime.startswith("text/") or mime in _TEXTUAL:
        return {"type": "text", "media_type": "text/plain", "data": _decoded(data, file.at)}
    raise BadRequest(f"{file.at}: Anthropic's models read PDF and text, not {mime}")


def _image_type(mime: str | None, data: str) -> str:
    if mime is None or not mime.startswith("image/") or mime == "image/*":
        return next((found for magic, found in _MAGIC.items() if data.startswith(magic)), "image/png")
    return "image/jpeg" if mime == "image/jpg" else mime


def _decoded(data: str, at: str) -> str:
    try:
        return base64.b64decode(data, validate=False).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{at}: this is no base64") from error
