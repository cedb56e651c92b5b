from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

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
    Ping,
)
from ccproxy.lightllm.openai_chat.stream_writer import StreamWriter
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Failure
from tests.lightllm.openai_chat.shorthand import plan
from tests.lightllm.translate import fold, wire
from tests.lightllm.translate.models import invalid_events

HEAD = {"id": "chatcmpl-msg_1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
BEGIN = Begin("msg_1", "m", 5)


def words(index: int, kind: Any, *texts: str) -> list[Event]:
    """A block of words."""
    return [BlockStart(index, kind), *(BlockDelta(index, text) for text in texts), BlockStop(index)]


def call(index: int, *pieces: str, name: str = "ls", custom: bool = False) -> list[Event]:
    """A call that is whole."""
    start = BlockStart(index, "call", f"call_{index}", name, custom)
    return [start, *(BlockDelta(index, piece) for piece in pieces), BlockStop(index)]


def write(events: list[Event], exchange: Plan | None = None) -> bytes:
    """What a client is sent, one event at a time."""
    writer = StreamWriter(exchange or plan())
    one_by_one = b"".join(writer.write([event]) for event in events)
    assert StreamWriter(exchange or plan()).write(events) == one_by_one
    return one_by_one


def deltas(*events: Event) -> list[object]:
    """The deltas of an answer's chunks between the first and the last."""
    out = write([BEGIN, *events, Finish("stop"), End()])
    found = wire.check(Dialect.OPENAI, out)
    assert invalid_events(Dialect.OPENAI, found.events) == []
    chunks = [event for _, event in found.events[1:-3]]
    assert all(chunk == {**HEAD, "choices": chunk["choices"], "usage": None} for chunk in chunks)
    return [chunk["choices"][0]["delta"] for chunk in chunks]


def test_a_stream() -> None:
    events = [BEGIN, *words(0, "text", "hi"), Counts(Usage(9)), Finish("stop"), Counts(Usage(None, 4, 2, 3, 1)), End()]
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    first = {"role": "assistant", "content": None}
    assert wire.check(Dialect.OPENAI, write(events)).events == [
        ("", {**HEAD, "choices": [{"index": 0, "delta": first, "finish_reason": None}], "usage": None}),
        ("", {**HEAD, "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}], "usage": None}),
        ("", {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}),
        ("", {**HEAD, "choices": [], "usage": usage}),
        ("[DONE]", None),
    ]
    assert b"usage" not in write(events, plan(stream_usage=False))


def cited(index: int) -> list[Event]:
    """Two blocks of text with their sources."""
    return [
        *words(index, "text", "ab")[:-1],
        BlockCitation(index, Citation("https://a", "A", "quote", 0, 1)),
        BlockCitation(index, Citation(None, "a document")),
        BlockStop(index),
        *words(index + 1, "text", "cd")[:-1],
        BlockCitation(index + 1, Citation("https://b")),
        BlockStop(index + 1),
    ]


def _cites(index: int, url: str, title: str, start: int, end: int, **more: str) -> dict[str, object]:
    cited = {"start_index": start, "end_index": end, "title": title, "url": url, **more}
    return {"annotations": [{"index": index, "type": "url_citation", "url_citation": cited}]}


def _called(index: int, arguments: str, **first: str) -> dict[str, object]:
    own = {"id": f"call_{first['of']}", "type": "function"} if first else {}
    name = {"name": "ls"} if first else {}
    return {"tool_calls": [{"index": index, **own, "function": {**name, "arguments": arguments}}]}


def _custom(given: str, **first: str) -> dict[str, object]:
    own = {"id": "call_0", "type": "custom"} if first else {}
    return {"tool_calls": [{"index": 0, **own, "custom": {**first, "input": given}}]}


DELTAS: list[tuple[list[Event], list[object]]] = [
    (words(0, "text", "a", '"\\\n'), [{"content": "a"}, {"content": '"\\\n'}]),
    (words(0, "text", "é😀", "\ud83d"), [{"content": "é😀"}, {"content": "\ud83d"}]),
    (words(0, "refusal", "no"), [{"refusal": "no"}]),
    (
        [*words(0, "thinking", "t"), *words(1, "thinking"), *words(2, "thinking", "u", "v"), *words(3, "text", "a")],
        [{"reasoning_content": text} for text in ("t", "\n\nu", "v")] + [{"content": "a"}],
    ),
    ([BlockStart(0, "thinking"), BlockSignature(0, "c2ln"), BlockStop(0)], []),
    ([BlockStart(0, "redacted"), BlockSignature(0, "c2ln"), BlockStop(0)], []),
    (call(0, '{"a":', "1}"), [_called(0, "", of="0"), _called(0, '{"a":'), _called(0, "1}")]),
    (call(3), [_called(0, "", of="3"), _called(0, "{}")]),
    (
        [call(1)[0], call(2)[0], BlockDelta(1, "{}"), BlockDelta(2, "[]"), BlockStop(1), BlockStop(2)],
        [_called(0, "", of="1"), _called(1, "", of="2"), _called(0, "{}"), _called(1, "[]")],
    ),
    (
        cited(0),
        [
            {"content": "ab"},
            _cites(0, "https://a", "A", 0, 1, content="quote"),
            {"content": "cd"},
            _cites(1, "https://b", "https://b", 2, 4),
        ],
    ),
    (
        [Media(0, "image/png", "iVBO"), Media(1, "audio/wav", "UklG"), Media(2, "image/webp", "UklG")],
        [
            {"images": [{"index": n, "type": "image_url", "image_url": {"url": url}}]}
            for n, url in enumerate(["data:image/png;base64,iVBO", "data:image/webp;base64,UklG"])
        ],
    ),
]


@pytest.mark.parametrize(("events", "written"), DELTAS)
def test_deltas(events: list[Event], written: list[object]) -> None:
    assert deltas(*events) == written


def test_custom_calls() -> None:
    """The SDK's model of a chunk has no custom calls yet; the service sends them so (openai-openapi issue 576)."""
    out = write([BEGIN, *call(0, "a b", custom=True), End()])
    found = [json.loads(line[6:])["choices"][0] for line in out.split(b"\n\n")[1:-4]]
    assert [each["delta"] for each in found] == [_custom("", name="ls"), _custom("a b")]
    assert b'"finish_reason":"tool_calls"' in out


def test_the_older_kind_of_call() -> None:
    out = write([BEGIN, *call(0, "{}"), *call(1), Finish("tool"), End()], plan(asked={"functions": [{"name": "ls"}]}))
    found = [json.loads(line[6:])["choices"][0] for line in out.split(b"\n\n")[1:-3]]
    assert [each["delta"] for each in found] == [
        {"function_call": {"name": "ls", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert found[-1]["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    ("reason", "word", "of_calls"),
    [
        ("stop", "stop", "tool_calls"),
        ("stop_sequence", "stop", "tool_calls"),
        ("tool", "stop", "tool_calls"),
        ("other", "stop", "tool_calls"),
        ("length", "length", "length"),
        ("context", "length", "length"),
        ("paused", "length", "length"),
        ("filtered", "content_filter", "content_filter"),
        ("refused", "content_filter", "content_filter"),
        (None, "stop", "tool_calls"),
    ],
)
def test_finish(reason: Any, word: str, of_calls: str) -> None:
    ended: list[Event] = [Finish(reason), End()] if reason else [End()]
    assert f'"finish_reason":"{word}"'.encode() in write([BEGIN, *ended])
    assert f'"finish_reason":"{of_calls}"'.encode() in write([BEGIN, *call(0), *ended])


def test_ids_models_and_times_are_made_where_there_are_none() -> None:
    def head(begin: Begin) -> tuple[object, object, object]:
        chunk = ChatCompletionChunk.model_validate_json(write([begin])[6:])
        return chunk.id, chunk.model, chunk.created

    assert head(Begin()) == ("chatcmpl-seed", "asked", 7)
    assert head(Begin("chatcmpl-1", 'a "b"', 9)) == ("chatcmpl-1", 'a "b"', 9)


def test_a_failure_ends_the_stream_and_nothing_follows() -> None:
    failure = Failure(529, "overloaded", "busy")
    out = write([BEGIN, *words(0, "text", "a")[:2], Failed(failure), BlockDelta(0, "b"), End()])
    found = wire.check(Dialect.OPENAI, out)
    assert found.breaches == [] and found.failed and not found.complete
    assert fold.fold(Dialect.OPENAI, out).text == "a" and fold.fold(Dialect.OPENAI, out).stop == "error"
    assert write([Failed(failure)]).startswith(b'data: {"error":')


def test_signs_of_life_are_comments() -> None:
    assert write([BEGIN, Ping()]).endswith(b"\n\n: keep-alive\n\n")
    assert StreamWriter(plan()).write([]) == b""


def test_the_sdk_accumulates_everything() -> None:
    out = write(
        [
            BEGIN,
            *words(0, "thinking", "t", "u"),
            *cited(1),
            Ping(),
            Media(5, "image/png", "iVBO"),
            *words(6, "refusal", "no"),
            *call(7, '{"a":', "1}"),
            *call(8, name="rm"),
            Finish("tool"),
            Counts(Usage(9, 4)),
            End(),
        ]
    )
    found = wire.check(Dialect.OPENAI, out)
    assert (found.breaches, invalid_events(Dialect.OPENAI, found.events)) == ([], [])
    state: Any = openai.lib.streaming.chat.ChatCompletionStreamState()
    for name, chunk in found.events:
        if name != "[DONE]":
            state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    message = state.get_final_completion().choices[0].message
    assert (message.content, message.refusal, message.reasoning_content) == ("abcd", "no", "tu")
    assert [(each.id, each.function.name, each.function.arguments) for each in message.tool_calls] == [
        ("call_7", "ls", '{"a":1}'),
        ("call_8", "rm", "{}"),
    ]
    assert [each.url_citation.url for each in message.annotations] == ["https://a", "https://b"]
    assert len(message.images) == 1
