from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from timeit import repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Ending
from ccproxy.lightllm.failure import Cut, Failure, encode_stream_failure
from ccproxy.lightllm.sse import Event, SseParser, encode_event, parse_event
from ccproxy.lightllm.tap import StreamTap
from ccproxy.lightllm.usage import READERS, Usage
from tests.lightllm.recordings import Recording, recordings

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE
ERRORS = {
    "openai-chat/pydantic-ai__test_tool_use_failed_error_streaming-0.sse",
    "openai-chat/pydantic-ai__test_tool_use_failed_error_streaming_with_text-0.sse",
}


def watch(dialect: Dialect, chunks: Iterable[bytes]) -> StreamTap:
    tap = StreamTap(dialect)
    for chunk in chunks:
        tap.feed(chunk)
    return tap


def told(tap: StreamTap) -> tuple[object, ...]:
    return tap.usage, tap.stop_reason, tap.model, tap.complete, tap.mid_event, tap.error, tap.cut


def cuts(data: bytes, at: Iterable[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(at), len(data)])]


def events(stream: bytes) -> list[Event]:
    """All of them, with the last one that some recordings leave open."""
    parser = SseParser()
    found = parser.feed(stream)
    last = parse_event(parser.rest)
    return [*found, *([last] if last is not None else [])]


def slowly(dialect: Dialect, found: list[Event]) -> Ending:
    """What the stream says if every single event is parsed."""
    ending = Ending()
    for one in found:
        if one.data == b"[DONE]":
            ending = ending.merge(Ending(finished=True))
        elif one.data.endswith(b"}"):
            try:
                ending = ending.merge(READERS[dialect].read_event(json.loads(one.data)))
            except ValueError:  # a recording whose vendor sent broken JSON
                ending = ending.merge(READERS[dialect].read_remains(one.data))
    return ending


def test_recordings_are_read_like_a_parser_would_read_them() -> None:
    rng = random.Random(3)
    for recording in recordings():
        want = slowly(recording.dialect, events(recording.stream))
        tap = watch(recording.dialect, [recording.stream])
        assert (tap.stop_reason, tap.model) == (want.stop_reason, want.model), recording.name
        if recording.dialect is not G:  # where the last count counts
            assert tap.usage == READERS[recording.dialect].normalise(want.counts or {}), recording.name
        assert tap.mid_event is (not recording.stream.endswith((b"\n\n", b"\n\r\n"))), recording.name
        assert tap.complete is (recording.name not in ERRORS), recording.name
        assert (tap.error is not None) is (recording.name in ERRORS), recording.name
        for stream in (recording.stream, recording.stream.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
            at = [rng.randrange(len(stream)) for _ in range(len(stream) // 200)]
            assert told(watch(recording.dialect, cuts(stream, at))) == told(tap), recording.name


def test_recordings_byte_by_byte_with_comments_between() -> None:
    for recording in recordings():
        if len(recording.stream) > 6000:
            continue
        stream = b": ping\n\n".join([b"", *(event.raw for event in events(recording.stream))])
        tap = watch(recording.dialect, (stream[i : i + 1] for i in range(len(stream))))
        assert told(tap) == told(watch(recording.dialect, [recording.stream])), recording.name


def ends(recording: Recording) -> Iterable[tuple[StreamTap, Ending]]:
    """The tap after each event, and what those events say."""
    tap, ending = StreamTap(recording.dialect), Ending()
    for one in events(recording.stream):
        tap.feed(one.raw)
        ending = ending.merge(slowly(recording.dialect, [one]))
        yield tap, ending


def test_a_recording_cut_before_its_end_is_not_complete() -> None:
    for recording in recordings():
        states = [(tap.complete, ending.finished, tap.mid_event) for tap, ending in ends(recording)]
        assert [got for got, _, _ in states] == [want for _, want, _ in states], recording.name
        assert states[0][0] is False or len(states) < 4, recording.name
        assert not any(mid for _, _, mid in states[:-1]), recording.name


def test_gemini_counts_are_those_of_the_last_chunk() -> None:
    tap = watch(
        G,
        [
            b'data: {"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}\r\n\r\n',
            b'data: {"candidates": [{"finishReason": "STOP"}], "modelVersion": "m", "usageMetadata": '
            b'{"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}}\r\n\r\n',
            b'data: {"usageMetadata": {"trafficType": "ON_DEMAND"}}\r\n\r\n',
        ],
    )
    assert told(tap)[:5] == (Usage(5, 5, reasoning=3), "STOP", "m", True, False)


def event(document: dict[str, Any], name: str = "") -> bytes:
    return encode_event(json.dumps(document).encode(), name)


STOP = event({"type": "message_stop"}, "message_stop")
FINISH = event({"model": "m", "choices": [{"finish_reason": "stop"}]})
ENDINGS: list[tuple[str, Dialect, bytes, bool, bool]] = [
    # name, dialect, stream, complete, mid_event
    ("nothing", A, b"", False, False),
    ("only a comment", A, b": ping\n\n", False, False),
    ("stop", A, STOP, True, False),
    ("stop without its last line end", A, STOP[:-1], True, True),
    ("stop without its line ends", A, STOP[:-2], True, True),
    ("stop cut in its data", A, STOP[:-3], False, True),
    ("stop cut before its data", A, STOP[:20], False, True),
    ("stop, then a comment that is cut", A, STOP + b": pi", True, False),
    ("stop in capitals", A, STOP.replace(b"_stop", b"_STOP"), False, False),
    ("stop told in a text", A, event({"type": "content_block_delta", "text": '"type":"message_stop"'}), False, False),
    ("stop inside another event", A, event({"type": "x", "y": {"type": "message_stop"}}), False, False),
    ("finish", C, FINISH, True, False),
    ("finish, then done", C, FINISH + b"data: [DONE]\n\n", True, False),
    ("finish, then done cut", C, FINISH + b"data: [DO", False, True),
    ("finish, then done without line end", C, FINISH + b"data: [DONE]", True, True),
    ("done alone", C, b"data: {}\n\ndata: [DONE]\n\n", True, False),
    ("done without space", C, b"data:[DONE]\n\n", True, False),
    ("done told in a text", C, event({"choices": [{"delta": {"content": "data: [DONE]"}}]}), False, False),
    ("finish is null", C, event({"choices": [{"finish_reason": None}]}), False, False),
    ("finish of the second choice", C, event({"choices": [{}, {"finish_reason": "length"}]}), True, False),
    ("completed", R, event({"type": "response.completed", "response": {"status": "completed"}}), True, False),
    ("incomplete", R, event({"type": "response.incomplete", "response": {"status": "incomplete"}}), True, False),
    ("item completed", R, event({"type": "response.output_item.done", "item": {"status": "completed"}}), False, False),
    ("finish reason", G, event({"candidates": [{"finishReason": "STOP"}]}), True, False),
    ("prompt refused", G, event({"promptFeedback": {"blockReason": "OTHER"}}), True, False),
    ("an argument named so", G, event({"candidates": [{"args": {"finishReason": "STOP"}}]}), False, False),
    ("array", G, b'[{"candidates": [{"finishReason": "STOP"}]}\n]', True, False),
    ("array without end", G, b'[{"candidates": [{"finishReason": "STOP"}]}\n', False, False),
    ("array cut", G, b'[{"candidates": [{"finishReason": "STOP"}]', False, True),
    ("array without finish", G, b'[{"candidates": [{}]}]', False, False),
    ("empty array", G, b"[]", False, False),
]


@pytest.mark.parametrize(
    ("dialect", "stream", "complete", "mid_event"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS]
)
def test_endings(dialect: Dialect, stream: bytes, complete: bool, mid_event: bool) -> None:
    for chunks in ([stream], [stream[i : i + 1] for i in range(len(stream))]):
        tap = watch(dialect, chunks)
        assert (tap.complete, tap.mid_event) == (complete, mid_event)


TOLD: list[tuple[Dialect, bytes, Failure]] = [
    (
        A,
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}\n\n',
        Failure(503, "overloaded", "busy"),
    ),
    (
        C,
        event({"error": {"message": "bad", "type": "invalid_request_error", "code": "x", "status_code": 400}}),
        Failure(400, "invalid_request", "bad", code="x"),
    ),
    (C, event({"error": "boom"}), Failure(500, "internal", "boom")),
    (
        R,
        event({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "sequence_number": 3}),
        Failure(429, "rate_limit", "slow", code="rate_limit_exceeded"),
    ),
    (
        R,
        event(
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": "server_error", "message": "oh"}},
            }
        ),
        Failure(500, "internal", "oh", code="server_error"),
    ),
    (
        G,
        event({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}),
        Failure(429, "rate_limit", "quota"),
    ),
    (
        G,
        b'[{"candidates": []},\n{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}]',
        Failure(503, "overloaded", "busy"),
    ),
]


@pytest.mark.parametrize(("dialect", "stream", "expected"), TOLD)
def test_an_error_in_the_stream(dialect: Dialect, stream: bytes, expected: Failure) -> None:
    tap = watch(dialect, [stream])
    assert tap.error == expected
    assert tap.complete is (b"response.failed" in stream)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_our_own_error_is_seen(dialect: Dialect) -> None:
    tap = watch(dialect, [b"data: {}\n\n", encode_stream_failure(dialect, Failure(502, "upstream", "broken off"))])
    assert tap.error is not None
    assert tap.error.message == "broken off"


def test_where_an_error_event_would_join() -> None:
    tap = StreamTap(R)
    assert tap.cut == Cut(empty=True)
    tap.feed(event({"type": "response.created", "sequence_number": 0, "response": {"model": "m"}}))
    tap.feed(event({"type": "response.in_progress", "sequence_number": 41, "response": {}}) + b"event: x\nda")
    assert tap.cut == Cut(mid_event=True, sequence_number=42)
    assert tap.model == "m"
    assert watch(G, [b"\n [", b"{}"]).cut == Cut(array=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('"\\{}[],: aé'), max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('"\\[]{}a')), inner, max_size=3)
        ),
        max_leaves=12,
    ).flatmap(lambda value: st.lists(st.just({"a": value}), min_size=1, max_size=4)),
    st.data(),
)
def test_an_array_is_closed_exactly_at_its_end(elements: list[Any], data: st.DataObject) -> None:
    stream = json.dumps(
        elements, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 2]))
    ).encode()
    at = data.draw(st.lists(st.integers(0, len(stream)), max_size=5))
    tap = StreamTap(G)
    seen = b""
    for chunk in cuts(stream, at):
        tap.feed(chunk)
        seen += chunk
        assert tap.mid_event is (seen.strip() not in (b"", b"[", stream) and not whole(seen))


def whole(seen: bytes) -> bool:
    """Whether the array ends between elements here."""
    try:
        json.loads(seen.rstrip().removesuffix(b",") + b"]")
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("piece", [b"x" * 4096, b": ping\n" * 500, b"data: {}\n" * 500, b'["\\' * 1000, b'"' * 4096])
def test_memory_is_bounded(dialect: Dialect, piece: bytes) -> None:
    for start in (b"data: ", b"[{"):
        tap = watch(dialect, [start])
        tap.feed(piece)
        tracemalloc.start()
        for _ in range(1000):
            tap.feed(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5 << 20
        assert tap.complete is False


PICTURE = "A" * (3 << 20)
HUGE: list[tuple[Dialect, bytes, tuple[Usage, str, str]]] = [
    (
        G,
        event(
            {
                "candidates": [{"content": {"parts": [{"inlineData": {"data": PICTURE}}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1290},
                "modelVersion": "m",
            }
        ),
        (Usage(5, 1290), "STOP", "m"),
    ),
    (
        R,
        event({"type": "response.created", "response": {"model": "m"}})
        + event(
            {
                "type": "response.completed",
                "response": {
                    "status": "completed",
                    "output": [{"result": PICTURE}],
                    "tools": [{"usage": {"type": "string"}}],
                    "usage": {"input_tokens": 5, "output_tokens": 9},
                    "metadata": {},
                },
            }
        ),
        (Usage(5, 9), "completed", "m"),
    ),
    (
        C,
        event(
            {
                "model": "m",
                "choices": [{"delta": {"images": [PICTURE]}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 9},
            }
        ),
        (Usage(5, 9), "stop", "m"),
    ),
]


@pytest.mark.parametrize(("dialect", "stream", "expected"), HUGE)
def test_an_event_too_long_to_keep_still_ends_the_answer(
    dialect: Dialect, stream: bytes, expected: tuple[Usage, str, str]
) -> None:
    tap = watch(dialect, (stream[i : i + 16384] for i in range(0, len(stream), 16384)))
    assert (tap.usage, tap.stop_reason) == expected[:2]
    assert tap.complete


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"type": "message_stop"\n\n',
        b'data: {"error": {"message": \xff}}\n\n',
        b"data: " + b"[" * 99999 + b"\n\n",
    ],
)
@pytest.mark.parametrize("dialect", list(Dialect))
def test_what_cannot_be_parsed_is_passed_over(dialect: Dialect, stream: bytes) -> None:
    tap = watch(dialect, [stream])
    assert (tap.complete, tap.usage) == (False, None)
    tap.feed(STOP + FINISH)
    assert tap.complete is (dialect in (A, C))


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_burst_costs_less_than_5_us_an_event(dialect: Dialect) -> None:
    texts = {
        A: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some words here"}},
        C: {"id": "c" * 30, "model": "m", "choices": [{"delta": {"content": "some words"}, "finish_reason": None}]},
        R: {"type": "response.output_text.delta", "sequence_number": 7, "item_id": "i" * 50, "delta": "some words"},
        G: {
            "candidates": [{"content": {"parts": [{"text": "some words"}], "role": "model"}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5},
            "modelVersion": "gemini",
        },
    }
    one = event(texts[dialect], "x" if dialect in (A, R) else "")
    stream = one * 5000
    chunks = [stream[i : i + 16384] for i in range(0, len(stream), 16384)]
    assert min(repeat(lambda: watch(dialect, chunks), number=1, repeat=5)) / 5000 < 5e-6
