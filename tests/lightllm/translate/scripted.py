"""Answers as a provider of each dialect streams them, written out of a script: what no recording has, made to order.

The spelling is the services' own, down to what compatible ones do: names that come late, arguments cut inside an
escape, calls that overlap, usage after the finish reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ccproxy.lightllm.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Think:
    """Thinking. ``redacted``: there is a signature only."""

    text: str
    signature: str = ""
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Text. Only Google signs it."""

    text: str
    signature: str = ""
    refusal: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A call. Only Google signs it."""

    id: str
    name: str
    arguments: str = "{}"
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """An answer."""

    blocks: Sequence[Think | Say | Use]
    stop: str = "stop"
    """``stop``, ``length``, ``tool``, ``filtered``."""
    input: int = 100
    """Of it, 60 read from a cache where ``cached``."""
    output: int = 20
    cached: bool = True
    step: int = 5
    """Characters of a delta."""
    id: str = "answer_1"

    def pieces(self, text: str) -> list[str]:
        """The deltas of a text."""
        return [text[at : at + self.step] for at in range(0, len(text), self.step)]


def stream(dialect: Dialect, script: Script) -> bytes:
    """The answer's bytes."""
    match dialect:
        case Dialect.ANTHROPIC:
            return b"".join(_named(event) for event in _anthropic(script))
        case Dialect.OPENAI:
            return b"".join(_plain(chunk) for chunk in _chat(script)) + b"data: [DONE]\n\n"
        case Dialect.OPENAI_RESPONSES:
            numbered = ({**event, "sequence_number": number} for number, event in enumerate(_responses(script)))
            return b"".join(_named(event) for event in numbered)
        case Dialect.GOOGLE:
            return b"".join(_plain(chunk) for chunk in _google(script))


def _named(event: dict[str, Any]) -> bytes:
    return b"event: " + event["type"].encode() + b"\n" + _plain(event)


def _plain(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _anthropic(script: Script) -> Iterator[dict[str, Any]]:
    read = 60 if script.cached else 0
    usage = {"input_tokens": script.input - read, "cache_read_input_tokens": read, "output_tokens": 1}
    yield {
        "type": "message_start",
        "message": {
            "id": script.id,
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        },
    }
    for index, block in enumerate(script.blocks):
        deltas: list[dict[str, Any]] = []
        match block:
            case Think(_, signature, redacted=True):
                start = {"type": "redacted_thinking", "data": signature}
            case Think(text, signature):
                start = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in script.pieces(text)]
                deltas += [{"type": "signature_delta", "signature": signature}]
            case Say(text):
                start = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in script.pieces(text)]
            case Use():
                start = {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}
                told = script.pieces(block.arguments) if block.arguments != "{}" else []
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *told]]
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "filtered": "refusal"}
    delta = {"stop_reason": reasons[script.stop], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": script.output}}
    yield {"type": "message_stop"}


def _chat(script: Script) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        head = {"id": script.id, "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "gpt-x"}
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}

    yield chunk({"role": "assistant", "content": ""})
    calls: list[Use] = []
    for block in script.blocks:
        match block:
            case Think(text):
                for piece in script.pieces(text):
                    yield chunk({"reasoning_content": piece})
            case Say(text):
                for piece in script.pieces(text):
                    yield chunk({"refusal" if block.refusal else "content": piece})
            case Use():
                calls.append(block)
    for index, call in enumerate(calls):
        function = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
    rests = [script.pieces(call.arguments) for call in calls]
    while any(rests):  # a piece of each in turn
        for index, rest in enumerate(rests):
            if rest:
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": rest.pop(0)}}]})
    reasons = {"stop": "stop", "length": "length", "tool": "tool_calls", "filtered": "content_filter"}
    yield chunk({}, reasons[script.stop])
    usage = {
        "prompt_tokens": script.input,
        "completion_tokens": script.output,
        "total_tokens": script.input + script.output,
        "prompt_tokens_details": {"cached_tokens": 60 if script.cached else 0},
    }
    yield {**chunk({}), "choices": [], "usage": usage}


def _responses(script: Script) -> Iterator[dict[str, Any]]:
    response: dict[str, Any] = {
        "id": script.id,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "in_progress",
        "model": "gpt-x",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "incomplete_details": None,
        "error": None,
        "usage": None,
    }
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    output: list[dict[str, Any]] = []
    for index, block in enumerate(script.blocks):
        item = yield from _item(index, block, script)
        output.append(item)
    usage = {
        "input_tokens": script.input,
        "input_tokens_details": {"cached_tokens": 60 if script.cached else 0, "cache_write_tokens": 0},
        "output_tokens": script.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": script.input + script.output,
    }
    cut = {"length": "max_output_tokens", "filtered": "content_filter"}.get(script.stop)
    status = "incomplete" if cut else "completed"
    details = {"reason": cut} if cut else None
    whole = {**response, "status": status, "output": output, "usage": usage, "incomplete_details": details}
    yield {"type": f"response.{status}", "response": whole}


def _item(index: int, block: Think | Say | Use, script: Script) -> Iterator[dict[str, Any]]:
    at: dict[str, Any] = {"output_index": index}
    match block:
        case Think(text, signature):
            item = {"id": f"rs_{index}", "type": "reasoning", "summary": [], "encrypted_content": signature}
            yield {"type": "response.output_item.added", **at, "item": {**item, "encrypted_content": ""}}
            if text:
                stem, at = "response.reasoning_summary", {**at, "item_id": item["id"], "summary_index": 0}
                yield {"type": f"{stem}_part.added", **at, "part": {"type": "summary_text", "text": ""}}
                for piece in script.pieces(text):
                    yield {"type": f"{stem}_text.delta", **at, "delta": piece}
                yield {"type": f"{stem}_text.done", **at, "text": text}
                part = {"type": "summary_text", "text": text}
                yield {"type": f"{stem}_part.done", **at, "part": part}
                item["summary"] = [part]
        case Say(text):
            kind, key = ("refusal", "refusal") if block.refusal else ("output_text", "text")
            item = {"id": f"msg_{index}", "type": "message", "role": "assistant", "content": []}
            yield {"type": "response.output_item.added", **at, "item": {**item, "status": "in_progress"}}
            at = {**at, "item_id": item["id"], "content_index": 0}
            rest = {} if block.refusal else {"annotations": []}
            yield {"type": "response.content_part.added", **at, "part": {"type": kind, key: "", **rest}}
            for piece in script.pieces(text):
                logprobs = {} if block.refusal else {"logprobs": []}
                yield {"type": f"response.{kind}.delta", **at, "delta": piece, **logprobs}
            part = {"type": kind, key: text, **rest}
            yield {"type": f"response.{kind}.done", **at, key: text, **({} if block.refusal else {"logprobs": []})}
            yield {"type": "response.content_part.done", **at, "part": part}
            item |= {"content": [part], "status": "completed"}
        case Use():
            item = {"id": f"fc_{index}", "type": "function_call", "call_id": block.id, "name": block.name}
            begun = {**item, "arguments": "", "status": "in_progress"}
            yield {"type": "response.output_item.added", **at, "item": begun}
            for piece in script.pieces(block.arguments):
                delta = {"item_id": item["id"], "delta": piece}
                yield {"type": "response.function_call_arguments.delta", **at, **delta}
            done = {"item_id": item["id"], "arguments": block.arguments, "name": block.name}
            yield {"type": "response.function_call_arguments.done", **at, **done}
            item |= {"arguments": block.arguments, "status": "completed"}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
    return item


def _google(script: Script) -> Iterator[dict[str, Any]]:
    usage = {"promptTokenCount": script.input, "totalTokenCount": script.input + script.output}
    if script.cached:
        usage["cachedContentTokenCount"] = 60

    def chunk(parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish is not None:
            candidate["finishReason"] = finish
        counts = {**usage, "candidatesTokenCount": script.output}
        head = {"candidates": [candidate], "usageMetadata": counts}
        return {**head, "modelVersion": "gemini-x", "responseId": script.id}

    for block in script.blocks:
        match block:
            case Think(text):
                for piece in script.pieces(text):
                    yield chunk([{"text": piece, "thought": True}])
            case Say(text, signature):
                *early, last = script.pieces(text)
                for piece in early:
                    yield chunk([{"text": piece}])
                yield chunk([{"text": last, **({"thoughtSignature": signature} if signature else {})}])
            case Use():
                call = {"id": block.id, "name": block.name, "args": json.loads(block.arguments)}
                signed = {"thoughtSignature": block.signature} if block.signature else {}
                yield chunk([{"functionCall": call, **signed}])
    reasons = {"stop": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "filtered": "SAFETY"}
    yield chunk([{"text": ""}], reasons[script.stop])
