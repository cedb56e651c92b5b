"""However a stream comes in, the same bytes go out; and where it ends too early, an error and nothing like an end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.translate import AnswerTranslator
from tests.lightllm.translate import wire
from tests.lightllm.translate.exchange import plan, translated
from tests.lightllm.translate.fold import fold
from tests.lightllm.translate.pieces import cuts, events
from tests.lightllm.translate.samples import FULL, IDS, PAIRS, Sample, recorded, scripts, some_of

each_pair = pytest.mark.parametrize(("source", "target"), PAIRS, ids=IDS)

BYTEWISE = 40_000 if FULL else 4_000
"""Longest stream, in bytes, that is fed byte by byte."""
BOUNDARIES = 20 if FULL else 4
"""Most places at which one stream is cut off."""

PING = {
    Dialect.ANTHROPIC: b'event: ping\ndata: {"type": "ping"}\n\n',
    Dialect.OPENAI: b": keep-alive\n\n",
    Dialect.OPENAI_RESPONSES: b": keep-alive\n\n",
    Dialect.GOOGLE: b": keep-alive\n\n",
}


def without_pings(out: bytes) -> bytes:
    """The stream without its signs of life."""
    kept = []
    for event in events(out):
        found = sse.parse_event(event)
        if event.startswith(b":") or (found is not None and found.event == "ping"):
            continue
        kept.append(event)
    return b"".join(kept)


def feedings(sample: Sample) -> Iterator[tuple[str, list[bytes]]]:
    """Ways in which the same stream may come."""
    data = sample.stream
    chance = random.Random(sample.name)
    if len(data) <= BYTEWISE:
        yield "byte by byte", [data[at : at + 1] for at in range(len(data))]
    for _ in range(5 if FULL else 2):
        count = chance.choice((1, 3, 20, len(data) // 100))
        yield "at random cuts", cuts(data, [chance.randrange(len(data)) for _ in range(count)])
    lines = data.replace(b"\r\n", b"\n")
    yield "with CRLF", cuts(lines.replace(b"\n", b"\r\n"), [chance.randrange(len(data)) for _ in range(9)])
    yield "with CR", [lines.replace(b"\n", b"\r")]
    *early, last = events(data)
    yield "event by event", [*early, last]
    yield "with comments", [b"".join(b": comment\n" + event + b":\n\n" for event in early) + last]
    begun = [event for event in early[:2] if b"message_start" in event]
    rest = early[len(begun) :]
    yield "with pings", [b"".join([*begun, *(PING[sample.dialect] + event for event in rest), last])]


def fed(sample: Sample, target: Dialect) -> list[str]:
    """The ways that make a difference."""
    exchange = plan(sample.dialect, target)
    want = without_pings(translated(exchange, [sample.stream]))
    return [way for way, chunks in feedings(sample) if (without_pings(translated(exchange, chunks))) != want]


@each_pair
def test_scripts_come_in_any_pieces(source: Dialect, target: Dialect) -> None:
    assert {each.name: ways for each in scripts(source) if (ways := fed(each, target))} == {}


@each_pair
def test_recordings_come_in_any_pieces(source: Dialect, target: Dialect) -> None:
    assert {each.name: ways for each in some_of(recorded(source)) if (ways := fed(each, target))} == {}


def ends(dialect: Dialect, event: bytes) -> bool:
    """Whether an event makes a stream complete, or ends it with an error: the design's rule 3."""
    found = sse.parse_event(event)
    if found is None:
        return False
    if found.data == b"[DONE]":
        return True
    try:
        data = json.loads(found.data)
    except ValueError:
        return False
    if data.get("error") or data.get("type") == "error":
        return True
    match dialect:
        case Dialect.ANTHROPIC:
            return bool(data["type"] == "message_stop")
        case Dialect.OPENAI:
            return any(choice.get("finish_reason") for choice in data.get("choices") or [])
        case Dialect.OPENAI_RESPONSES:
            return data["type"] in ("response.completed", "response.incomplete", "response.failed")
        case Dialect.GOOGLE:
            return any(each.get("finishReason") for each in data.get("candidates", [])) or "promptFeedback" in data


def cut_off(sample: Sample, target: Dialect, boundaries: int = BOUNDARIES) -> list[str]:
    """What is wrong where the stream is cut off before it is complete, between two events and within one."""
    all_events = events(sample.stream)
    last = next((number for number, event in enumerate(all_events) if ends(sample.dialect, event)), len(all_events))
    places = list(range(last + 1))
    if len(places) > boundaries:
        places = sorted({0, last, *random.Random(sample.name).sample(places, boundaries - 2)})
    faults = []
    for number in places:
        head = b"".join(all_events[:number])
        beginning = all_events[number][: len(all_events[number]) // 2] if number < len(all_events) else b""
        for data in (head, head + beginning):
            found = wire.check(target, translated(plan(sample.dialect, target), [data] if data else []))
            faults += [f"after event {number}: {breach}" for breach in found.breaches]
            if not found.failed or found.complete:
                faults.append(f"after event {number}: no error end")
        if number in places[:: 10 if FULL else 100]:
            folded = fold(target, translated(plan(sample.dialect, target), [head]))
            if folded.stop != "error":
                faults.append(f"after event {number}: the SDK reads {folded.stop}")
    return faults


@each_pair
def test_scripts_that_are_cut_off_end_in_an_error(source: Dialect, target: Dialect) -> None:
    found = {each.name: faults for each in scripts(source) if (faults := cut_off(each, target, 1000 if FULL else 10))}
    assert found == {}


@each_pair
def test_recordings_that_are_cut_off_end_in_an_error(source: Dialect, target: Dialect) -> None:
    assert {each.name: faults for each in some_of(recorded(source)) if (faults := cut_off(each, target))} == {}


@each_pair
def test_a_stream_that_breaks_off_in_an_event_says_why(source: Dialect, target: Dialect) -> None:
    sample = next(iter(scripts(source)))
    begun = events(sample.stream)
    first = next(at for at, event in enumerate(begun) if b"data: {" in event)
    translator = AnswerTranslator(plan(source, target), Memory())
    translator.feed(b"".join(begun[: first + 1]) + b'data: {"type": "a')
    (told,) = translator.end("the line went dead")[-1:]
    assert b"the line went dead" in told
