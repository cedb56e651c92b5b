"""The recorded streams of this dialect: read in order, and written for a client of it so that they say the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ccproxy.lightllm.answer import fold as folded
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import End, Event, Failed
from ccproxy.lightllm.openai_responses import response
from ccproxy.lightllm.openai_responses.stream_reader import StreamReader
from ccproxy.lightllm.openai_responses.stream_writer import StreamWriter
from ccproxy.lightllm.sse import SseParser
from tests.lightllm.openai_responses.shorthand import plan
from tests.lightllm.recordings import Recording, recordings
from tests.lightllm.translate import fold, wire
from tests.lightllm.translate.equivalence import differences
from tests.lightllm.translate.grammar import breaches
from tests.lightllm.translate.models import invalid_document, invalid_events

FOLDED_LIMIT = 60_000
"""Longest stream, in bytes, that is given to the SDK here, which takes its time."""


def own() -> Iterator[Recording]:
    return (each for each in recordings() if each.dialect is Dialect.OPENAI_RESPONSES)


def read(pieces: list[bytes]) -> list[Event]:
    parser, reader = SseParser(), StreamReader()
    events = [event for piece in pieces for each in parser.feed(piece) for event in reader.feed(each)]
    return events + reader.end()


def test_they_are_read_in_order_at_any_cuts() -> None:
    chance = random.Random(1)
    for recording in own():
        events = read([recording.stream])
        assert list(breaches(events)) == [], recording.name
        assert isinstance(events[-1], End) or recording.name.endswith("parallel-tool-call-wrapper.1.sse")
        at = sorted(chance.randrange(len(recording.stream)) for _ in range(50))
        pieces = [recording.stream[a:b] for a, b in zip([0, *at], [*at, len(recording.stream)], strict=True)]
        assert read([piece for piece in pieces if piece]) == events, recording.name


def test_what_is_written_says_the_same() -> None:
    """By the SDK's accumulator, the grammar, and the SDK's models; the whole answer is the stream's last event's."""
    compared = 0
    for recording in own():
        events = read([recording.stream])
        out = StreamWriter(plan()).write(events)
        found = wire.check(Dialect.OPENAI_RESPONSES, out)
        assert (found.breaches, invalid_events(Dialect.OPENAI_RESPONSES, found.events)) == ([], []), recording.name
        if isinstance(events[-1], Failed):
            continue
        document = response.write(folded(events), plan())
        assert invalid_document(Dialect.OPENAI_RESPONSES, document) == []
        assert document == found.events[-1][1]["response"], recording.name
        if len(recording.stream) > FOLDED_LIMIT:
            continue
        try:
            want = fold.fold(Dialect.OPENAI_RESPONSES, recording.stream)
        except fold.Unfoldable:  # its own SDK refuses it
            continue
        got = fold.fold(Dialect.OPENAI_RESPONSES, out)
        assert differences(want, got, Dialect.OPENAI_RESPONSES) == {}, recording.name
        compared += 1
    assert compared


def test_cut_before_the_end_none_is_complete() -> None:
    for recording in own():
        blocks = recording.stream.replace(b"\r\n", b"\n").split(b"\n\n")
        last = next(index for index, block in enumerate(blocks) if b'"response.completed"' in block)
        for cut in {0, 1, 2, last // 2, last}:
            events = read([b"\n\n".join(blocks[:cut]) + b"\n\n"])
            assert not any(isinstance(event, End) for event in events), (recording.name, cut)
