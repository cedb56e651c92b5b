from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.sse import EventTooLarge, SseParser, encode_event
from tests.lightllm.recordings import recordings

type Pairs = list[tuple[str, bytes]]

CASES: list[tuple[str, bytes, Pairs]] = [
    ("one", b"data: a\n\n", [("", b"a")]),
    ("named", b"event: e\ndata: a\n\n", [("e", b"a")]),
    ("name after data", b"data: a\nevent: e\n\n", [("e", b"a")]),
    ("last name counts", b"event: e\nevent: f\ndata: a\n\n", [("f", b"a")]),
    ("name is forgotten", b"event: e\ndata: a\n\ndata: b\n\n", [("e", b"a"), ("", b"b")]),
    ("crlf", b"event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n", [("e", b"a"), ("", b"b")]),
    ("cr", b"event: e\rdata: a\r\rdata: b\r\r", [("e", b"a"), ("", b"b")]),
    ("mixed ends", b"data: a\r\ndata: b\n\r\ndata: c\r\n\ndata: d\r\r", [("", b"a\nb"), ("", b"c"), ("", b"d")]),
    ("lf and cr", b"data: a\n\rdata: b\n\r", [("", b"a"), ("", b"b")]),
    ("two lines", b"data: a\ndata: b\n\n", [("", b"a\nb")]),
    ("empty line of data", b"data: a\ndata\ndata: b\n\n", [("", b"a\n\nb")]),
    ("empty data", b"data\n\n", [("", b"")]),
    ("empty data with colon", b"data:\n\n", [("", b"")]),
    ("no data", b"event: ping\n\ndata: a\n\n", [("", b"a")]),
    ("no space", b"data:a\n\n", [("", b"a")]),
    ("one space only", b"data:  a \n\n", [("", b" a ")]),
    ("colons in value", b"data: a: b\n\n", [("", b"a: b")]),
    ("comment", b": keep\n\n:\n\ndata: a\n: in between\ndata: b\n\n", [("", b"a\nb")]),
    ("unknown fields", b"id: 1\nretry: 5\nfoo: bar\nfoo\ndata: a\n\n", [("", b"a")]),
    ("name in capitals is no field", b"Data: a\n\ndata: b\n\n", [("", b"b")]),
    ("space before colon", b"data : a\n\ndata: b\n\n", [("", b"b")]),
    ("more empty lines", b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [("", b"a"), ("", b"b")]),
    ("byte order mark", b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
    ("only the first mark", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("", b"b")]),
    ("mark further on", b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", [("", b"a"), ("", b"c")]),
    ("other spaces end no line", "data: a\u2028\u0085\x0b\x0c\n\n".encode(), [("", "a\u2028\u0085\x0b\x0c".encode())]),
    ("nul and bad utf-8 in data", b"data: \x00\xff\n\n", [("", b"\x00\xff")]),
    ("bad utf-8 in a name", b"event: \xff\ndata: a\n\n", [("\ufffd", b"a")]),
    ("cut", b"data: a\n\ndata: b\n", [("", b"a")]),
    ("nothing", b"", []),
]  # fmt: skip


def pairs(chunks: Iterable[bytes], parser: SseParser | None = None) -> Pairs:
    parser = parser or SseParser()
    return [(event.event, event.data) for chunk in chunks for event in parser.feed(chunk)]


def cuts(data: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
class TestCases:
    def test_whole(self, data: bytes, expected: Pairs) -> None:
        assert pairs([data]) == expected

    def test_byte_by_byte(self, data: bytes, expected: Pairs) -> None:
        assert pairs(data[i : i + 1] for i in range(len(data))) == expected

    def test_every_cut(self, data: bytes, expected: Pairs) -> None:
        for i in range(len(data) + 1):
            assert pairs([data[:i], b"", data[i:]]) == expected

    def test_between_other_events(self, data: bytes, expected: Pairs) -> None:
        if not data.startswith(b"\xef"):
            parser = SseParser()
            assert pairs([b"data: x\n\n" + data], parser) == [("", b"x"), *expected]


def test_rest_is_what_was_not_dispatched() -> None:
    parser = SseParser()
    parser.feed(b"data: a\n\ndata: b\nev")
    assert parser.rest == b"data: b\nev"
    parser.feed(b"ent: e\n\n")
    assert parser.rest == b""


def test_raw_is_the_event_as_it_was() -> None:
    stream = b"event: e\ndata:a\n\n:x\ndata: b\n\n"
    assert b"".join(event.raw for event in SseParser().feed(stream)) == stream


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), st.binary()), max_size=5),
    st.randoms(),
)
def test_what_is_encoded_is_parsed(events: Pairs, rng: random.Random) -> None:
    stream = b"".join(encode_event(data, name) for name, data in events)
    wanted = [(name, data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) for name, data in events]
    assert pairs(cuts(stream, (rng.randrange(len(stream) + 1) for _ in range(8)))) == wanted


@given(
    st.lists(st.sampled_from([b"data", b"event", b": ", b":", b"\n", b"\r", b"\r\n", b"x", b"\xef\xbb\xbf"])), st.data()
)
def test_cuts_never_matter(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    at = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    assert pairs(cuts(stream, at)) == pairs([stream])


def test_recordings_at_random_cuts() -> None:
    rng = random.Random(1)
    for recording in recordings():
        whole = pairs([recording.stream])
        assert whole, recording.name
        at = (rng.randrange(len(recording.stream)) for _ in range(50))
        assert pairs(cuts(recording.stream, at)) == whole, recording.name
        crlf = recording.stream.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert pairs(cuts(crlf, (rng.randrange(len(crlf)) for _ in range(50)))) == whole, recording.name


@pytest.mark.parametrize("piece", [b"x", b": ping\n", b"data: x\n", b"\r\ndata: x"])
def test_an_endless_event_is_refused_within_bounded_memory(piece: bytes) -> None:
    parser = SseParser(limit=100_000)
    chunk = piece * (5000 // len(piece))
    tracemalloc.start()
    with pytest.raises(EventTooLarge, match="bytes") as raised:
        for _ in range(1000):
            parser.feed(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400_000
    assert isinstance(raised.value, UpstreamError)


def test_a_limit_holds_for_an_event_in_one_chunk() -> None:
    parser = SseParser(limit=20)
    assert pairs([b"data: " + b"x" * 12 + b"\n\n"], parser) == [("", b"x" * 12)]
    with pytest.raises(EventTooLarge):
        parser.feed(b"data: " + b"x" * 13 + b"\n\n")


def test_a_long_stream_of_small_events_is_no_long_event() -> None:
    parser = SseParser(limit=50)
    assert len(pairs([b"data: 0123456789\n\n" * 1000], parser)) == 1000


def test_a_long_line_costs_its_length_once() -> None:
    """4 MiB in 1-KiB pieces: a parser that copies or rescans what it holds would need minutes."""
    parser = SseParser()
    for _ in range(4096):
        parser.feed(b"x" * 1024)
    assert pairs([b"\ndata: a\n\n"], parser) == [("", b"a")]


def test_an_event_type_is_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        encode_event(b"", "a\nb")
