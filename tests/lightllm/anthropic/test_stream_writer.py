"""Events become streams that Anthropic's own SDK reads, in the grammar of the API's reference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.anthropic.stream_writer import BLOCKS_LIMIT, HELD_LIMIT, StreamWriter
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
from ccproxy.lightllm.status import Failure
from tests.lightllm.translate import wire
from tests.lightllm.translate.exchange import plan
from tests.lightllm.translate.fold_anthropic import fold
from tests.lightllm.translate.models import invalid_events

type Json = dict[str, Any]

BEGIN = Begin("msg_7", "m")
STOPPED = Finish("stop")


def written(*events: Event, begin: Begin = BEGIN) -> bytes:
    """The stream; the same bytes whether events come singly or all at once."""
    every = [begin, *events]
    exchange = plan(Dialect.OPENAI, Dialect.ANTHROPIC)
    singly, at_once = StreamWriter(exchange), StreamWriter(exchange)
    out = at_once.write(every)
    assert b"".join(singly.write([event]) for event in every) == out
    return out


def answered(*events: Event, finish: Event | None = STOPPED) -> wire.Wire:
    """A whole answer, checked."""
    out = written(*events, *([finish] if finish is not None else []), End())
    found = wire.check(Dialect.ANTHROPIC, out)
    assert found.breaches + invalid_events(Dialect.ANTHROPIC, found.events) == []
    assert found.complete
    return found


def message(*events: Event, finish: Event | None = STOPPED) -> Json:
    """What the SDK makes of it."""
    answered(*events, finish=finish)
    folded = fold(written(*events, *([finish] if finish is not None else []), End())).message
    return folded.model_dump(exclude_none=True)  # type: ignore[attr-defined,no-any-return]


def call(index: int, *pieces: str, custom: bool = False) -> list[Event]:
    start = BlockStart(index, "call", f"toolu_{index}", "f", custom)
    return [start, *(BlockDelta(index, piece) for piece in pieces), BlockStop(index)]


def text(index: int, *pieces: str) -> list[Event]:
    return [BlockStart(index, "text"), *(BlockDelta(index, piece) for piece in pieces), BlockStop(index)]


def test_the_bytes_of_a_small_answer() -> None:
    out = written(BlockStart(0, "text"), BlockDelta(0, 'ä"\n\ud83d'), BlockStop(0), Ping(), Finish("stop"), End())
    assert out.decode("ascii").split("\n\n") == [
        'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_7","type":"message",'
        '"role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":'
        '{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}',
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
        '{"type":"text","text":""}}',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
        '"text":"\\u00e4\\"\\n\\ud83d"}}',
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}',
        'event: ping\ndata: {"type": "ping"}',
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
        '"stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,'
        '"cache_read_input_tokens":0,"output_tokens":0}}',
        'event: message_stop\ndata: {"type":"message_stop"}',
        "",
    ]


@pytest.mark.parametrize(
    ("events", "content"),
    [
        (text(0, "a", "b"), [{"type": "text", "text": "ab"}]),
        ([*text(0), *text(1, "b")], [{"type": "text", "text": "b"}]),
        (
            [BlockStart(0, "thinking"), BlockDelta(0, "hm"), BlockSignature(0, "another provider's"), BlockStop(0)],
            [{"type": "thinking", "thinking": "hm", "signature": FOREIGN}],
        ),
        ([BlockStart(0, "thinking"), BlockSignature(0, "s"), BlockStop(0)], []),
        ([BlockStart(0, "redacted"), BlockSignature(0, "s"), BlockStop(0)], []),
        ([Media(0, "image/png", "eA=="), *text(1, "b")], [{"type": "text", "text": "b"}]),
        (
            [
                BlockStart(0, "text"),
                BlockCitation(0, Citation("https://e.example", "t", "q")),
                BlockCitation(0, Citation(None, "a page of a document")),
                BlockDelta(0, "a"),
                BlockStop(0),
            ],
            [
                {
                    "type": "text",
                    "text": "a",
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "url": "https://e.example",
                            "title": "t",
                            "cited_text": "q",
                            "encrypted_index": FOREIGN,
                        }
                    ],
                }
            ],
        ),
        # Blocks that overlap come one after the other, in the order of their beginning.
        (
            [
                BlockStart(5, "text"),
                BlockStart(2, "call", "toolu_2", "f"),
                BlockDelta(2, '{"a"'),
                BlockDelta(5, "a"),
                BlockStart(9, "call", "toolu_9", "g"),
                BlockDelta(9, '{"b": 2}'),
                BlockStop(9),
                BlockDelta(5, "b"),
                BlockStop(5),
                BlockDelta(2, ": 1}"),
                BlockStop(2),
            ],
            [
                {"type": "text", "text": "ab"},
                {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "toolu_9", "name": "g", "input": {"b": 2}},
            ],
        ),
        # What is open at the end is closed.
        ([BlockStart(0, "text"), BlockDelta(0, "a")], [{"type": "text", "text": "a"}]),
    ],
)
def test_blocks(events: list[Event], content: list[Json]) -> None:
    finish = Finish("tool") if any(block["type"] == "tool_use" for block in content) else Finish("stop")
    assert message(*events, finish=finish)["content"] == content


@pytest.mark.parametrize(
    ("pieces", "custom", "arguments"),
    [
        ([], False, {}),
        (['{"a', '": "\\u00', 'e9"}'], False, {"a": "é"}),
        (["  \n", ' {"a": 1}'], False, {"a": 1}),
        (["null"], False, {}),
        (['"{\\"a\\"', ': 1}"'], False, {"a": 1}),
        (["*** Begin ", 'Patch\n"é"\n'], True, {"input": '*** Begin Patch\n"é"\n'}),
        ([], True, {"input": ""}),
    ],
)
def test_arguments_are_an_object(pieces: list[str], custom: bool, arguments: Json) -> None:
    assert message(*call(0, *pieces, custom=custom), finish=Finish("tool"))["content"][0]["input"] == arguments


@pytest.mark.parametrize("arguments", ["{oh no", "[1]", "7", '"x"', "oh", '{"a": 1} {"b": 2}'])
def test_arguments_that_are_none_are_passed_on(arguments: str) -> None:
    found = wire.check(Dialect.ANTHROPIC, written(*call(0, *arguments), Finish("tool"), End()))
    assert found.complete and found.breaches == []
    deltas = [event["delta"] for name, event in found.events if name == "content_block_delta"]
    assert "".join(delta["partial_json"] for delta in deltas) == arguments


@pytest.mark.parametrize(
    ("events", "finish", "word"),
    [
        ([], Finish("stop"), "end_turn"),
        ([], None, "end_turn"),
        (call(0), None, "tool_use"),
        (call(0), Finish("tool"), "tool_use"),
        ([], Finish("tool"), "end_turn"),
        ([], Finish("length"), "max_tokens"),
        ([], Finish("context"), "model_context_window_exceeded"),
        ([], Finish("stop_sequence", "END"), "stop_sequence"),
        ([], Finish("stop_sequence"), "end_turn"),
        ([], Finish("stop", "END"), "end_turn"),
        ([], Finish("filtered"), "refusal"),
        ([], Finish("refused"), "refusal"),
        ([BlockStart(0, "refusal"), BlockDelta(0, "No."), BlockStop(0)], Finish("stop"), "refusal"),
        ([], Finish("paused"), "pause_turn"),
        ([], Finish("other"), "end_turn"),
    ],
)
def test_stop_reasons(events: list[Event], finish: Finish | None, word: str) -> None:
    found = message(*events, finish=finish)
    assert found["stop_reason"] == word
    assert found.get("stop_sequence") == ("END" if word == "stop_sequence" else None)


def test_counts_are_told_at_the_end() -> None:
    usage = message(
        Counts(Usage(input=100)), Counts(Usage(130, 7, cache_read=90, cache_write=10, reasoning=3)), Counts(Usage())
    )["usage"]
    assert usage == {
        "input_tokens": 30,
        "cache_creation_input_tokens": 10,
        "cache_read_input_tokens": 90,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_a_failure_ends_the_stream() -> None:
    failed = Failed(Failure(503, "overloaded", "busy"))
    out = written(*text(0, "a")[:-1], failed)
    found = wire.check(Dialect.ANTHROPIC, out)
    assert found.failed and found.breaches == []
    assert found.events[-1][1] == {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    writer = StreamWriter(plan(Dialect.OPENAI, Dialect.ANTHROPIC))
    assert wire.check(Dialect.ANTHROPIC, writer.write([failed])).failed
    assert writer.write([BlockDelta(0, "late"), End()]) == b""


def test_ids_are_of_the_api() -> None:
    out = written(End(), begin=Begin("chatcmpl-1", None))
    begin = json.loads(out.split(b"data: ")[1].split(b"\n")[0])["message"]
    assert (begin["id"], begin["model"]) == ("msg_5eed", "asked")


def test_what_is_held_is_bounded() -> None:
    events: list[Event] = [BlockStart(0, "text"), BlockStart(1, "text"), BlockDelta(0, "y")]
    with pytest.raises(UpstreamError, match="too much in blocks"):
        written(*events, *[BlockDelta(1, "x" * (HELD_LIMIT >> 4))] * 17, BlockStop(0), End())
    with pytest.raises(UpstreamError, match="blocks that overlap"):
        written(*[BlockStart(n, "text") for n in range(BLOCKS_LIMIT + 1)])
