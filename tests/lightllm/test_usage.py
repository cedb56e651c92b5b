from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.usage import Usage, usage_from_body

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE


def message(**usage: Any) -> dict[str, Any]:
    return {"type": "message", "model": "m", "stop_reason": "end_turn", "usage": usage}


def completion(**usage: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"finish_reason": "stop"}], "usage": usage}


def response(**usage: Any) -> dict[str, Any]:
    return {"object": "response", "model": "m", "status": "completed", "incomplete_details": None, "usage": usage}


def candidate(**usage: Any) -> dict[str, Any]:
    return {"modelVersion": "m", "candidates": [{"finishReason": "STOP"}], "usageMetadata": usage}


COUNTS: list[tuple[Dialect, dict[str, Any], Usage | None]] = [
    (A, message(input_tokens=3, output_tokens=7), Usage(3, 7)),
    (
        A,
        message(input_tokens=3, cache_read_input_tokens=100, cache_creation_input_tokens=10, output_tokens=7),
        Usage(113, 7, 100, 10),
    ),
    (A, message(input_tokens=0, cache_read_input_tokens=None, output_tokens=0), Usage(0, 0)),
    (A, message(output_tokens=9, output_tokens_details={"thinking_tokens": 4}), Usage(None, 9, reasoning=4)),
    (A, message(input_tokens="3", output_tokens=True), None),
    (A, message(input_tokens=-1, output_tokens=10**30), None),
    (A, message(), None),
    (C, completion(prompt_tokens=3, completion_tokens=7, total_tokens=10), Usage(3, 7)),
    (
        C,
        completion(
            prompt_tokens=30,
            completion_tokens=7,
            prompt_tokens_details={"cached_tokens": 20, "cache_write_tokens": 5},
            completion_tokens_details={"reasoning_tokens": 4},
        ),
        Usage(30, 7, 20, 5, 4),
    ),
    (C, completion(prompt_tokens=30, completion_tokens=7, prompt_cache_hit_tokens=20), Usage(30, 7, 20)),
    (C, completion(prompt_tokens=3, prompt_tokens_details=None), Usage(3)),
    (C, completion(total_tokens=3), None),
    (
        C,
        {"choices": [{"finish_reason": "stop", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}], "model": "m"},
        Usage(1, 2),
    ),
    (
        R,
        response(
            input_tokens=30,
            input_tokens_details={"cached_tokens": 20, "cache_write_tokens": 5},
            output_tokens=7,
            output_tokens_details={"reasoning_tokens": 4},
        ),
        Usage(30, 7, 20, 5, 4),
    ),
    (R, response(input_tokens=30, output_tokens=7), Usage(30, 7)),
    (R, {**response(), "usage": None}, None),
    (G, candidate(promptTokenCount=3, candidatesTokenCount=7, totalTokenCount=10), Usage(3, 7)),
    (
        G,
        candidate(
            promptTokenCount=30,
            cachedContentTokenCount=20,
            toolUsePromptTokenCount=5,
            candidatesTokenCount=7,
            thoughtsTokenCount=4,
        ),
        Usage(35, 11, 20, None, 4),
    ),
    (G, candidate(promptTokenCount=3, thoughtsTokenCount=4), Usage(3, 4, reasoning=4)),
    (G, candidate(promptTokenCount=3, totalTokenCount=3), Usage(3, 0)),
    (G, candidate(trafficType="ON_DEMAND"), None),
    (G, {"response": candidate(promptTokenCount=3)}, Usage(3, 0)),
]


@pytest.mark.parametrize(("dialect", "body", "expected"), COUNTS)
def test_counts_in_one_convention(dialect: Dialect, body: dict[str, Any], expected: Usage | None) -> None:
    usage, _, model = usage_from_body(dialect, body)
    assert usage == expected
    assert model == "m" or dialect is C


STOPS: list[tuple[Dialect, dict[str, Any], str | None]] = [
    (A, {"stop_reason": "max_tokens"}, "max_tokens"),
    (A, {"stop_reason": None}, None),
    (A, {"type": "error", "error": {"type": "api_error", "message": "m"}}, None),
    (C, {"choices": [{"finish_reason": None}, {"finish_reason": "tool_calls"}]}, "tool_calls"),
    (C, {"choices": []}, None),
    (C, {"choices": "x"}, None),
    (C, {"error": {"message": "m"}, "choices": [{"finish_reason": "stop"}]}, None),
    (R, {"status": "completed"}, "completed"),
    (R, {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
    (R, {"status": "failed", "error": {"code": "server_error", "message": "m"}}, "failed"),
    (G, {"candidates": [{"finishReason": "MAX_TOKENS"}]}, "MAX_TOKENS"),
    (G, {"promptFeedback": {"blockReason": "SAFETY"}}, "SAFETY"),
    (G, {"candidates": [7]}, None),
    (G, {"error": {"code": 400}}, None),
]


@pytest.mark.parametrize(("dialect", "body", "expected"), STOPS)
def test_stop_reason_is_the_providers_word(dialect: Dialect, body: dict[str, Any], expected: str | None) -> None:
    assert usage_from_body(dialect, body)[1] == expected


@pytest.mark.parametrize("dialect", [*Dialect, None])
@pytest.mark.parametrize(
    "body", [{}, {"data": []}, {"usage": 5, "choices": 5, "model": 5, "status": 5, "candidates": 5}]
)
def test_bodies_that_say_nothing(dialect: Dialect | None, body: dict[str, Any]) -> None:
    assert usage_from_body(dialect, body) == (None, None, None)
