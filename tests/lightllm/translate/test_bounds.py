"""However long a provider's answer is, what is held of it is not: an endless one ends in an error."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.translate import AnswerTranslator
from tests.lightllm.translate.exchange import plan

MOST = 160 << 20
"""Bytes that a provider sends here; an answer that is held has less than a quarter."""
PIECE = "x" * 30_000


def event(**document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def delta(index: int, **delta: str) -> bytes:
    return event(type="content_block_delta", index=index, delta=delta)


def start(index: int, **block: Any) -> bytes:
    return event(type="content_block_start", index=index, content_block=block)


def words() -> Iterator[bytes]:
    yield start(0, type="text", text="")
    while True:
        yield delta(0, type="text_delta", text=PIECE)


def arguments() -> Iterator[bytes]:
    yield start(0, type="tool_use", id="t", name="patch", input={})
    while True:
        yield delta(0, type="input_json_delta", partial_json=PIECE)


def thoughts() -> Iterator[bytes]:
    for index in count():
        yield start(index, type="thinking", thinking="", signature="")
        yield delta(index, type="thinking_delta", thinking=PIECE)
        yield delta(index, type="signature_delta", signature="c2ln")
        yield event(type="content_block_stop", index=index)


def overlapping() -> Iterator[bytes]:
    for index in range(900):
        yield start(index, type="text", text="")
    while True:
        for index in range(900):
            yield delta(index, type="text_delta", text=PIECE)


def fed(translator: AnswerTranslator, events: Iterator[bytes]) -> int:
    """The most bytes that were held meanwhile."""
    begun = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    translator.feed(event(type="message_start", message=begun))
    sent, most = 0, 0
    gc.collect()
    tracemalloc.start()
    try:
        while sent < MOST and not translator.finished:
            chunk = next(events)
            sent += len(chunk)
            translator.feed(chunk)
            most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return most


@pytest.mark.parametrize("target", [Dialect.OPENAI, Dialect.GOOGLE, Dialect.OPENAI_RESPONSES])
@pytest.mark.parametrize("events", [words, arguments, thoughts])
def test_a_whole_answer(target: Dialect, events: Callable[[], Iterator[bytes]]) -> None:
    translator = AnswerTranslator(plan(Dialect.ANTHROPIC, target, stream=False), Memory())
    assert fed(translator, events()) < MOST / 2
    assert translator.failure is not None
    assert (translator.failure.status, "larger than" in translator.failure.message) == (502, True)


@pytest.mark.parametrize("events", [thoughts, overlapping])
def test_what_is_remembered_of_a_stream(events: Callable[[], Iterator[bytes]]) -> None:
    translator = AnswerTranslator(plan(Dialect.ANTHROPIC, Dialect.OPENAI), Memory())
    assert fed(translator, events()) < MOST / 2


def test_the_text_of_a_custom_tool() -> None:
    exchange = replace(plan(Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES), custom=frozenset({"patch"}))
    translator = AnswerTranslator(exchange, Memory())
    assert fed(translator, arguments()) < MOST / 2
    assert translator.failure is not None
