"""The grammars of the four dialects' streams, as checkers: what every writer's output is held to.

``Wire`` is what a checker says: what breaches the grammar, and whether the stream is marked as complete or ends in an
error. They are stricter than the SDKs, which take much that their own service never sends. Of arguments they say
nothing: what a model writes may be broken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate import wire_responses

LONGEST = 1000
"""Characters of a breach that are told."""

type Events = list[tuple[str, Any]]
"""Names, empty where the dialect has none, with what the data says."""


@dataclass(slots=True)
class Wire:
    """One stream."""

    breaches: list[str] = field(default_factory=list)
    complete: bool = False
    """It has the mark of completeness, wherever."""
    failed: bool = False
    """It ends in an error."""
    events: Events = field(default_factory=list)


class Breach(Exception):
    """The stream cannot be followed any further."""


def check(dialect: Dialect, data: bytes, *, array: bool = False, usage: bool = True) -> Wire:
    """Follow a stream from its first byte to its last. ``usage``: Chat's client has asked for it."""
    wire = Wire()
    try:
        events = wire.events = list(_elements(data) if array else _events(dialect, data))
        for breach in _GRAMMARS[dialect](events, wire, usage):
            wire.breaches.append(breach[:LONGEST])
    except (Breach, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        wire.breaches.append(f"{type(error).__name__}: {error}")
    if wire.complete and wire.failed:
        wire.breaches.append("marked as complete, and ended by an error")
    if not wire.complete and not wire.failed:
        wire.breaches.append("neither complete nor ended by an error")
    return wire


_NAMED = {Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES}
_NAMED_EVENT = re.compile(rb"event: ([a-z_.]+)\ndata: (\{.*\})")
_EVENT = re.compile(rb"data: (\{.*\}|\[DONE\])")


def _events(dialect: Dialect, data: bytes) -> Iterator[tuple[str, Any]]:
    *blocks, rest = data.split(b"\n\n")
    if dialect is Dialect.GOOGLE and rest.startswith(b'{"error"'):  # said twice: see google/errors.py
        rest = b""
    if rest:
        raise Breach(f"the last event is not closed: {rest[:200]!r}")
    for block in blocks:
        if block.startswith(b": ") and b"\n" not in block and dialect is not Dialect.ANTHROPIC:
            continue  # a sign of life
        found = (_NAMED_EVENT if dialect in _NAMED else _EVENT).fullmatch(block)
        if found is None:
            raise Breach(f"not how {dialect} writes an event: {block[:200]!r}")
        if found[1] == b"[DONE]":
            yield "[DONE]", None
            continue
        event = json.loads(found[found.lastindex or 1])
        name = found[1].decode() if dialect in _NAMED else "error" if "error" in event else ""
        if dialect in _NAMED and event.get("type") != name:
            raise Breach(f"event {name} is of type {event.get('type')}")
        yield name, event


def _elements(data: bytes) -> Iterator[tuple[str, Any]]:
    if not data.startswith(b"[") or not data.endswith(b"]"):
        raise Breach(f"no JSON array: {data[:50]!r} … {data[-50:]!r}")
    for element in json.loads(data):
        yield "error" if "error" in element else "", element


# Anthropic API reference, "Streaming messages": message_start, blocks one after the other, message_delta, message_stop.

_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set[str](),
}
_PIECE = {"text_delta": "text", "thinking_delta": "thinking"}
"""What is never empty. Of the arguments, the service itself has an empty first piece."""
_STOP_REASONS = {
    *("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"),
    "model_context_window_exceeded",
}


def _anthropic(events: Events, wire: Wire, _usage: bool) -> Iterator[str]:
    blocks: list[str] = []
    is_open = False
    signed = False
    stop: str | None = None
    for number, (name, event) in enumerate(events):
        last = number == len(events) - 1
        if wire.complete or wire.failed:
            yield f"{name} after the end"
        if (number == 0) != (name == "message_start") and name != "error":
            yield f"{name} as event {number}"
        if stop is not None and name not in ("message_stop", "error"):
            yield f"{name} after message_delta"
        match name:
            case "message_start":
                yield from _message_start(event["message"])
            case "content_block_start":
                if is_open or event["index"] != len(blocks):
                    yield f"block {event['index']} as number {len(blocks)}, open: {is_open}"
                yield from _block_start(event["content_block"])
                is_open, signed = True, False
                blocks.append(event["content_block"]["type"])
            case "content_block_delta":
                kind = event["delta"]["type"]
                if not is_open or event["index"] != len(blocks) - 1 or kind not in _DELTAS[blocks[-1]]:
                    yield f"{kind} in block {event['index']}, a {blocks[-1:]}, open: {is_open}"
                if kind in _PIECE and not event["delta"][_PIECE[kind]]:
                    yield f"an empty {kind}"
                if signed:
                    yield f"{kind} after signature_delta"
                signed = kind == "signature_delta"
            case "content_block_stop":
                if not is_open or event["index"] != len(blocks) - 1:
                    yield f"content_block_stop of {event['index']}"
                if blocks[-1] == "thinking" and not signed:
                    yield "thinking without a signature"
                is_open = False
            case "message_delta":
                stop = event["delta"]["stop_reason"]
                if is_open:
                    yield "message_delta in a block"
                if stop not in _STOP_REASONS or ((stop == "tool_use") != ("tool_use" in blocks) and stop == "tool_use"):
                    yield f"stop_reason {stop!r} after {blocks}"
                if (stop == "stop_sequence") != isinstance(event["delta"]["stop_sequence"], str):
                    yield f"stop_reason {stop!r} with the sequence {event['delta']['stop_sequence']!r}"
                if not isinstance(event["usage"]["output_tokens"], int):
                    yield "message_delta without output_tokens"
            case "message_stop":
                wire.complete = True
                if stop is None:
                    yield "message_stop without message_delta"
            case "error":
                wire.failed = True
                if not last or not isinstance(event["error"]["type"], str) or not event["error"]["message"]:
                    yield f"error: {event}"
            case "ping":
                pass
            case _:
                yield f"event {name}"


def _message_start(message: dict[str, Any]) -> Iterator[str]:
    wanted = {"type": "message", "role": "assistant", "content": [], "stop_reason": None, "stop_sequence": None}
    if {**message, **wanted} != message:
        yield f"message_start: {message}"
    if not isinstance(message["id"], str) or not message["id"] or not isinstance(message["model"], str):
        yield f"message_start: {message}"
    if not all(isinstance(message["usage"][key], int) for key in ("input_tokens", "output_tokens")):
        yield f"message_start: {message}"


def _block_start(block: dict[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "text":
            fine = block["text"] == ""
        case "thinking":
            fine = block["thinking"] == "" and block["signature"] == ""
        case "tool_use":
            fine = block["input"] == {} and bool(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"])) and bool(block["name"])
        case _:  # redacted thinking of another provider is not shown
            fine = False
    if not fine:
        yield f"content_block_start: {block}"


# OpenAI API reference, "The chat completion chunk object".

_DELTA_KEYS = {"role", "content", "refusal", "reasoning_content", "tool_calls", "annotations", "images"}

_DELTA_KEYS = {"role", "content", "refusal", "reasoning_content", "tool_calls", "annotations", "images"}


def _chat(events: Events, wire: Wire, usage: bool) -> Iterator[str]:
    seen: set[tuple[object, object, object]] = set()
    calls: list[int] = []
    finish: str | None = None
    counted = done = False
    for number, (name, event) in enumerate(events):
        if wire.failed or done:
            yield "a chunk after the end"
        if name == "[DONE]":
            done = True
            if finish is None:
                yield "[DONE] without a finish_reason"
            if usage and not counted:
                yield "no usage, which was asked for"
            wire.complete = True
            continue
        if name == "error":
            wire.failed = True
            if not isinstance(event["error"]["message"], str) or set(event) != {"error"}:
                yield f"error: {event}"
            continue
        seen.add((event["id"], event["created"], event["model"]))
        if event["object"] != "chat.completion.chunk" or not event["id"] or not isinstance(event["created"], int):
            yield f"chunk: {event}"
        if event.get("usage") is not None:
            counted = True
            if not usage or event["choices"] or finish is None:
                yield f"usage: {event}"
            elif event["usage"]["total_tokens"] != (
                event["usage"]["prompt_tokens"] + event["usage"]["completion_tokens"]
            ):
                yield f"usage does not add up: {event['usage']}"
            continue
        (choice,) = event["choices"]
        if choice["index"] != 0 or finish is not None:
            yield f"a choice after the finish_reason, or a second one: {event}"
        delta = choice["delta"]
        if (number == 0) != (delta.get("role") == "assistant"):
            yield f"role in chunk {number}: {delta}"
        yield from _chat_delta(delta, calls, first=number == 0)
        if choice["finish_reason"] is not None:
            finish = choice["finish_reason"]
            wire.complete = True
            if delta or finish not in ("stop", "length", "tool_calls", "content_filter"):
                yield f"finish: {choice}"
            if (finish == "tool_calls" and not calls) or (finish == "stop" and calls):
                yield f"finish_reason {finish} after {len(calls)} calls"
    if len(seen) > 1:
        yield f"id, created and model change: {seen}"
    if wire.complete and not done:
        yield "no [DONE]"


def _chat_delta(delta: dict[str, Any], calls: list[int], *, first: bool) -> Iterator[str]:
    if unknown := set(delta) - _DELTA_KEYS:
        yield f"unknown keys: {unknown}"
    for key in ("content", "refusal", "reasoning_content"):
        if key in delta and not first and (not isinstance(delta[key], str) or not delta[key]):
            yield f"an empty {key}"
    for call in delta.get("tool_calls") or []:
        index = call["index"]
        if index not in calls:
            calls.append(index)
            if index != len(calls) - 1 or not call["id"] or not call[call["type"]]["name"]:
                yield f"the first of call {index}: {call}"
        elif call not in ({"index": index, "function": ANY}, {"index": index, "custom": ANY}):
            yield f"more of call {index}: {call}"


# Gemini API reference, "GenerateContentResponse".


def _google(events: Events, wire: Wire, _usage: bool) -> Iterator[str]:
    seen: set[tuple[object, object]] = set()
    for number, (name, event) in enumerate(events):
        if wire.failed or wire.complete:
            yield f"a chunk after the end: {event}"
        if name == "error":
            wire.failed = True
            if not isinstance(event["error"]["code"], int) or not event["error"]["message"]:
                yield f"error: {event}"
            continue
        seen.add((event.get("modelVersion"), event.get("responseId")))
        if "blockReason" in event.get("promptFeedback", {}):
            wire.complete = True
        for candidate in event.get("candidates", []):
            if candidate.get("index", 0) != 0:
                yield f"candidate {candidate['index']}"
            if "finishReason" in candidate:
                wire.complete = True
                if "usageMetadata" not in event:
                    yield "the last chunk has no usage"
            content = candidate.get("content", {})
            if content and content.get("role") != "model":
                yield f"content: {content}"
            if not content.get("parts") and "finishReason" not in candidate and "groundingMetadata" not in candidate:
                yield f"chunk {number} says nothing: {event}"
            for part in content.get("parts", []):
                yield from _part(part, last="finishReason" in candidate)
    if len(seen) > 1:
        yield f"modelVersion and responseId change: {seen}"


def _part(part: dict[str, Any], *, last: bool) -> Iterator[str]:
    kinds = set(part) - {"thought"}
    if kinds not in ({"text"}, {"functionCall"}, {"inlineData"}):
        yield f"part: {part}"
    if "functionCall" in part and not isinstance(part["functionCall"].get("args", {}), dict):
        yield f"args are no object: {part}"
    if "text" in part and not part["text"] and not last:  # the service ends with an empty one
        yield "an empty text"


def _responses(events: Events, wire: Wire, _usage: bool) -> Iterator[str]:
    order = wire_responses.Order()
    for name, event in events:
        yield from order.take(name, event)
    wire.complete, wire.failed = order.complete, order.failed


_GRAMMARS: dict[Dialect, Callable[[Events, Wire, bool], Iterator[str]]] = {
    Dialect.ANTHROPIC: _anthropic,
    Dialect.OPENAI: _chat,
    Dialect.OPENAI_RESPONSES: _responses,
    Dialect.GOOGLE: _google,
}
