"""Streams of the Messages API become events in the order that ``events`` promises."""

from __future__ import annotations

import json

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.anthropic.stream_reader import OPEN_LIMIT, StreamReader
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockSignature,
    BlockStart,
    BlockStop,
    Citation,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Ping,
)
from tests.lightllm.recordings import recordings
from tests.lightllm.translate.grammar import breaches
from tests.lightllm.translate.pieces import cuts

type Json = dict[str, object]

BEGIN: Json = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 3}}}
STOP: Json = {"type": "message_stop"}


def start(index: int, **block: object) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **given: object) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **given}}


def stop(index: int) -> Json:
    return {"type": "content_block_stop", "index": index}


def ending(reason: str | None, sequence: str | None = None, **usage: object) -> Json:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": sequence},
        "usage": {"output_tokens": 7, **usage},
    }


def feed(*events: Json | bytes) -> list[Event]:
    reader = StreamReader()
    data = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    found = [event for each in data for event in reader.feed(sse.Event("", each, each))]
    return found + reader.end()


def inner(*events: Json) -> list[Event]:
    """What is between the beginning and the end."""
    found = feed(BEGIN, *events, ending("end_turn"), STOP)
    assert breaches(found) == []
    return [event for event in found if not isinstance(event, Begin | Counts | Finish | End)]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (
            [start(0, type="text", text=""), delta(0, "text_delta", text="a"), {"type": "ping"}, stop(0)],
            [BlockStart(0, "text"), BlockDelta(0, "a"), Ping(), BlockStop(0)],
        ),
        (
            [start(0, type="text", text="a", citations=[{"url": "u"}]), delta(0, "text_delta", text=""), stop(0)],
            [BlockStart(0, "text"), BlockDelta(0, "a"), BlockCitation(0, Citation("u")), BlockStop(0)],
        ),
        (
            [
                start(0, type="thinking", thinking="", signature=""),
                delta(0, "thinking_delta", thinking="hm"),
                delta(0, "signature_delta", signature="half"),
                delta(0, "signature_delta", signature="sig"),
                stop(0),
            ],
            [BlockStart(0, "thinking"), BlockDelta(0, "hm"), BlockSignature(0, "sig"), BlockStop(0)],
        ),
        (
            [start(0, type="redacted_thinking", data="enc"), stop(0), start(1, type="redacted_thinking"), stop(1)],
            [BlockStart(0, "redacted"), BlockSignature(0, "enc"), BlockStop(0)],
        ),
        # Anthropic's own tools and marks are passed over, and leave no gap.
        (
            [
                start(0, type="server_tool_use", id="s", name="web_search", input={}),
                delta(0, "input_json_delta", partial_json='{"query": 1}'),
                stop(0),
                start(1, type="web_search_tool_result", tool_use_id="s", content=[]),
                stop(1),
                start(2, type="compaction", content=None),
                delta(2, "compaction_delta", content="sum"),
                stop(2),
                start(3, type="text", text=""),
                delta(3, "text_delta", text="found"),
                delta(3, "citations_delta", citation={"source": "s", "document_title": "t", "cited_text": "q"}),
                delta(3, "some_delta", text="?"),
                stop(3),
                {"type": "some_event"},
            ],
            [
                BlockStart(0, "text"),
                BlockDelta(0, "found"),
                BlockCitation(0, Citation("s", "t", "q")),
                BlockStop(0),
            ],
        ),
        # One number for two blocks, and a block that is not ended.
        (
            [
                start(0, type="text", text=""),
                start(0, type="text", text=""),
                delta(0, "text_delta", text="b"),
                delta(0, "thinking_delta", thinking="not of this block"),
            ],
            [BlockStart(0, "text"), BlockStop(0), BlockStart(1, "text"), BlockDelta(1, "b"), BlockStop(1)],
        ),
    ],
)
def test_blocks(events: list[Json], found: list[Event]) -> None:
    assert inner(*events) == found


@pytest.mark.parametrize(
    ("given", "pieces", "arguments"),
    [({}, [""], ""), ({}, ['{"a', '": 1}'], '{"a": 1}'), ({"a": 2}, [], '{"a":2}'), ({"a": 2}, ["", "{}"], "{}")],
)
def test_arguments_come_in_pieces_or_with_the_start(given: Json, pieces: list[str], arguments: str) -> None:
    deltas = [delta(4, "input_json_delta", partial_json=piece) for piece in pieces]
    found = feed(
        BEGIN,
        start(4, type="tool_use", id="toolu_1", name="f", input=given),
        *deltas,
        stop(4),
        ending("tool_use"),
        STOP,
    )
    assert breaches(found) == []
    assert found[2] == BlockStart(0, "call", "toolu_1", "f")
    assert "".join(event.text for event in found if isinstance(event, BlockDelta)) == arguments
    assert Finish("tool") in found


@pytest.mark.parametrize(
    ("word", "called", "reason"),
    [
        ("end_turn", False, "stop"),
        ("end_turn", True, "tool"),
        ("tool_use", True, "tool"),
        ("tool_use", False, "stop"),
        ("max_tokens", True, "length"),
        ("stop_sequence", False, "stop_sequence"),
        ("pause_turn", False, "paused"),
        ("compaction", False, "paused"),
        ("refusal", False, "refused"),
        ("model_context_window_exceeded", False, "context"),
        ("cosmic_ray", False, "other"),
    ],
)
def test_stop_reasons(word: str, called: bool, reason: str) -> None:
    call = [start(0, type="tool_use", id="c", name="f", input={}), stop(0)] if called else []
    found = feed(BEGIN, *call, ending(word, "\n\n" if word == "stop_sequence" else None), STOP)
    assert breaches(found) == []
    assert [(event.reason, event.sequence) for event in found if isinstance(event, Finish)] == [
        (reason, "\n\n" if word == "stop_sequence" else None)
    ]
    assert found[-1] == End()


def test_counts_are_cumulative_and_keep_what_they_do_not_name() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 5, "output_tokens": 1}
    begin: Json = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": usage}}
    found = feed(
        begin,
        ending(None, input_tokens=None),
        ending("end_turn", input_tokens=20, output_tokens_details={"thinking_tokens": 4}),
        STOP,
    )
    assert [event.usage for event in found if isinstance(event, Counts)] == [
        Usage(115, 1, 100, 5),
        Usage(115, 7, 100, 5),
        Usage(125, 7, 100, 5, 4),
    ]


def test_a_message_may_hold_whole_blocks_at_its_start() -> None:
    block = {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}}
    begin: Json = {
        "type": "message_start",
        "message": {"id": "m", "model": "m", "content": [block], "stop_reason": "tool_use"},
    }
    assert feed(begin, STOP) == [
        Begin("m", "m"),
        BlockStart(0, "call", "c", "f"),
        BlockDelta(0, '{"x":1}'),
        BlockStop(0),
        Finish("tool"),
        End(),
    ]


@pytest.mark.parametrize(
    ("event", "status", "message"),
    [
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}', 503, "busy"),
        (b'{"error": "gone"}', 500, "gone"),
        (b"<html>", 502, "no JSON object"),
        (b"[]", 502, "no JSON object"),
        (delta(0, "text_delta", text="a"), 502, "has not begun"),
        (start(0, type="tool_use", id="c", input={}), 502, "without a name"),
        ({"type": "content_block_start", "content_block": {"type": "text"}}, 502, "without a number"),
        ([start(number, type="later_kind") for number in range(OPEN_LIMIT + 1)], 502, "open at once"),
    ],
)
def test_what_ends_in_a_failure(event: Json | bytes | list[Json], status: int, message: str) -> None:
    found = feed(BEGIN, *(event if isinstance(event, list) else [event]), ending("end_turn"), STOP)
    assert breaches(found) == []
    failed = found[-1]
    assert isinstance(failed, Failed)
    assert failed.failure.status == status and message in failed.failure.message


def test_nothing_is_complete_without_its_end() -> None:
    assert not any(isinstance(event, End) for event in feed(BEGIN, ending("end_turn")))
    assert feed(STOP) == [Begin(), End()]
    assert feed(b"[DONE]", BEGIN, b"[DONE]", ending("end_turn"), STOP, b"[DONE]", b"junk")[-1] == End()


def test_halves_of_surrogate_pairs_are_text() -> None:
    data = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ud83d\\u0000"}}'
    found = feed(BEGIN, start(0, type="text", text=""), data, ending("end_turn"), STOP)
    assert BlockDelta(0, "\ud83d\0") in found


def test_recordings_keep_the_order_however_they_are_cut() -> None:
    total = 0
    for recording in recordings():
        if recording.dialect is not Dialect.ANTHROPIC:
            continue
        total += 1
        told = []
        for places in ((), range(0, len(recording.stream), 97)):
            reader, parser = StreamReader(), sse.SseParser()
            pieces = [*cuts(recording.stream, places), b"\n\n"]
            told.append([event for piece in pieces for each in parser.feed(piece) for event in reader.feed(each)])
        assert told[0] == told[1]
        assert breaches(told[0]) == [], recording.name
    assert total > 40
