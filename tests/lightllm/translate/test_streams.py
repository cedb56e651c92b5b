"""Every stream in every other dialect says what its own SDK makes of it, in the target's exact grammar."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.codecs import STREAM_READERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import Event
from ccproxy.lightllm.failure import Failure, encode_failure, encode_stream_failure
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.translate import AnswerTranslator
from tests.lightllm.translate import grammar, wire
from tests.lightllm.translate.equivalence import differences
from tests.lightllm.translate.exchange import buffered, plan, translated
from tests.lightllm.translate.fold import Folded, Unfoldable, document, fold, fold_document
from tests.lightllm.translate.models import invalid_document, invalid_events
from tests.lightllm.translate.pieces import events
from tests.lightllm.translate.samples import DIALECTS, IDS, PAIRS, Sample, recorded, scripts, some_of
from tests.lightllm.translate.scripted import Say, Script, Use, stream

each_pair = pytest.mark.parametrize(("source", "target"), PAIRS, ids=IDS)
each_dialect = pytest.mark.parametrize("source", DIALECTS)


def read(sample: Sample) -> list[Event]:
    """The stream as its dialect's reader tells it."""
    reader = STREAM_READERS[sample.dialect]()
    told = [event for each in sse.SseParser().feed(sample.stream + b"\n\n") for event in reader.feed(each)]
    return told + reader.end()


def said(sample: Sample, target: Dialect, out: bytes, *, array: bool = False) -> list[str]:
    """What is wrong with the answer that a client of ``target`` gets."""
    found = wire.check(target, out, array=array)
    faults = found.breaches + invalid_events(target, found.events)
    want = sample.folded
    if want is not None:
        faults += [f"the source's signature {each[:40]}" for each in want.signatures if each and each.encode() in out]
    if want is None or array:
        return faults
    try:
        got = fold(target, out)
    except Unfoldable as error:
        return [*faults, f"the SDK fails: {error}"]
    return faults + told(differences(want, got, target))


def told(found: dict[str, tuple[object, object]]) -> list[str]:
    """Differences in words."""
    return [f"{name}: {str(want)[:300]!r} became {str(got)[:300]!r}" for name, (want, got) in found.items()]


def streamed(sample: Sample, target: Dialect) -> list[str]:
    return said(sample, target, translated(plan(sample.dialect, target), [sample.stream]))


def whole(sample: Sample, target: Dialect) -> list[str]:
    """What is wrong with the answer to a client that does not read events."""
    found = buffered(plan(sample.dialect, target, stream=False), [sample.stream])
    want = sample.folded
    if want is None or found is None:
        fails = want is None or want.stop in ("error", "cut", "other")
        return [] if fails else ["no whole answer"]
    try:
        got = fold_document(target, found)
    except Unfoldable as error:
        return [f"the SDK fails: {error}"]
    faults = invalid_document(target, found) + told(differences(want, got, target))
    try:
        live = fold(target, translated(plan(sample.dialect, target), [sample.stream]))
    except Unfoldable:
        return faults  # said by ``streamed``
    return faults + [f"not as streamed: {fault}" for fault in told(differences(live, got, Dialect.OPENAI))]


def from_document(sample: Sample, target: Dialect) -> list[str]:
    """What is wrong where the provider answers with one JSON document, to a client of events or of such, too."""
    want = sample.folded
    if want is None or want.stop in ("error", "cut") or (body := document(sample.dialect, want)) is None:
        return []
    as_document = fold_document(sample.dialect, body)
    as_document.streamed = want.streamed
    again = Sample(sample.name, sample.dialect, json.dumps(body, indent=1).encode(), as_document)
    return [f"JSON: {fault}" for fault in streamed(again, target) + whole(again, target)]


type Check = Callable[[Sample, Dialect], list[str]]


def collected(samples: tuple[Sample, ...], target: Dialect, check: Check) -> dict[str, list[str]]:
    """Name → faults, of those that have any."""
    return {sample.name: faults for sample in samples if (faults := check(sample, target))}


@each_dialect
def test_readers_keep_the_order_for_scripts(source: Dialect) -> None:
    assert {each.name: found for each in scripts(source) if (found := grammar.breaches(read(each)))} == {}


@each_dialect
def test_readers_keep_the_order_for_recordings(source: Dialect) -> None:
    assert {each.name: found for each in recorded(source) if (found := grammar.breaches(read(each)))} == {}


@each_pair
@pytest.mark.parametrize("check", [streamed, whole, from_document])
def test_scripts_say_the_same(source: Dialect, target: Dialect, check: Check) -> None:
    assert collected(scripts(source), target, check) == {}


@each_pair
def test_recordings_say_the_same(source: Dialect, target: Dialect) -> None:
    assert collected(recorded(source), target, streamed) == {}


@each_pair
@pytest.mark.parametrize("check", [whole, from_document])
def test_recordings_say_the_same_as_documents(source: Dialect, target: Dialect, check: Check) -> None:
    assert collected(some_of(recorded(source)), target, check) == {}


@each_pair
def test_arguments_that_a_limit_cut_off_are_read_as_far_as_they_go(source: Dialect, target: Dialect) -> None:
    for arguments in ("{", '{"a":', '{"a": "x', '{"a": "x", "b', '{"a": "x", ', '{"a": [1, {"b": 2', '{"a": 1}'):
        if source is not Dialect.GOOGLE or arguments == '{"a": 1}':  # Gemini's are whole
            data = stream(source, Script([Say("I try."), Use("call_1", "read", arguments)], "length"))
            sample = Sample(arguments, source, data, fold(source, data))
            assert streamed(sample, target) == []
            if arguments != '{"a": "x':  # a document may keep the text that the accumulators give up
                assert whole(sample, target) == []


@each_pair
def test_half_a_character_in_arguments_that_were_cut_off_does_no_harm(source: Dialect, target: Dialect) -> None:
    if source is not Dialect.GOOGLE:
        data = stream(source, Script([Use("call_1", "read", '{"a": "\ud800 x", "b": "y')], "length", step=4))
        assert buffered(plan(source, target, stream=False), [data]) is not None
        assert wire.check(target, translated(plan(source, target), [data])).breaches == []


@pytest.mark.parametrize("source", [each for each in DIALECTS if each is not Dialect.GOOGLE])
def test_a_google_array_has_the_chunks_of_the_stream(source: Dialect) -> None:
    for sample in scripts(source):
        out = translated(plan(source, Dialect.GOOGLE, array=True), [sample.stream])
        assert said(sample, Dialect.GOOGLE, out, array=True) == []
        live = wire.check(Dialect.GOOGLE, translated(plan(source, Dialect.GOOGLE), [sample.stream]))
        assert wire.check(Dialect.GOOGLE, out, array=True).events == live.events


@pytest.mark.parametrize("source", [each for each in DIALECTS if each is not Dialect.OPENAI])
def test_a_chat_client_gets_usage_only_if_it_asked(source: Dialect) -> None:
    for sample in scripts(source):
        out = translated(plan(source, Dialect.OPENAI, usage=False), [sample.stream])
        found = wire.check(Dialect.OPENAI, out, usage=False)
        assert found.breaches == [] and found.complete
        assert not any(event and event.get("usage") for _, event in found.events)


@pytest.mark.parametrize("target", [each for each in DIALECTS if each is not Dialect.GOOGLE])
def test_a_google_provider_may_stream_an_array(target: Dialect) -> None:
    for sample in scripts(Dialect.GOOGLE):
        chunks = [event.data for event in sse.SseParser().feed(sample.stream)]
        out = translated(plan(Dialect.GOOGLE, target), [b"[" + b",\n".join(chunks) + b"]"])
        assert said(sample, target, out) == []


@each_pair
def test_an_error_in_place_of_an_answer_is_told(source: Dialect, target: Dialect) -> None:
    """Some servers send it with status 200; as a stream's only event, or as a document."""
    failure = Failure(429, "rate_limit", "come back tomorrow", code="rate_limit_exceeded")
    for data in (encode_failure(source, failure), encode_stream_failure(source, failure)):
        translator = AnswerTranslator(plan(source, target), Memory())
        out = b"".join(translator.feed(data) + translator.end())
        found = wire.check(target, out)
        assert found.breaches == [] and found.failed and not found.complete
        folded = fold(target, out)
        assert folded.stop == "error" and "come back tomorrow" in folded.error
        assert translator.failure is not None and translator.failure.kind == "rate_limit"
        assert buffered(plan(source, target, stream=False), [data]) is None


@each_pair
def test_text_is_passed_on_at_once(source: Dialect, target: Dialect) -> None:
    """With each of the provider's events goes what it says, and with the first one a beginning."""
    words = [f"word{number:04}" for number in range(30)]
    translator = AnswerTranslator(plan(source, target), Memory())
    begun, told = b"", 0
    for event in events(stream(source, Script([Say("".join(words))], step=8))):
        out = b"".join(translator.feed(event))
        begun = begun or (out if target is not Dialect.GOOGLE or b"word" in event else b"-")
        assert begun, "nothing is said to the first event"
        came, went = (re.findall(rb"word\d{4}", b"".join(map(new, events(data)))) for data in (event, out))
        assert went == came
        told += len(went)
    assert told == len(words)


def new(event: bytes) -> bytes:
    """An event of a stream, but for what repeats earlier ones."""
    return b"" if b"done" in event or b"completed" in event else event


def test_a_failed_answer_says_what_the_provider_said() -> None:
    failed = [each for each in recorded(Dialect.OPENAI) if each.folded is not None and each.folded.stop == "error"]
    assert failed
    for sample in failed:
        assert sample.folded is not None
        message = sample.folded.error.partition(": ")[2][:60]
        for target in DIALECTS:
            if target is not Dialect.OPENAI:
                folded: Folded = fold(target, translated(plan(Dialect.OPENAI, target), [sample.stream]))
                assert folded.stop == "error" and message in folded.error
