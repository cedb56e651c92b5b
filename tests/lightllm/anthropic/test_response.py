"""Whole answers of the Messages API, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.answer import fold
from ccproxy.lightllm.anthropic import response
from ccproxy.lightllm.anthropic.usage import counts, normalise
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import BlockDelta, BlockSignature, BlockStart, Counts, End, Event, Failed, Finish
from ccproxy.lightllm.memory import FOREIGN
from tests.lightllm.translate.exchange import plan
from tests.lightllm.translate.grammar import breaches
from tests.lightllm.translate.models import invalid_document

type Json = dict[str, Any]

CONTENT: list[Json] = [
    {"type": "thinking", "thinking": "hm", "signature": "sig"},
    {"type": "redacted_thinking", "data": "enc"},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "text", "text": "see", "citations": [{"type": "web_search_result_location", "url": "u", "title": "t"}]},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "é"}},
    {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
]
BODY: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": CONTENT,
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 7},
}


def test_an_answer_is_read_and_written() -> None:
    events = response.read(BODY)
    assert breaches(events) == []
    assert [event.kind for event in events if isinstance(event, BlockStart)] == [
        "thinking",
        "redacted",
        "text",
        "call",
        "call",
    ]
    assert [event.signature for event in events if isinstance(event, BlockSignature)] == ["sig", "enc"]
    assert BlockDelta(3, '{"a":"é"}') in events and BlockDelta(4, "{}") in events
    assert events[-3:] == [Counts(Usage(8, 7, 5)), Finish("tool"), End()]
    written = response.write(fold(events), plan(Dialect.OPENAI, Dialect.ANTHROPIC, stream=False))
    assert invalid_document(Dialect.ANTHROPIC, written) == []
    citation = {"type": "web_search_result_location", "cited_text": "", "url": "u", "title": "t"}
    assert written == {
        **BODY,
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": FOREIGN},
            {"type": "text", "text": "see", "citations": [{**citation, "encrypted_index": FOREIGN}]},
            *CONTENT[-2:],
        ],
        "usage": {**BODY["usage"], "cache_creation_input_tokens": 0},
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, "slow"),
        ({"error": {"message": "no"}}, "no"),
        ({"choices": []}, "no message"),
        ({"type": "message", "content": "text"}, "no message"),
        ({}, "no message"),
    ],
)
def test_what_is_no_answer_is_a_failure(body: Json, message: str) -> None:
    (failed,) = response.read(body)
    assert isinstance(failed, Failed) and message in failed.failure.message


@pytest.mark.parametrize(
    ("arguments", "custom", "given"),
    [
        ("", False, {}),
        ('{"a": 1}', False, {"a": 1}),
        ('{"a": "half', False, {"a": "half"}),
        ('{"a": 1, "b', False, {"a": 1}),
        ('"{\\"a\\": 1}"', False, {"a": 1}),
        ("oh", False, {}),
        ("[1]", False, {}),
        ("free text", True, {"input": "free text"}),
    ],
)
def test_arguments_as_far_as_they_go(arguments: str, custom: bool, given: Json) -> None:
    events: list[Event] = [BlockStart(0, "call", "toolu_1", "f", custom)]
    events += [BlockDelta(0, arguments)] if arguments else []
    answer = fold([*events, Finish("length"), End()])
    written: Any = response.write(answer, plan(Dialect.OPENAI, Dialect.ANTHROPIC))
    assert written["content"] == [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": given}]
    assert (written["id"], written["model"], written["stop_reason"]) == ("msg_5eed", "asked", "max_tokens")


@pytest.mark.parametrize("usage", [Usage(100, 7, 60, 30, 2), Usage(5, 0, 0, 0), Usage(9, 9, 0, 0, 0)])
def test_counts_come_back(usage: Usage) -> None:
    assert normalise(counts(usage)) == usage


def test_counts_that_are_not_known_are_zeros() -> None:
    zeros = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
    assert counts(None) == zeros
    assert counts(Usage(input=3, cache_read=5)) == {**zeros, "cache_read_input_tokens": 5}
