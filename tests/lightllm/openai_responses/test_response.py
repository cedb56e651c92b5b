"""Whole answers, and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.answer import fold
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import Begin, Counts, End, Finish
from ccproxy.lightllm.openai_responses import errors, response, usage
from ccproxy.lightllm.status import Cut, Failure
from tests.lightllm.openai_chat.shorthand import short
from tests.lightllm.openai_responses.shorthand import call, message, plan, reasoning
from tests.lightllm.translate.grammar import breaches


def read(**body: Any) -> list[str]:
    events = response.read({"id": "resp_1", "object": "response", "model": "m", "created_at": 5, **body})
    assert list(breaches(events)) == []
    return short(events)


COUNTED = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"status": "completed", "output": [reasoning("t", encrypted_content="x"), message("hi")], "usage": COUNTED},
            '+0 thinking #rs_1 | 0 "t" | 0 signed x | -0 | +1 text | 1 "hi" | -1 | finish stop | '
            "counts 9 5 None None None | end",
        ),
        ({"output": [call("{}")]}, '+0 call ls #c1 | 0 "{}" | -0 | finish tool | end'),
        ({"status": "completed", "output": []}, "finish stop | end"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [message("h")]},
            '+0 text | 0 "h" | -0 | finish length | end',
        ),
        (
            {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}, "output": []},
            "failed 429 rate_limit: slow",
        ),
        ({"status": "completed", "output": "x"}, "failed 502 upstream: …"),
        ({"status": "completed", "output": [call(name=None)]}, "failed 502 upstream: …"),
    ],
)
def test_read(body: dict[str, Any], expected: str) -> None:
    first, *rest = read(**body)
    assert first == "begin resp_1 m 5"
    if expected.endswith("…"):
        assert rest[-1].startswith(expected.removesuffix("…"))
    else:
        assert " | ".join(rest) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "in_progress", "output": []}, "failed 502 upstream: the provider's stream cannot be read: the re"),
        ({"status": "queued"}, "failed 502 upstream"),
        ({}, "failed 502 upstream"),
        ({"error": {"message": "slow", "code": "rate_limit_exceeded"}}, "failed 429 rate_limit: slow"),
    ],
)
def test_what_is_not_over_is_a_failure(body: dict[str, Any], expected: str) -> None:
    [failed] = read(**body)
    assert failed.startswith(expected)


def test_what_is_written_reads_the_same() -> None:
    events = response.read(
        {
            "id": "resp_1",
            "model": "m",
            "created_at": 5,
            "status": "completed",
            "output": [
                message("hi", "there"),
                call("{}"),
                {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "x"},
            ],
            "usage": usage.counts(Usage(9, 5, 4, 1, 3)),
        }
    )
    assert response.read(json.loads(json.dumps(response.write(fold(events), plan())))) == events


def test_counts_are_numbers_also_where_the_provider_gave_none() -> None:
    counted = response.write(fold([Begin(), Finish("stop"), Counts(Usage(3)), End()]), plan())["usage"]
    assert counted == usage.counts(Usage(3, 0, 0, 0, 0))
    assert usage.normalise(usage.counts(Usage(9, 5, 4, 1, 3))) == Usage(9, 5, 4, 1, 3)


@pytest.mark.parametrize(
    ("event", "status", "kind", "message"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, 429, "rate_limit", "slow"),
        ({"type": "error", "error": {"type": "server_error", "message": "oh"}}, 500, "internal", "oh"),
        (
            {"type": "response.failed", "response": {"error": {"code": "slow_down", "message": "busy"}}},
            503,
            "overloaded",
            "busy",
        ),
        ({"error": {"code": 529, "message": "busy"}}, 529, "overloaded", "busy"),
        ({"type": "error", "error": None, "status": 401, "message": "who"}, 401, "authentication", "who"),
    ],
)
def test_errors_in_streams_are_read(event: dict[str, Any], status: int, kind: str, message: str) -> None:
    failure = errors.decode_stream_failure(json.dumps(event).encode())
    assert (failure.status, failure.kind, failure.message) == (status, kind, message)


def test_the_end_of_a_broken_stream_reads_as_its_failure() -> None:
    told = errors.encode_stream_failure(Failure(429, "rate_limit", "slow"), Cut(sequence_number=7))
    datas = [block.partition(b"data: ")[2] for block in told.split(b"\n\n") if block]
    assert [json.loads(data)["sequence_number"] for data in datas] == [7, 8]
    assert {errors.decode_stream_failure(data).kind for data in datas} == {"rate_limit"}
