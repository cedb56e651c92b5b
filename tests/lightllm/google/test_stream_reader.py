"""Chunks of Gemini's in, events out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.answer import fold
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
    Media,
)
from ccproxy.lightllm.google import response
from ccproxy.lightllm.google.reasons import BROKEN, REASONS
from ccproxy.lightllm.google.stream_reader import StreamReader
from ccproxy.lightllm.sse import SseParser
from ccproxy.lightllm.status import Failure
from tests.lightllm.recordings import recordings
from tests.lightllm.translate.grammar import breaches


def read(stream: bytes, step: int = 0) -> list[Event]:
    parser, reader = SseParser(), StreamReader()
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)] if step else [stream]
    return [event for piece in pieces for each in parser.feed(piece) for event in reader.feed(each)] + reader.end()


def streamed(*chunks: Any) -> list[Event]:
    events = read(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    assert breaches(events, whole=False) == []
    return events


def chunk(*parts: Any, **beside: Any) -> Any:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0, **beside}]}


def blocks(*chunks: Any) -> list[Event]:
    """What stands between Begin and Finish."""
    events = streamed(*chunks, chunk(finishReason="STOP"))
    assert events[0] == Begin()
    assert isinstance(events[-2], Finish) and events[-1] == End()
    return events[1:-2]


def text(index: int, *pieces: str) -> list[Event]:
    return [BlockStart(index, "text"), *(BlockDelta(index, piece) for piece in pieces), BlockStop(index)]


SIGNED = {"text": "", "thoughtSignature": "c2ln"}


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([chunk({"text": "a"}), chunk({"text": ""}), chunk({"text": "b"})], text(0, "a", "b"), id="text"),
        pytest.param(
            [chunk({"text": "hm", "thought": True}, {"text": "a"}), chunk({"text": "b"}, {"text": "c"})],
            [BlockStart(0, "thinking"), BlockDelta(0, "hm"), BlockStop(0), *text(1, "a", "b", "c")],
            id="thought and text in one chunk",
        ),
        pytest.param(
            [chunk({"text": "a"}), chunk(SIGNED)],
            [BlockStart(0, "text"), BlockDelta(0, "a"), BlockSignature(0, "c2ln"), BlockStop(0)],
            id="signature behind its text",
        ),
        pytest.param(
            [chunk({"text": "a", "thoughtSignature": "c2ln"}), chunk({"text": "b"})],
            [BlockStart(0, "text"), BlockDelta(0, "a"), BlockSignature(0, "c2ln"), BlockDelta(0, "b"), BlockStop(0)],
            id="signature with its text",
        ),
        pytest.param(
            [chunk({"text": "a", "thoughtSignature": "x"}), chunk({"text": "b", "thoughtSignature": "y"})],
            [
                *(BlockStart(0, "text"), BlockDelta(0, "a"), BlockSignature(0, "x"), BlockStop(0)),
                *(BlockStart(1, "text"), BlockDelta(1, "b"), BlockSignature(1, "y"), BlockStop(1)),
            ],
            id="two signed texts",
        ),
        pytest.param(
            [chunk({"text": "hm", "thought": True, "thoughtSignature": "x"}), chunk({"thoughtSignature": "y"})],
            [
                *(BlockStart(0, "thinking"), BlockDelta(0, "hm"), BlockSignature(0, "x"), BlockStop(0)),
                *(BlockStart(1, "redacted"), BlockSignature(1, "y"), BlockStop(1)),
            ],
            id="a signature of its own",
        ),
        pytest.param(
            [chunk({"functionCall": {"name": "f", "args": {"a": [1.5, "ä"]}, "id": "c"}, "thoughtSignature": "x"})],
            [
                *(BlockStart(0, "call", "c", "f"), BlockSignature(0, "x")),
                *(BlockDelta(0, '{"a":[1.5,"ä"]}'), BlockStop(0)),
            ],
            id="call",
        ),
        pytest.param(
            [chunk({"functionCall": {"name": "f"}}), chunk({"functionCall": {"name": "f", "args": None, "id": ""}})],
            [
                *(BlockStart(0, "call", None, "f"), BlockDelta(0, "{}"), BlockStop(0)),
                *(BlockStart(1, "call", None, "f"), BlockDelta(1, "{}"), BlockStop(1)),
            ],
            id="calls without arguments",
        ),
        pytest.param(
            [chunk({"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "-_8="}}, {"text": "b"})],
            [*text(0, "a"), Media(1, "image/png", "+/8="), *text(2, "b")],
            id="picture",
        ),
        pytest.param(
            [
                chunk({"executableCode": {"code": "1"}, "thoughtSignature": "x"}, {"text": ""}),
                chunk({"codeExecutionResult": {"output": "1"}}),
                chunk({"toolCall": {"id": "1"}}, {"toolResponse": {"id": "1"}}),
                chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True}),
                chunk({"of the future": 1}, {}, {"text": "a"}),
                {"candidates": [{"index": 1, "content": {"parts": [{"text": "another answer"}]}}]},
            ],
            text(0, "a"),
            id="what is not shown",
        ),
    ],
)  # fmt: skip
def test_parts(chunks: list[Any], expected: list[Event]) -> None:
    assert blocks(*chunks) == expected


def test_arguments_in_pieces() -> None:
    def piece(goes_on: bool | None = True, **said: Any) -> Any:
        return chunk({"functionCall": {**said, **({"willContinue": goes_on} if goes_on is not None else {})}})

    def put(path: str, **value: Any) -> Any:
        return piece(partialArgs=[{"jsonPath": path, **value}])

    def told(index: int, name: str, arguments: str, signature: str | None = None) -> list[Event]:
        signed: list[Event] = [BlockSignature(index, signature)] if signature else []
        return [BlockStart(index, "call", None, name), *signed, BlockDelta(index, arguments), BlockStop(index)]

    assert blocks(
        chunk({"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": "x"}),
        put("$.a[0].b", stringValue="Mi", willContinue=True),
        put("$.a[0].b", stringValue="x", willContinue=True),
        put("$.a[0].b", stringValue=""),
        piece(
            partialArgs=[{"jsonPath": "$.a[1]['c d']", "numberValue": 3}, {"jsonPath": '$["e"]', "boolValue": False}]
        ),
        put("$.n", nullValue="NULL_VALUE"),
        piece(None),
        piece(None),
        piece(name="g", args={"x": 1}),
        piece(None, partialArgs=[{"jsonPath": "$.y", "stringValue": "z"}]),
        piece(name="h"),
        chunk({"text": ""}),
        put("$.late", numberValue=1),
    ) == [
        *told(0, "f", '{"a":[{"b":"Mix"},{"c d":3}],"e":false,"n":null}', "x"),
        *told(1, "g", '{"x":1,"y":"z"}'),
        *told(2, "h", '{"late":1}'),
    ]


@pytest.mark.parametrize("path", ["a", "$.a.b", "$[0]", "$.l[1]", "$.a[0]", "$..a", None])
def test_pieces_that_do_not_fit(path: str | None) -> None:
    begun = {"functionCall": {"name": "f", "args": {"a": 1, "l": []}, "willContinue": True}}
    events = streamed(chunk(begun), chunk({"functionCall": {"partialArgs": [{"jsonPath": path, "numberValue": 1}]}}))
    assert isinstance(events[-1], Failed) and "do not fit together" in events[-1].failure.message


@pytest.mark.parametrize(("word", "reason"), [*REASONS.items(), ("OF_THE_FUTURE", "other")])
def test_finish_reasons(word: str, reason: str) -> None:
    plain = "stop" if reason == "tool" else reason
    assert streamed(chunk({"text": "a"}, finishReason=word))[-2:] == [Finish(plain), End()]  # type: ignore[arg-type]
    called = "tool" if reason == "stop" else reason
    calling = streamed(chunk({"functionCall": {"name": "f"}}), chunk(finishReason=word))
    assert calling[-2:] == [Finish(called), End()]  # type: ignore[arg-type]


@pytest.mark.parametrize("word", sorted(BROKEN))
def test_an_answer_of_which_the_service_could_make_nothing(word: str) -> None:
    thought = chunk({"text": "hm", "thought": True})
    events = streamed(
        thought, {**chunk(finishReason=word, finishMessage="f("), "usageMetadata": {"promptTokenCount": 1}}
    )
    message = f"the model's answer could not be read ({word}): f("
    assert events[-3:] == [Counts(Usage(1, 0)), BlockStop(0), Failed(Failure(502, "upstream", message))]


def test_a_refused_prompt() -> None:
    for candidates in ({}, {"candidates": []}):
        counts = {"usageMetadata": {"promptTokenCount": 9}}
        assert streamed({"promptFeedback": {"blockReason": "SAFETY"}, **candidates, **counts}) == [
            *(Begin(), Counts(Usage(9, 0)), Finish("filtered"), End()),
        ]


def test_a_reason_in_every_chunk() -> None:
    events = streamed(*(chunk({"text": each}, finishReason="STOP") for each in "abc"))
    assert events == [Begin(), *text(0, "a", "b", "c"), Finish("stop"), End()]


def test_counts_are_told_first_and_last() -> None:
    def counted(**counts: int | None) -> Any:
        return {**chunk({"text": "a"}), "usageMetadata": counts}

    events = streamed(
        counted(trafficType=1),
        counted(promptTokenCount=10, cachedContentTokenCount=4),
        counted(promptTokenCount=10, candidatesTokenCount=1, thoughtsTokenCount=5),
        counted(promptTokenCount=12, candidatesTokenCount=2, cachedContentTokenCount=None),
        chunk(finishReason="STOP"),
        {"usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3, "toolUsePromptTokenCount": 100}},
    )
    assert [event.usage for event in events if isinstance(event, Counts)] == [
        Usage(10, 0, 4),
        Usage(112, 8, 4, None, 5),
    ]
    cut = streamed(counted(promptTokenCount=1), counted(promptTokenCount=1, candidatesTokenCount=7))
    assert cut[-1] == Counts(Usage(1, 7))  # not complete, and yet counted


def test_who_answers() -> None:
    head = {"responseId": "r", "modelVersion": "m", "createTime": "2026-03-21T18:11:55.919086Z"}
    assert streamed({**chunk(), **head})[0] == Begin("r", "m", 1774116715)
    assert streamed({"response": {**chunk({"text": "a"}), **head}, "traceId": "t"})[0] == Begin("r", "m", 1774116715)
    assert streamed({**chunk(), "createTime": "yesterday"})[0] == Begin()


def test_sources() -> None:
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a.example", "title": "A"}},
            {"retrievedContext": {"fileSearchStore": "stores/1", "text": "an apple"}},
            {"maps": {"uri": "https://m.example", "title": "M"}},
            {},
        ],
        "groundingSupports": [
            {"segment": {"endIndex": 2}, "groundingChunkIndices": [0, 3, 9]},
            {"segment": {"startIndex": 3, "endIndex": 8, "text": "pfel "}, "groundingChunkIndices": [1, 0]},
            {"segment": {"startIndex": 900, "endIndex": 903, "text": "rot"}, "groundingChunkIndices": [2]},
            {"segment": {"text": "grün"}, "groundingChunkIndices": [0]},
        ],
    }
    cited = {"citationSources": [{"startIndex": 0, "endIndex": 2, "uri": "https://c.example"}, {"license": "MIT"}]}
    events = blocks(
        chunk({"text": "Ä"}, groundingMetadata={}),
        chunk({"text": "pfel rot"}, groundingMetadata=grounding),
        chunk(groundingMetadata=grounding, citationMetadata=cited),
    )
    assert [event.citation for event in events if isinstance(event, BlockCitation)] == [
        Citation("https://a.example", "A", None, 0, 1),
        Citation("stores/1", None, "an apple", 1, 6),
        Citation("https://a.example", "A", None, 1, 6),
        Citation("https://m.example", "M", None, 6, 9),
        Citation("https://a.example", "A"),
        Citation("https://c.example", None, None, 0, 1),
    ]
    alone = blocks(chunk({"text": "a"}, groundingMetadata={"groundingChunks": [{"web": {"uri": "https://a.example"}}]}))
    assert BlockCitation(0, Citation("https://a.example")) in alone


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}, Failure(429, "rate_limit", "slow")),
        ({"message": "busy", "status": "UNAVAILABLE"}, Failure(503, "overloaded", "busy")),
        ("a word", Failure(500, "internal", "a word")),
    ],
)
def test_errors(error: Any, failure: Failure) -> None:
    assert streamed({"error": error}, chunk({"text": "late"})) == [Failed(failure)]
    assert streamed([{"error": error}]) == [Failed(failure)]
    assert streamed({**chunk({"text": "a"}), "usageMetadata": {"promptTokenCount": 1}}, {"error": error})[-1] == Failed(
        failure
    )


@pytest.mark.parametrize(
    "data",
    [
        *(b"{", b'"a"', b"1", b"{} {}", b'{"a":NaN}', b"[" * 300 + b"]" * 300, b"\xff"),
        *(b'{"candidates":1}', b'{"candidates":[1]}', b'{"candidates":[{"content":{"parts":1}}]}'),
        *(b'{"candidates":[{"content":{"parts":[1]}}]}', b'{"candidates":[{"content":{"parts":[{"text":1}]}}]}'),
        b'{"candidates":[{"content":{"parts":[{"text":"a","thoughtSignature":1}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":1}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":"{}"}}]}}]}',
        b'{"usageMetadata":1}',
    ],
)
def test_what_cannot_be_read(data: bytes) -> None:
    events = read(b"data: " + data + b'\n\ndata: {"candidates":[{"content":{"parts":[{"text":"late"}]}}]}\n\n')
    assert breaches(events) == []
    assert isinstance(events[-1], Failed)
    assert (events[-1].failure.status, events[-1].failure.kind) == (502, "upstream")


def test_oddities_that_are_read() -> None:
    done = (
        b'data: {"candidates":[{"content":{"parts":[{"text":"\\ud83d"}]},"finishReason":"STOP"}]}\n\ndata: [DONE]\n\n'
    )
    assert read(done) == [Begin(), *text(0, "\ud83d"), Finish("stop"), End()]
    assert read(b"") == []


@pytest.fixture(scope="module")
def streams() -> list[bytes]:
    return [each.stream.replace(b"\r\n", b"\n") for each in recordings() if each.dialect is Dialect.GOOGLE]


def test_every_recording(streams: list[bytes]) -> None:
    assert streams
    for stream in streams:
        events = read(stream)
        assert breaches(events) == []
        assert read(stream.replace(b"\n", b"\r\n"), 7) == events
        assert events[-1] == End()
        assert fold(events).reason in ("stop", "tool")


def test_every_recording_that_is_cut(streams: list[bytes]) -> None:
    for stream in streams:
        before, _, last = stream.rpartition(b"data: ")
        assert b"finishReason" in last
        assert not any(isinstance(event, Finish | End) for event in read(before))


def test_a_whole_answer() -> None:
    document = {
        **chunk({"text": "a"}, finishReason="STOP"),
        "usageMetadata": {"promptTokenCount": 2},
        "responseId": "r",
    }
    expected = [Begin("r"), Counts(Usage(2, 0)), *text(0, "a"), Finish("stop"), End()]
    assert response.read(document) == expected
    assert response.read({"response": document, "traceId": "t"}) == expected
    (*_, last) = response.read(chunk({"text": "a"}))
    assert isinstance(last, Failed) and last.failure.message == "the provider's answer has no finishReason"
    assert response.read({"error": {"code": 400, "message": "no"}}) == [Failed(Failure(400, "invalid_request", "no"))]
