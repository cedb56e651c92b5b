"""The checkers and the folds themselves: they take what the services send, and find what is wrong with the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockDelta,
    BlockSignature,
    BlockStart,
    BlockStop,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Ping,
)
from ccproxy.lightllm.status import Failure
from tests.lightllm.translate import wire
from tests.lightllm.translate.equivalence import differences
from tests.lightllm.translate.fold import Folded, document, fold, fold_document
from tests.lightllm.translate.grammar import breaches
from tests.lightllm.translate.models import invalid_document, invalid_events
from tests.lightllm.translate.pieces import events
from tests.lightllm.translate.samples import DIALECTS, Sample, recorded, scripts
from tests.lightllm.translate.scripted import Say, Script, Use, stream

FINE: list[Event] = [
    Begin("1", "m"),
    BlockStart(0, "thinking"),
    BlockDelta(0, "hm"),
    BlockSignature(0, "c2ln"),
    BlockStart(1, "call", "c", "read"),
    BlockDelta(1, "{}"),
    Ping(),
    BlockStop(0),
    BlockStop(1),
    Counts(Usage(1, 2)),
    Finish("tool"),
    Counts(Usage(1, 3)),
    End(),
]


def test_a_sequence_in_order_breaches_nothing() -> None:
    assert breaches(FINE) == []
    assert breaches([Failed(Failure(502, "upstream", "gone"))]) == []
    assert breaches([*FINE[:4], Failed(Failure(502, "upstream", "gone"))]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        FINE[1:],
        FINE[:-1],
        [*FINE, Ping()],
        [FINE[0], *FINE],
        [*FINE[:2], BlockDelta(0, ""), *FINE[2:]],
        [*FINE[:4], BlockSignature(0, "c2ln"), *FINE[4:]],
        [*FINE[:4], *FINE[5:]],
        [*FINE[:9], BlockStart(1, "text"), BlockStop(1), *FINE[9:]],
        [*FINE[:8], *FINE[9:]],
        [*FINE[:10], Finish("stop"), *FINE[11:]],
        [FINE[0], Finish("tool"), End()],
        [*FINE[:11], Ping(), *FINE[11:]],
        [FINE[0], BlockStart(0, "redacted"), BlockStop(0), Finish("stop"), End()],
        [FINE[0], BlockStart(0, "call", "c"), BlockStop(0), Finish("tool"), End()],
    ],
)
def test_a_sequence_out_of_order_is_found(wrong: list[Event]) -> None:
    assert breaches(wrong)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_streams_as_the_service_sends_them_are_in_order(dialect: Dialect) -> None:
    data = stream(dialect, Script([Say("Hello"), Use("call_1", "read", '{"a": 1}')], "tool"))
    found = wire.check(dialect, data)
    assert (found.breaches, found.complete, found.failed) == ([], True, False)
    assert invalid_events(dialect, found.events) == []
    *early, last = events(data)
    for number in range(len(early)):
        without = b"".join(early[:number] + early[number + 1 :]) + last
        if not any(needless in early[number] for needless in (b"ping", b'"partial_json": ""', b"candidates")):
            told = wire.check(dialect, without)
            assert told.breaches or _text(fold(dialect, without)) != _text(fold(dialect, data)), early[number]
    assert "neither complete nor ended by an error" in wire.check(dialect, b"".join(early[:3])).breaches
    assert wire.check(dialect, data + early[0]).breaches
    assert wire.check(dialect, data.replace(b"data: ", b"data:")).breaches


def _text(folded: Folded) -> object:
    return folded.text, folded.calls


def test_google_arrays_are_arrays() -> None:
    chunks = [sse.parse_event(each) for each in events(stream(Dialect.GOOGLE, Script([Say("Hello")], step=9)))]
    data = [each.data for each in chunks if each is not None]
    assert wire.check(Dialect.GOOGLE, b"[" + b",\n".join(data) + b"]", array=True).breaches == []
    assert wire.check(Dialect.GOOGLE, b"[" + b",\n".join(data), array=True).breaches
    assert wire.check(Dialect.GOOGLE, b"[" + b"\n".join(data) + b"]", array=True).breaches


@pytest.mark.parametrize(("dialect", "fine"), list(zip(DIALECTS, (20, 5, 12, 3), strict=True)), ids=DIALECTS)
def test_true_streams_are_in_order(dialect: Dialect, fine: int) -> None:
    """Not all: the services tell of server tools, and compatible ones are careless. But what is demanded of our
    writers, the vendors' own do."""
    found = [wire.check(dialect, _respelt(dialect, sample.stream)) for sample in recorded(dialect)]
    assert sum(not each.breaches and each.complete for each in found) >= fine


def _respelt(dialect: Dialect, data: bytes) -> bytes:
    """The stream with our spaces and line ends, and without what its service alone has."""
    out = b""
    for event in sse.SseParser().feed(data + b"\n\n"):
        try:
            value: Any = json.loads(event.data)
        except ValueError:
            out += sse.encode_event(event.data)
            continue
        for candidate in value.get("candidates", []):
            parts = candidate.get("content", {}).get("parts", [])
            parts[:] = [part for part in parts if part.get("text") != "" and not part.pop("thoughtSignature", None)]
        named = dialect in (Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES)
        out += sse.encode_event(json.dumps(value).encode(), value.get("type", "") if named else "")
    return out


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_folded_stream_is_what_its_document_says(dialect: Dialect) -> None:
    for sample in scripts(dialect):
        _same_as_document(sample)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_folded_recording_is_what_its_document_says(dialect: Dialect) -> None:
    readable = [sample for sample in recorded(dialect) if sample.folded is not None]
    assert len(readable) > len(recorded(dialect)) * 0.8
    for sample in readable:
        _same_as_document(sample)


def _same_as_document(sample: Sample) -> None:
    assert sample.folded is not None, sample.name
    whole = document(sample.dialect, sample.folded) if sample.folded.stop not in ("error", "cut") else None
    if whole is not None:
        assert differences(sample.folded, fold_document(sample.dialect, whole), Dialect.OPENAI) == {}, sample.name


def test_models_find_what_is_missing() -> None:
    found = wire.check(Dialect.OPENAI, stream(Dialect.OPENAI, Script([Say("Hello")])).replace(b'"created"', b'"made"'))
    assert invalid_events(Dialect.OPENAI, found.events)
    assert invalid_document(Dialect.ANTHROPIC, {"type": "message"})
    assert invalid_document(Dialect.GOOGLE, {"candidate": []})


def test_differences_are_found() -> None:
    want = Folded("text", "thinking", [], [("read", {"a": 1})], "tool", 10, 2, 0)
    assert differences(want, want, Dialect.OPENAI) == {}
    for name, value in [
        ("text", "tex"),
        ("thinking", ""),
        ("calls", []),
        ("calls", [("read", {"a": 2})]),
        ("stop", "stop"),
        ("input", 9),
        ("output", None),
        ("cache_read", 1),
    ]:
        got = Folded("text", "thinking", [], [("read", {"a": 1})], "tool", 10, 2, 0)
        setattr(got, name, value)
        assert differences(want, got, Dialect.OPENAI), name
    assert differences(Folded("text"), Folded("text", stop="stop"), Dialect.OPENAI)
    assert not differences(Folded("text"), Folded("text", stop="error"), Dialect.OPENAI)
