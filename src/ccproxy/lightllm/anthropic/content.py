"""Content blocks of requests (Anthropic API reference, "Messages": ``content``), read.

=========================  ==========================================================================================
text                       ``Text``; its citations are of use to nobody else
image, document            ``File``; a document made of blocks becomes these blocks, its ``context`` a text before it
search_result              ``Text``, with title and source in front
thinking, redacted …       ``Thought``
tool_use, tool_result      ``Call``, ``Result``
tool_reference             ``Text``: the tool is named, and is offered anyhow (see ``tools``)
compaction                 ``Text``: the summary that stands for what was before
anything else              ``Opaque``: what only Anthropic's own tools and betas know
=========================  ==========================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ccproxy.errors import BadRequest
from ccproxy.lightllm.anthropic.fields import Object, array, flag, mapping, string, string_or_none, wrong
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.prompt import CacheMark, Call, File, Knob, Opaque, Part, Result, Text, Thought


@dataclass(slots=True)
class Notes:
    """What is gathered while a request is read."""

    knobs: list[Knob] = field(default_factory=list)
    called: dict[str, str] = field(default_factory=dict)
    """Names of tools by the ids of their calls."""


def read_content(value: object, at: str, notes: Notes) -> tuple[Part, ...]:
    """The parts of a message: a string, or a list of blocks."""
    if isinstance(value, str):
        return (Text(value, at=at),) if value else ()
    if not isinstance(value, list):
        raise wrong(at, "a string or an array of content blocks", value)
    parts: list[Part] = []
    for number, block in enumerate(value):
        parts += _parts(mapping(block, f"{at}.{number}"), f"{at}.{number}", notes)
    return tuple(parts)


def read_texts(value: object, at: str, skipped: frozenset[str] = frozenset()) -> tuple[Text, ...]:
    """A system prompt: a string, or a list of text blocks, and of blocks that are ``skipped``."""
    if isinstance(value, str):
        return (Text(value, at=at),) if value else ()
    texts = []
    for number, item in enumerate(array(value, at)):
        block = mapping(item, f"{at}.{number}")
        if str(block.get("type")) in skipped:
            continue
        if block.get("type", "text") != "text":
            raise BadRequest(f"{at}.{number}.type: a system prompt has text blocks only, not {block.get('type')!r}")
        texts.append(_text(block, f"{at}.{number}"))
    return tuple(text for text in texts if text.text)


def cache_mark(block: Object, at: str) -> CacheMark | None:
    """The ``cache_control`` of a block, a tool or the request."""
    value = block.get("cache_control")
    if value is None:
        return None
    place = f"{at}.cache_control" if at else "cache_control"
    ttl = mapping(value, place).get("ttl")
    if ttl not in (None, "5m", "1h"):
        raise BadRequest(f"{place}.ttl: this must be '5m' or '1h', not {ttl!r}")
    return CacheMark("1h" if ttl == "1h" else "5m" if ttl == "5m" else None)


def _parts(block: Object, at: str, notes: Notes) -> Iterator[Part]:
    match kind := string(block, "type", at):
        case "text":
            if (text := _text(block, at)).text:
                yield text
        case "tool_use":
            yield _call(block, at, notes)
        case "tool_result":
            yield _result(block, at, notes)
        case "thinking":
            signature = string_or_none(block, "signature", at)
            yield Thought(string(block, "thinking", at), None if signature == FOREIGN else signature or None, at=at)
        case "redacted_thinking":
            yield Thought("", string(block, "data", at), redacted=True, at=at)
        case "image" | "document" | "search_result":
            yield from _shown(kind, block, at, notes)
        case "compaction":
            if summary := string_or_none(block, "content", at):
                yield Text(summary, cache_mark(block, at), at=at)
        case _:
            yield Opaque(Dialect.ANTHROPIC, kind, block, at)


def _shown(
    kind: Literal["image", "document", "search_result"], block: Object, at: str, notes: Notes
) -> Iterator[Text | File]:
    match kind:
        case "image":
            yield _file("image", block, at)
        case "document":
            yield from _document(block, at, notes)
        case "search_result":
            found = read_texts(block.get("content"), f"{at}.content")
            head = f"{string(block, 'title', at)}\n{string(block, 'source', at)}\n"
            yield Text(head + "".join(f"\n{text.text}" for text in found), cache_mark(block, at), at=at)


def _text(block: Object, at: str) -> Text:
    return Text(string(block, "text", at), cache_mark(block, at), at=at)


def _call(block: Object, at: str, notes: Notes) -> Call:
    call_id, name = string(block, "id", at), string(block, "name", at)
    notes.called[call_id] = name
    given = mapping(block.get("input", {}), f"{at}.input")
    try:
        arguments = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise BadRequest(f"{at}.input: this cannot be written as JSON again: {error}") from error
    return Call(call_id, name, arguments, cache=cache_mark(block, at), at=at)


def _result(block: Object, at: str, notes: Notes) -> Result:
    call_id = string(block, "tool_use_id", at)
    given = block.get("content")
    content: list[Text | File | Opaque] = []
    if isinstance(given, str):
        content += [Text(given, at=f"{at}.content")] if given else []
    elif given is not None:
        for number, item in enumerate(array(given, f"{at}.content")):
            content += _inner(mapping(item, f"{at}.content.{number}"), f"{at}.content.{number}", notes)
    is_error = flag(block, "is_error", at) or False
    return Result(call_id, notes.called.get(call_id), tuple(content), is_error, cache=cache_mark(block, at), at=at)


def _inner(block: Object, at: str, notes: Notes) -> Iterator[Text | File | Opaque]:
    match kind := string(block, "type", at):
        case "text":
            if (text := _text(block, at)).text:
                yield text
        case "image" | "document" | "search_result":
            yield from _shown(kind, block, at, notes)
        case "tool_reference":
            yield Text(f"The tool {string(block, 'tool_name', at)} is available.", at=at)
        case _:
            yield Opaque(Dialect.ANTHROPIC, kind, block, at)


def _document(block: Object, at: str, notes: Notes) -> Iterator[Text | File]:
    if mapping(block.get("citations") or {}, f"{at}.citations").get("enabled"):
        notes.knobs.append(Knob("unknown", True, f"{at}.citations"))
    if context := string_or_none(block, "context", at):
        yield Text(context, at=f"{at}.context")
    source = mapping(block.get("source"), f"{at}.source")
    if source.get("type") != "content":
        yield _file("document", block, at)
        return
    mark = cache_mark(block, at)
    blocks = source.get("content")
    if isinstance(blocks, str):
        yield File("document", "text/plain", text=blocks, name=string_or_none(block, "title", at), cache=mark, at=at)
        return
    if title := string_or_none(block, "title", at):
        yield Text(title, at=f"{at}.title")
    inner = array(blocks, f"{at}.source.content")
    for number, item in enumerate(inner):
        place = f"{at}.source.content.{number}"
        part = mapping(item, place)
        last = mark if number == len(inner) - 1 else None
        if part.get("type") == "image":
            yield _file("image", part, place, last)
        else:
            yield Text(string(part, "text", place), last, at=place)


def _file(kind: Literal["image", "document"], block: Object, at: str, mark: CacheMark | None = None) -> File:
    source = mapping(block.get("source"), f"{at}.source")
    place = f"{at}.source"
    name = string_or_none(block, "title", at) if kind == "document" else None
    mark = cache_mark(block, at) or mark
    match how := string(source, "type", place):
        case "base64":
            mime, data = string(source, "media_type", place), string(source, "data", place)
            return File(kind, mime, data=data, name=name, cache=mark, at=at)
        case "url":
            return File(kind, url=string(source, "url", place), name=name, cache=mark, at=at)
        case "file":
            return File(kind, file_id=string(source, "file_id", place), name=name, cache=mark, at=at)
        case "text" if kind == "document":
            text = string(source, "data", place)
            return File(kind, string_or_none(source, "media_type", place), text=text, name=name, cache=mark, at=at)
        case _:
            raise BadRequest(f"{place}.type: {how!r} is no source of a {kind}")
