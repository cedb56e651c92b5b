from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.answer import fold as folded
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
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.openai_responses import response
from ccproxy.lightllm.openai_responses.stream_writer import SIZE_LIMIT, StreamWriter
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Failure
from tests.lightllm.openai_responses.shorthand import PICTURE, plan
from tests.lightllm.translate import fold, wire
from tests.lightllm.translate.models import invalid_document, invalid_events

BEGIN = Begin("msg_1", "m", 5)
NOTHING = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
STATE = {
    "id": "resp_msg_1",
    "object": "response",
    "created_at": 5,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "m",
    "output": [],
    "background": False,
    "previous_response_id": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "usage": NOTHING,
}


def words(index: int, kind: Any, *texts: str) -> list[Event]:
    """A block of words."""
    return [BlockStart(index, kind), *(BlockDelta(index, text) for text in texts), BlockStop(index)]


def call(index: int, *pieces: str, name: str = "ls", custom: bool = False) -> list[Event]:
    """A call that is whole."""
    start = BlockStart(index, "call", f"call_{index}", name, custom)
    return [start, *(BlockDelta(index, piece) for piece in pieces), BlockStop(index)]


def write(events: list[Event], exchange: Plan | None = None) -> wire.Wire:
    """What a client is sent, one event at a time, held to the grammar, the SDK's models and its accumulator."""
    writer = StreamWriter(exchange or plan())
    out = b"".join(writer.write([event]) for event in events)
    assert StreamWriter(exchange or plan()).write(events) == out
    found = wire.check(Dialect.OPENAI_RESPONSES, out)
    assert (found.breaches, invalid_events(Dialect.OPENAI_RESPONSES, found.events)) == ([], [])
    assert fold.fold(Dialect.OPENAI_RESPONSES, out).stop not in ("cut", "other")
    return found


def whole(events: list[Event], exchange: Plan | None = None) -> dict[str, Any]:
    """The last event's response, which is the same as that of the answer that was not streamed."""
    streamed = write(events, exchange).events[-1][1]["response"]
    document = response.write(folded(events), exchange or plan())
    assert invalid_document(Dialect.OPENAI_RESPONSES, document) == []
    assert document == streamed
    assert list(document) == list(streamed)
    assert isinstance(streamed, dict)
    return streamed


def output(*events: Event) -> Any:
    """The items of an answer without their ids."""
    items = whole([BEGIN, *events, Finish("stop"), End()])["output"]
    assert [item["id"].partition("_")[2] for item in items] == [f"seed_{place}" for place in range(len(items))]
    return [{key: value for key, value in item.items() if key != "id"} for item in items]


def said(*parts: dict[str, object]) -> dict[str, object]:
    return {"type": "message", "status": "completed", "content": list(parts), "role": "assistant"}


def text(text: str, *annotations: dict[str, object]) -> dict[str, object]:
    return {"type": "output_text", "annotations": list(annotations), "logprobs": [], "text": text}


def thought(text: str) -> dict[str, object]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}], "encrypted_content": FOREIGN}


def called(arguments: str, call_id: str = "call_0", **more: object) -> dict[str, object]:
    item = {"type": "function_call", "status": "completed", "arguments": arguments, "call_id": call_id, "name": "ls"}
    return item | more


def test_a_stream() -> None:
    item = {"id": "msg_seed_0", "type": "message", "status": "in_progress", "content": [], "role": "assistant"}
    where = {"item_id": "msg_seed_0", "output_index": 0, "content_index": 0}
    done = item | {"status": "completed", "content": [text("hé")]}
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 13,
    }
    begun = STATE | {"status": "in_progress", "usage": None}
    events = [BEGIN, *words(0, "text", "h", "é"), Counts(Usage(9)), Finish("stop"), Counts(Usage(None, 4, 2, 3, 1))]
    expected: list[tuple[str, dict[str, object]]] = [
        ("created", {"response": begun}),
        ("in_progress", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": item}),
        ("content_part.added", {**where, "part": text("")}),
        ("output_text.delta", {**where, "delta": "h", "logprobs": []}),
        ("output_text.delta", {**where, "delta": "é", "logprobs": []}),
        ("output_text.done", {**where, "text": "hé", "logprobs": []}),
        ("content_part.done", {**where, "part": text("hé")}),
        ("output_item.done", {"output_index": 0, "item": done}),
        ("completed", {"response": STATE | {"output": [done], "usage": usage}}),
    ]
    assert write([*events, End()]).events == [
        (f"response.{kind}", {"type": f"response.{kind}", **fields, "sequence_number": number})
        for number, (kind, fields) in enumerate(expected)
    ]


URL = {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "A", "url": "https://a"}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        (words(0, "text", "a", '"\\\n\x00'), [said(text('a"\\\n\x00'))]),
        # characters in halves, and halves without another
        (words(0, "text", "a\ud83d", "\ude00b", "\ude00", "\ud83d"), [said(text("a😀b\ufffd\ufffd"))]),
        (words(0, "text"), []),
        # neighbours are one message, until something else comes
        (
            [*words(0, "text", "a"), *words(1, "refusal", "no"), *call(2, "{}"), *words(3, "text", "b")],
            [
                said(text("a"), {"type": "refusal", "refusal": "no"}),
                called("{}", "call_2"),
                said(text("b")),
            ],
        ),
        # other providers' thoughts, never their signatures
        (
            [*words(0, "thinking", "t")[:-1], BlockSignature(0, "c2ln"), BlockStop(0), *words(1, "text", "a")],
            [thought("t"), said(text("a"))],
        ),
        ([BlockStart(0, "redacted"), BlockSignature(0, "c2ln"), BlockStop(0)], []),
        ([BlockStart(0, "thinking"), BlockSignature(0, "c2ln"), BlockStop(0)], []),
        # calls
        (call(0, '{"a":', "1}"), [called('{"a":1}')]),
        (call(0), [called("{}")]),
        (call(0, '{"a":'), None),
        (
            call(0, "SELECT", custom=True),
            [{"type": "custom_tool_call", "status": "completed", "call_id": "call_0", "input": "SELECT", "name": "ls"}],
        ),
        (
            call(0, custom=True),
            [{"type": "custom_tool_call", "status": "completed", "call_id": "call_0", "input": "", "name": "ls"}],
        ),
        # overlapping
        (
            [call(1)[0], *call(2, "{}")[:-1], BlockDelta(1, "{"), BlockStop(2), BlockDelta(1, "}"), BlockStop(1)],
            [called("{}", "call_1"), called("{}", "call_2")],
        ),
        (
            [*words(0, "thinking", "t")[:-1], *words(1, "text", "a"), BlockDelta(0, "u"), BlockStop(0)],
            [thought("tu"), said(text("a"))],
        ),
        # sources: those that have an address; for the whole text where they do not say for what
        (
            [
                *words(0, "text", "hi")[:-1],
                BlockCitation(0, Citation("https://a", "A", "quote")),
                BlockCitation(0, Citation(None, "a document")),
                BlockCitation(0, Citation("https://b", None, None, 1, 2)),
                BlockStop(0),
            ],
            [said(text("hi", URL, {**URL, "start_index": 1, "title": "https://b", "url": "https://b"}))],
        ),
        (
            [BlockStart(0, "text"), BlockCitation(0, Citation("https://a", "A")), BlockDelta(0, "hi"), BlockStop(0)],
            [said(text("hi", URL))],
        ),
        # pictures, and nothing else of the kind
        (
            [Media(0, "image/jpg", PICTURE), Media(1, "image/bmp", PICTURE), Media(2, "audio/wav", "UklG")],
            [
                {"type": "image_generation_call", "status": "completed", "result": PICTURE, "output_format": "jpeg"},
                {"type": "image_generation_call", "status": "completed", "result": PICTURE},
            ],
        ),
    ],
)
def test_items(events: list[Event], expected: list[object] | None) -> None:
    if expected is None:  # cut off: no JSON, and said to be
        answer = whole([BEGIN, *events, Finish("length"), End()])
        assert [item["status"] for item in answer["output"]] == ["incomplete"]
    else:
        assert output(*events) == expected


@pytest.mark.parametrize(
    ("events", "status", "incomplete", "item"),
    [
        ([Finish("stop")], "completed", None, "completed"),
        ([], "completed", None, "completed"),
        ([Finish("stop_sequence", "x")], "completed", None, "completed"),
        ([Finish("other")], "completed", None, "completed"),
        ([Finish("length")], "incomplete", "max_output_tokens", "incomplete"),
        ([Finish("context")], "incomplete", "max_output_tokens", "incomplete"),
        ([Finish("paused")], "incomplete", "max_output_tokens", "incomplete"),
        ([Finish("filtered")], "incomplete", "content_filter", "incomplete"),
        ([Finish("refused")], "incomplete", "content_filter", "incomplete"),
        ([*words(1, "refusal", "no"), Finish("refused")], "completed", None, "completed"),
    ],
)
def test_how_it_ended(events: list[Event], status: str, incomplete: str | None, item: str) -> None:
    answer = whole([BEGIN, *words(0, "text", "a"), *events, End()])
    details = {"reason": incomplete} if incomplete else None
    assert (answer["status"], answer["incomplete_details"]) == (status, details)
    assert answer["output"][-1]["status"] == item


def test_signs_of_life_are_comments() -> None:
    assert StreamWriter(plan()).write([Ping()]) == b": ping\n\n"


FUNCTION = {"type": "function", "name": "log", "parameters": {"type": "object"}, "strict": False}
SPACE = {"type": "namespace", "name": "mcp__git__", "description": "git", "tools": [FUNCTION]}


@pytest.mark.parametrize("bearer", ["tools", "additional_tools"])
def test_functions_of_a_namespace_are_called_in_it(bearer: str) -> None:
    asked = {"tools": [SPACE]} if bearer == "tools" else {"input": [{"type": bearer, "tools": [SPACE]}]}
    answer = whole([BEGIN, *call(0, "{}", name="mcp__git__log"), *call(1, "{}"), End()], plan(asked=asked))
    assert [(item["name"], item.get("namespace")) for item in answer["output"]] == [("log", "mcp__git__"), ("ls", None)]


def test_the_request_is_repeated() -> None:
    asked: dict[str, object] = {
        "instructions": "Be brief.",
        "max_output_tokens": 99,
        "max_tool_calls": 3,
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "safety_identifier": "u",
        "store": True,
        "temperature": 0.5,
        "tool_choice": {"type": "function", "name": "log"},
        "tools": [FUNCTION],
        "top_p": 0.9,
        "truncation": "auto",
        "user": "u",
        "metadata": {"a": "b"},
        "service_tier": "flex",
    }
    given: dict[str, object] = {
        "reasoning": {"effort": "high", "summary": "auto", "context": "auto"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "input": "hi",
        "model": "asked",
        "stream": True,
    }
    answer = whole([Begin(), End()], plan(asked={**asked, **given}))
    assert {key: answer[key] for key in asked} == asked
    assert answer["reasoning"] == {"effort": "high", "summary": "auto"}
    assert answer["text"] == given["text"]
    assert (answer["id"], answer["model"], answer["created_at"]) == ("resp_seed", "asked", 7)
    assert whole([Begin("resp_9"), End()], plan(asked={"tools": None, "service_tier": "auto"})) == STATE | {
        "id": "resp_9",
        "model": "asked",
        "created_at": 7,
    }


@pytest.mark.parametrize("begun", [0, 1, 5])
@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure(502, "upstream", "broken off"), "server_error"),
        (Failure(429, "rate_limit", "slow down"), "rate_limit_exceeded"),
        (Failure(400, "invalid_request", "no"), "invalid_prompt"),
        (Failure(529, "overloaded", "busy", code="overloaded_error"), "server_error"),
    ],
)
def test_failures(failure: Failure, code: str, begun: int) -> None:
    events = [BEGIN, *words(0, "text", "a"), *call(1, "{"), Finish("stop"), End()][:begun]
    found = write([*events, Failed(failure), End()])
    (_, error), (_, last) = found.events[-2:]
    assert (error["type"], error["message"], error["error"]["message"]) == ("error", failure.message, failure.message)
    answer = last["response"]
    assert (answer["status"], answer["error"]) == ("failed", {"code": code, "message": failure.message})
    assert (answer["id"], set(answer)) == ("resp_msg_1" if begun else "resp_seed", set(STATE))


def test_codes_that_codex_acts_on_are_kept() -> None:
    failure = Failure(400, "invalid_request", "too long", code="context_length_exceeded")
    out = StreamWriter(plan()).write([BEGIN, Failed(failure)])
    last = json.loads(out.rpartition(b"data: ")[2])
    assert last["response"]["error"]["code"] == "context_length_exceeded"


def test_an_endless_answer_is_cut() -> None:
    writer = StreamWriter(plan())
    writer.write([BEGIN, BlockStart(0, "text")])
    size = 0
    with pytest.raises(UpstreamError, match="larger than"):
        while size < 2 * SIZE_LIMIT:
            size += len(writer.write([BlockDelta(0, "é" * 500_000)]))
    assert SIZE_LIMIT - (4 << 20) < size < SIZE_LIMIT + (4 << 20)
    out = writer.write([Failed(Failure(502, "upstream", "too large"))])
    assert out.count(b"event: response.failed") == 1
    assert writer.write([BlockDelta(0, "a"), BlockStop(0), End()]) == b""
