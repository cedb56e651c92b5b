"""The stream callable of an answer."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from ccproxy.listener.answer import Answer, Capture, Withheld
from ccproxy.listener.coding import decoder


class Holding:
    """A scrubber that holds back the last byte, as one does that looks across chunk borders."""

    def __init__(self) -> None:
        self.held = b""

    def feed(self, chunk: bytes) -> bytes:
        whole = self.held + chunk
        self.held = whole[-1:]
        return whole[:-1].replace(b"key", b"***")

    def flush(self) -> bytes:
        return self.held


class Watching:
    def __init__(self) -> None:
        self.seen = b""

    def feed(self, chunk: bytes) -> None:
        self.seen += chunk


def sent(answer: Answer, chunks: list[bytes]) -> list[bytes]:
    return [piece for chunk in [*chunks, b""] for piece in answer(chunk)]


@pytest.mark.parametrize("chunks", [[b"abcdef"], [b"ab", b"cdef"], [b"abc", b"d", b"ef"], [b"abcd", b"ef"]])
def test_a_capture_keeps_the_first_bytes_and_the_hash_of_all(chunks: list[bytes]) -> None:
    capture = Capture(4)
    for chunk in chunks:
        capture.add(chunk)
    assert sum(map(len, capture.parts)) == 4, "no more is held"
    body = capture.body()
    assert (body.data, body.size, body.truncated) == (b"abcd", 6, True)
    assert body.sha256 == hashlib.sha256(b"abcdef").hexdigest()


@pytest.mark.parametrize(("limit", "kept"), [(6, b"abcdef"), (7, b"abcdef"), (0, b"")])
def test_a_capture_at_its_limit(limit: int, kept: bytes) -> None:
    capture = Capture(limit)
    capture.add(b"abc")
    capture.add(b"def")
    assert (capture.body().data, capture.body().truncated) == (kept, limit == 0)


def test_chunks_pass_as_they_come_and_none_is_empty() -> None:
    watching = Watching()
    answer = Answer(Capture(100), tap=watching)
    assert answer(b"ab") == [b"ab"]
    assert answer(b"c") == [b"c"]
    assert answer(b"") == []
    assert (watching.seen, answer.capture.body().data) == (b"abc", b"abc")


def test_what_a_scrubber_holds_back_comes_at_the_end_and_is_never_an_empty_chunk() -> None:
    watching = Watching()
    answer = Answer(Capture(100), scrub=Holding(), tap=watching)
    pieces = sent(answer, [b"a", b"key.", b"b"])
    assert b"".join(pieces) == b"a***.b"
    assert all(pieces), "an empty chunk would end an HTTP/1 body"
    assert watching.seen == answer.capture.body().data == b"a***.b"


def test_the_end_may_add_something() -> None:
    answer = Answer(Capture(100))
    answer.on_end = lambda: b"!"
    assert sent(answer, [b"a"]) == [b"a", b"!"]


def test_a_broken_coding_ends_the_body_once() -> None:
    breaks: list[str] = []
    answer = Answer(Capture(100), decoder=decoder("gzip"))
    answer.on_break = lambda: breaks.append(answer.broken)
    packed = gzip.compress(b"good")
    assert sent(answer, [packed[:-4], b"\0" * 8, b"more"]) == [b"good"]
    assert len(breaks) == 1
    assert "not of the content coding" in breaks[0]


def test_a_bomb_is_no_answer() -> None:
    answer = Answer(Capture(100), decoder=decoder("gzip"))
    passed = sum(map(len, sent(answer, [gzip.compress(b"\0" * (64 << 20))])))
    assert passed <= 16 << 20
    assert "become more than" in answer.broken


def test_what_is_withheld_is_replaced_at_its_end() -> None:
    withheld = Withheld(lambda said: b"instead of " + said)
    assert withheld(b"this") == []
    assert withheld(b"x" * 200_000) == []
    assert len(withheld.said) == Withheld.KEPT
    assert withheld(b"")[0].startswith(b"instead of this")
