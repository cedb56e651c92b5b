"""Folding by the ``anthropic`` SDK."""

from __future__ import annotations

import functools
from typing import Any

import anthropic
import httpx2

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate.folded import Folded, Memory, Unfoldable, drained, ended, stop_of


@functools.cache
def _client() -> tuple[anthropic.Anthropic, Memory]:
    memory = Memory()
    client = anthropic.Anthropic(
        api_key="k",
        base_url="http://memory",
        max_retries=0,
        http_client=httpx2.Client(transport=memory),
    )
    return client, memory


def fold(stream: bytes) -> Folded:
    client, memory = _client()
    memory.body = stream
    events: list[Any] = []
    with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as told:
        error = drained(told, events.append)
        if not events:
            return ended(Folded(), error)
        begun = [event.index for event in events if event.type == "content_block_start"]
        if begun != list(range(len(begun))):  # the accumulator goes by the order, not by the index
            raise Unfoldable(f"blocks are not numbered 0, 1, 2: {begun}")
        folded = _of_message(told.current_message_snapshot)
    for event in events:
        if event.type == "message_delta" and len(getattr(event.usage, "iterations", None) or ()) > 1:
            folded.input = folded.output = folded.cache_read = None  # of the last run, or of all: both are said
    return ended(folded, error)


def fold_document(body: bytes) -> Folded:
    client, memory = _client()
    memory.body = body
    return _of_message(client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]))


def _of_message(message: Any) -> Folded:
    folded = Folded(stop=stop_of(Dialect.ANTHROPIC, message.stop_reason), message=message)
    for block in message.content:
        match block.type:
            case "text":
                folded.text += block.text
            case "thinking":
                folded.thinking += block.thinking
                folded.signatures.append(block.signature or "")
            case "redacted_thinking":
                folded.signatures.append(block.data)
            case "tool_use":
                folded.calls.append((block.name, {} if block.input is None else block.input))
    usage = message.usage
    if usage is not None and usage.input_tokens is not None:
        folded.cache_read = usage.cache_read_input_tokens or 0
        folded.input = usage.input_tokens + folded.cache_read + (usage.cache_creation_input_tokens or 0)
        folded.output = usage.output_tokens
    return folded
