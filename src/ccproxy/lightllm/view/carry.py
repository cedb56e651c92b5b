"""What a pydantic-ai object carries of the wire object that it was read from.

pydantic-ai has no field for a cache mark, a citation setting or a block type that is newer than itself, but all of its
objects have a dictionary that is the application's own (``metadata``, ``provider_details``, ``vendor_metadata``).
Under one key in it lies what the object cannot express, so that it comes back when the object is written, even if a
hook has moved it elsewhere:

* ``extra``: further keys of the wire object, ``{"cache_control": {"type": "ephemeral"}}``
* ``block``: the whole wire object, where there is no part for it; the part is then an empty text and is written as this
* ``bare``: content that was a string and not a list
* ``group``: parts with the same group stood in one wire object; it holds what that object has beside its parts
* ``place``: the key that a value stood under, where there are several for it
* ``message``: of a system prompt that is a message, what that message has beside its parts

A hook may read it, and may drop it to drop what is in it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextContent,
    TextPart,
    ToolCallPart,
)

from ccproxy.errors import BadRequest

type Json = dict[str, object]
type Carrier = dict[str, Any] | None

KEY: Final = "ccproxy"
READ_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of every object that is read: the wire has none, and reading twice gives the same."""


class ViewError(BadRequest):
    """A hook's object cannot be said in the dialect of the request."""


def carry(
    *,
    extra: Json | None = None,
    block: Json | None = None,
    bare: bool = False,
    group: Json | None = None,
    place: str | None = None,
) -> Carrier:
    """The dictionary to put in an object; None if there is nothing to carry."""
    found = {"extra": extra, "block": block, "bare": bare, "group": group, "place": place}
    kept = {name: value for name, value in found.items() if value}
    return {KEY: kept} if kept else None


def rest(block: Mapping[str, object], *known: str) -> Json:
    """The keys that nobody has taken."""
    return {name: value for name, value in block.items() if name not in known}


def extra(carrier: object) -> Json:
    """The further keys of the wire object."""
    return json_object(carried(carrier).get("extra"))


def block(carrier: object) -> Json | None:
    """The whole wire object."""
    return json_object(carried(carrier).get("block")) or None


def bare(carrier: object) -> bool:
    """Whether the content was a string."""
    return carried(carrier).get("bare") is True


def group(carrier: object) -> Json | None:
    """What the wire object that this was part of has beside its parts, and what tells it from others."""
    return json_object(carried(carrier).get("group")) or None


def place(carrier: object) -> str | None:
    """The key that a value stood under."""
    found = carried(carrier).get("place")
    return found if isinstance(found, str) else None


def carried(carrier: object) -> Json:
    """All that an object carries."""
    return json_object(json_object(carrier).get(KEY))


def json_object(value: object) -> Json:
    """A JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def json_objects(value: object) -> list[Json] | None:
    """A list of JSON objects, or None for anything else."""
    return value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else None


def unknown_content(wire: Json) -> TextContent:
    """Stands for a content block that has no counterpart in pydantic-ai, in a user's message."""
    return TextContent("", metadata=carry(block=wire))


def unknown_part(wire: Json) -> TextPart:
    """Stands for a block that has no counterpart in pydantic-ai, in a model's message."""
    return TextPart("", provider_details=carry(block=wire))


def request(parts: Sequence[ModelRequestPart], wire: Json, *known: str, bare: bool = False) -> ModelRequest:
    """A request that remembers the rest of its wire message."""
    return ModelRequest(list(parts), metadata=carry(extra=rest(wire, *known), bare=bare))


def response(parts: Sequence[ModelResponsePart], wire: Json, *known: str, bare: bool = False) -> ModelResponse:
    """A response that remembers the rest of its wire message."""
    return ModelResponse(list(parts), timestamp=READ_AT, metadata=carry(extra=rest(wire, *known), bare=bare))


def unknown_message(wire: Json, *, by_model: bool = False) -> ModelMessage:
    """Stands for a message that cannot be read; it is written as it was."""
    if by_model:
        return ModelResponse([], timestamp=READ_AT, metadata=carry(block=wire))
    return ModelRequest([], metadata=carry(block=wire))


def binary(data: object, media_type: object, metadata: Carrier = None) -> BinaryContent | None:
    """Content in base64, or None where writing it back would give other characters."""
    if not isinstance(data, str) or not isinstance(media_type, str):
        return None
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    if base64.b64encode(content).decode() != data:
        return None
    return BinaryContent(content, media_type=media_type, vendor_metadata=metadata)


def binary_of_url(url: str, metadata: Carrier = None) -> BinaryContent | None:
    """The content of ``data:image/png;base64,…``, or None for any other URL (RFC 2397)."""
    head, comma, data = url.partition(";base64,")
    if not comma or not head.startswith("data:") or ";" in head:
        return None
    return binary(data, head.removeprefix("data:"), metadata)


def url_of_binary(content: BinaryContent) -> str:
    """The same as a URL."""
    return f"data:{content.media_type};base64,{base64.b64encode(content.data).decode()}"


def arguments_text(part: ToolCallPart) -> str:
    """The arguments as the JSON text that they were, or are."""
    if isinstance(part.args, str):
        return part.args
    return json.dumps(part.args or {}, ensure_ascii=False, separators=(",", ":"))


def refuse(thing: object, dialect: str) -> ViewError:
    """The error for an object that has no place in a dialect."""
    return ViewError(f"a hook put a {type(thing).__name__} where the {dialect} format has no place for it")
