"""Events in, what a Gemini client reads out: streams in both framings, and whole answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from ccproxy.lightllm.answer import fold
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockKind,
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
    Ping,
)
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.google import request_reader, response, stream_writer
from ccproxy.lightllm.google.stream_reader import StreamReader
from ccproxy.lightllm.google.stream_writer import StreamWriter
from ccproxy.lightllm.plan import Asked, Plan
from ccproxy.lightllm.prompt import Text
from ccproxy.lightllm.sse import SseParser
from ccproxy.lightllm.status import Failure
from tests.lightllm.recordings import recordings


def plan(*, array: bool = False, signed: bool = False, asked: Any = None) -> Plan:
    flavour = FLAVOURS["anthropic"]
    beside: Any = {"array": array, "signed": signed, "asked": asked or {}}
    return Plan(Dialect.GOOGLE, flavour, "p", "asked-model", True, "5eed", 1, **beside)


def written(events: Sequence[Event], **how: Any) -> bytes:
    """What one writer makes of them, whether they come together or one by one."""
    together, alone = StreamWriter(plan(**how)), StreamWriter(plan(**how))
    out = together.write(events)
    assert b"".join(alone.write([event]) for event in events) == out
    assert together.write([End(), Failed(Failure(500, "internal", "late"))]) == b""
    return out


def chunks(events: Sequence[Event], **how: Any) -> list[Any]:
    found = [json.loads(each.data) for each in SseParser().feed(written(events, **how))]
    for each in found:
        types.GenerateContentResponse.model_validate(each.get("response", each))
    return found


def parts(events: Sequence[Event]) -> list[Any]:
    """All parts but that of the last chunk."""
    *said, last = chunks([*events, Finish("stop"), End()])
    assert last["candidates"][0]["content"]["parts"] == [{"text": ""}]
    return [part for each in said for part in each["candidates"][0]["content"]["parts"]]


def block(index: int, kind: BlockKind, *pieces: str, **named: Any) -> list[Event]:
    return [BlockStart(index, kind, **named), *(BlockDelta(index, piece) for piece in pieces), BlockStop(index)]


def test_a_stream() -> None:
    found = chunks(
        [
            Begin("msg_1", "claude-x", 5),
            Counts(Usage(100, 1, 60, 20)),
            Ping(),
            *(BlockStart(0, "thinking"), BlockDelta(0, "hm"), BlockSignature(0, "foreign"), BlockStop(0)),
            *block(1, "text", "a\n", '"ä\u2028\ud800'),
            Finish("length"),
            Counts(Usage(None, 7, None, None, 3)),
            End(),
        ]
    )
    head = {"modelVersion": "claude-x", "responseId": "msg_1"}

    def told(*said: Any) -> Any:
        return {"candidates": [{"content": {"parts": list(said), "role": "model"}, "index": 0}], **head}

    counts = {"promptTokenCount": 100, "candidatesTokenCount": 4, "totalTokenCount": 107}
    ends = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
    assert found == [
        told({"text": "hm", "thought": True}),
        told({"text": "a\n"}),
        told({"text": '"ä\u2028\ud800'}),
        {
            "candidates": [ends],
            "usageMetadata": {**counts, "cachedContentTokenCount": 60, "thoughtsTokenCount": 3},
            **head,
        },
    ]


def test_what_is_not_said_comes_from_the_plan() -> None:
    assert chunks([Begin(), End()]) == [
        {
            "candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {},
            "modelVersion": "asked-model",
            "responseId": "5eed",
        }
    ]


@pytest.mark.parametrize(
    ("pieces", "custom", "args"),
    [
        (['{"a": "', "b\\", 'n", "c": [1.5, 2e3]}'], False, {"a": "b\n", "c": [1.5, 2000.0]}),
        (['{"a": 12345678901234567890}'], False, {"a": 12345678901234567890}),
        ([], False, {}),
        ([" \n"], False, {}),
        (['{"a": "two\nlines"}'], False, {"a": "two\nlines"}),
        (['{"a": 1, "b": "cut o'], False, {"a": 1}),
        (['{"a": [1, {"b": '], False, {"a": [1, {}]}),
        (["[1]"], False, {}),
        (["no JSON"], False, {}),
        (['{"a": 1e999}'], False, {"a": 1.7976931348623157e308}),
        (['{"a": NaN}'], False, {}),
        (['{"a": "\\ud800"}'], False, {"a": "\ud800"}),
        (['{"a": "\ud800"}'], False, {"a": "\ud800"}),
        (["*** Begin\n"], True, {"input": "*** Begin\n"}),
    ],
)  # fmt: skip
def test_calls(pieces: list[str], custom: bool, args: Any) -> None:
    events = [Begin(), *block(0, "call", *pieces, id="c", name="f", custom=custom)]
    assert parts(events) == [{"functionCall": {"name": "f", "args": args, "id": "c"}}]
    whole: Any = response.write(fold([*events, End()]), plan())
    assert whole["candidates"][0]["content"]["parts"] == parts(events)


def test_calls_that_overlap_are_told_in_order() -> None:
    def start(index: int) -> Event:
        return BlockStart(index, "call", f"c{index}", "f")

    found = parts(
        [
            *(Begin(), start(3), start(5), BlockDelta(5, "{}"), BlockStop(5), *block(6, "text", "beside")),
            *(start(7), BlockDelta(3, "{}"), BlockStop(7), BlockStop(3)),
        ]
    )
    assert [part.get("text") or part["functionCall"]["id"] for part in found] == ["beside", "c3", "c5", "c7"]


def test_the_rest() -> None:
    assert parts([Begin(), Media(0, "image/png", "AAAA"), *block(1, "refusal", "no"), *block(2, "redacted")]) == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"text": "no"},
    ]


def test_pictures_of_which_the_base64_is_broken_into_lines() -> None:
    (part,) = parts([Begin(), Media(0, "image/png", "AAA\nA AA_-")])
    assert part["inlineData"]["data"] == "AAAAAA/+"


def test_signatures_of_the_clients_own_provider() -> None:
    events: list[Event] = [Begin()]
    for index, kind in enumerate(("thinking", "redacted", "text", "call")):
        name = "f" if kind == "call" else None
        said: list[Event] = [] if kind == "redacted" else [BlockDelta(index, "{}")]
        events += [BlockStart(index, kind, name, name), *said, BlockSignature(index, f"{kind}=="), BlockStop(index)]  # type: ignore[arg-type]
    call = {"functionCall": {"name": "f", "args": {}, "id": "f"}, "thoughtSignature": "call=="}
    own = [json.loads(each.data) for each in SseParser().feed(written([*events, End()], signed=True))]
    assert [part for each in own for part in each["candidates"][0]["content"]["parts"]] == [
        {"text": "{}", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "thinking=="},
        {"text": "", "thoughtSignature": "redacted=="},
        {"text": "{}"},
        {"text": "", "thoughtSignature": "text=="},
        call,
        {"text": ""},
    ]
    whole: Any = response.write(fold([*events, End()]), plan(signed=True))
    assert whole["candidates"][0]["content"]["parts"] == [
        {"text": "{}", "thought": True, "thoughtSignature": "thinking=="},
        {"text": "", "thoughtSignature": "redacted=="},
        {"text": "{}", "thoughtSignature": "text=="},
        call,
    ]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        *(("stop", "STOP"), ("stop_sequence", "STOP"), ("length", "MAX_TOKENS"), ("context", "MAX_TOKENS")),
        *(("filtered", "PROHIBITED_CONTENT"), ("refused", "SAFETY"), ("paused", "MAX_TOKENS"), ("other", "OTHER")),
        ("tool", "STOP"),
    ],
)
def test_reasons(reason: Any, word: str) -> None:
    (silent,) = chunks([Begin(), Finish(reason), End()])
    ends = silent["candidates"][0]
    assert ends["finishReason"] == word
    assert ("content" in ends) == (reason not in ("filtered", "refused"))
    *_, last = chunks([Begin(), *block(0, "text", "a"), Finish(reason), End()])
    assert last["candidates"][0]["content"]["parts"] == [{"text": ""}]


CITED: list[Event] = [
    *(Begin(), *block(0, "text", "Ä. "), BlockStart(1, "text"), BlockDelta(1, "Äpfel sind rot.")),
    BlockCitation(1, Citation("https://a.example", "A", "quoted", 0, 5)),
    BlockCitation(1, Citation("https://b.example", None, None, 0, 5)),
    BlockCitation(1, Citation("https://a.example", "A", "quoted too")),
    BlockCitation(1, Citation(None, "a.txt", "Äpfel", 99, 100)),
    *(BlockCitation(1, Citation(quoted="nowhere")), BlockStop(1)),
]


def test_sources() -> None:
    *_, last = chunks([*CITED, End()])
    sources = [
        {"web": {"uri": "https://a.example", "title": "A"}},
        {"web": {"uri": "https://b.example"}},
        {"retrievedContext": {"title": "a.txt", "text": "Äpfel"}},
    ]
    assert last["candidates"][0]["groundingMetadata"] == {
        "groundingChunks": sources,
        "groundingSupports": [
            {"segment": {"startIndex": 4, "endIndex": 10, "text": "Äpfel"}, "groundingChunkIndices": [0, 1]},
            {"segment": {"startIndex": 4, "endIndex": 20, "text": "Äpfel sind rot."}, "groundingChunkIndices": [0, 2]},
        ],
    }
    whole: Any = response.write(fold([*CITED, End()]), plan())
    metadata = whole["candidates"][0]["groundingMetadata"]
    assert metadata["groundingChunks"] == sources
    assert [each["segment"] for each in metadata["groundingSupports"]] == [
        {"partIndex": 1, "startIndex": 0, "endIndex": 6, "text": "Äpfel"},
        {"partIndex": 1, "startIndex": 0, "endIndex": 16, "text": "Äpfel sind rot."},
    ]


SPOKEN: list[Event] = [Begin("r", "m"), *block(0, "text", "a", "b")]
FAILED = Failed(Failure(529, "overloaded", "busy"))
ERROR = {"error": {"code": 529, "message": "busy", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    ("events", "count", "last"),
    [
        ([*SPOKEN, Finish("stop"), End()], 3, "STOP"),
        ([End()], 1, "STOP"),
        ([*SPOKEN, FAILED], 3, ERROR),
        ([Begin(), FAILED], 1, ERROR),
        ([FAILED], 1, ERROR),
    ],
)
def test_without_alt_sse_it_is_one_array(events: list[Event], count: int, last: Any) -> None:
    data = written(events, array=True)
    assert b"\n" not in data.replace(b",\r\n{", b"").replace(b",\n{", b"").replace(b"\n]", b"")
    *said, end = json.loads(data)
    assert len(said) + 1 == count
    assert end == last if isinstance(last, dict) else end["candidates"][0]["finishReason"] == last


def test_failures() -> None:
    data = json.dumps(ERROR, separators=(",", ":")).encode()
    assert written([FAILED]) == b"data: " + data + b"\n\n" + data
    assert written([*SPOKEN, FAILED]).endswith(b"\n\ndata: " + data + b"\n\n" + data)


def test_arguments_without_end_are_cut_off() -> None:
    writer = StreamWriter(plan())
    writer.write([Begin(), BlockStart(0, "call", "c", "f")])
    piece = BlockDelta(0, "x" * (stream_writer.ARGUMENTS_LIMIT // 4))
    out = b"".join(writer.write([piece]) for _ in range(5))
    assert b"are longer than" in out
    assert writer.write([BlockStop(0), End()]) == b""


def test_code_assists_envelope() -> None:
    events = [*SPOKEN, *block(1, "call", "{}", id="c", name="f"), End()]
    enveloped = chunks(events, asked={"model": "m", "request": {"contents": []}})
    assert [each["response"] for each in enveloped] == chunks(events)
    asked = plan(asked={"request": {}})
    assert response.write(fold(events), asked) == {"response": response.write(fold(events), plan())}


def test_a_whole_answer() -> None:
    events: list[Event] = [
        *(Begin("r", "m"), *block(0, "thinking", "h", "m"), *block(1, "redacted"), *block(2, "text", "a", "b")),
        *(Media(3, "image/png", "AAAA"), *block(4, "call", "{}", id="c", name="f"), *block(5, "text")),
        *(Counts(Usage(3, 2)), Finish("tool"), End()),
    ]
    document: Any = response.write(fold(events), plan())
    types.GenerateContentResponse.model_validate(document)
    assert document == {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"text": "ab"},
                        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                        {"functionCall": {"name": "f", "args": {}, "id": "c"}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "m",
        "responseId": "r",
    }
    silent: Any = response.write(fold([Begin(), Finish("refused"), End()]), plan())
    assert silent["candidates"] == [{"finishReason": "SAFETY", "index": 0}]


def test_what_was_read_is_read_again() -> None:
    """A recording through both halves says the same, in a stream and as a whole."""
    for recording in recordings():
        if recording.dialect is not Dialect.GOOGLE:
            continue
        told = list(_read(recording.stream))
        answer = fold(told)
        document = response.write(answer, plan())
        for again in (fold(_read(written(told))), fold(response.read(document))):
            assert [_said(block) for block in again.blocks] == [_said(block) for block in answer.blocks if _said(block)]
            assert (again.reason, again.id, again.model) == (answer.reason, answer.id, answer.model)
            assert again.usage == answer.usage


def _read(stream: bytes) -> Iterator[Event]:
    reader = StreamReader()
    for each in SseParser().feed(stream):
        yield from reader.feed(each)
    yield from reader.end()


def _said(block: Any) -> Any:
    return (block.kind, block.name, block.text and json.loads(block.text) if block.kind == "call" else block.text)


@pytest.mark.parametrize("fails", [False, True])
def test_a_chat_of_google_genai(fails: bool) -> None:
    """Its next request has the whole answer, however many chunks that was told in."""
    sent: list[Any] = []
    body = written([*SPOKEN, *([FAILED] if fails else [Finish("stop"), End()])])

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    options = types.HttpOptions(
        base_url="http://memory", httpx_client=httpx.Client(transport=httpx.MockTransport(answer))
    )
    client = genai.Client(api_key="k", http_options=options)
    chat = client.chats.create(model="m")
    if fails:
        with pytest.raises(errors.APIError, match="busy"):
            list(chat.send_message_stream("one"))
        return
    assert [chunk.text for chunk in chat.send_message_stream("one")] == ["a", "b", ""]
    list(chat.send_message_stream("two"))
    said = request_reader.read(sent[1], Asked("m")).turns
    assert [(turn.role, turn.parts) for turn in said] == [
        ("user", (Text("one"),)),
        ("assistant", (Text("ab"),)),
        ("user", (Text("two"),)),
    ]
