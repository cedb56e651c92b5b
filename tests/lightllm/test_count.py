from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from google import genai

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.count import COUNTING, count_body, generate_body, read_count, write_count
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.status import dump
from tests.lightllm.vendors import serve

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE

KEPT = {
    A: {"model": "m", "messages": [1], "system": "s", "tools": [2], "tool_choice": {}, "thinking": {}},
    R: {"model": "m", "input": "x", "instructions": "i", "tools": [2], "reasoning": {}, "text": {}},
}
LEFT_OUT = {
    A: {"max_tokens": 9, "stream": True, "temperature": 1, "stop_sequences": ["x"], "metadata": {}, "top_k": 1},
    R: {"max_output_tokens": 9, "stream": True, "temperature": 1, "include": [], "store": False, "metadata": {}},
}


@pytest.mark.parametrize("dialect", [A, R])
def test_what_only_an_answer_needs_is_left_out(dialect: Dialect) -> None:
    body = count_body(dialect, KEPT[dialect] | LEFT_OUT[dialect])
    assert body == KEPT[dialect]
    assert list(body) == list(KEPT[dialect])


GENERATE = {"contents": [{"parts": []}], "systemInstruction": {}, "tools": [], "generationConfig": {}, "toolConfig": {}}


def test_google_wants_the_whole_request_with_its_model() -> None:
    for name in ("gemini-3", "models/gemini-3"):
        body = count_body(G, GENERATE, model=name)
        assert body == {"generateContentRequest": {"model": "models/gemini-3", **GENERATE}}
        assert generate_body(G, body) == body["generateContentRequest"]


def test_google_without_a_model_counts_contents() -> None:
    assert count_body(G, GENERATE) == {"contents": [{"parts": []}]}


def test_vertex_takes_the_parts_at_the_top() -> None:
    assert list(count_body(G, GENERATE, model="m", vertex=True)) == [
        "contents",
        "systemInstruction",
        "tools",
        "generationConfig",
    ]


@pytest.mark.parametrize(
    ("dialect", "asked", "read"),
    [
        (A, {"model": "m", "messages": []}, {"model": "m", "messages": [], "max_tokens": 1}),
        (A, {"max_tokens": 7}, {"max_tokens": 7}),
        (G, {"contents": [1]}, {"contents": [1]}),
        (G, {"generate_content_request": {"contents": [1]}}, {"contents": [1]}),
        (G, {"generateContentRequest": 7, "contents": [1]}, {"generateContentRequest": 7, "contents": [1]}),
        (R, {"input": "x"}, {"input": "x"}),
    ],
)
def test_a_clients_counting_request_is_read_as_one_to_generate(dialect: Dialect, asked: Any, read: Any) -> None:
    assert generate_body(dialect, asked) == read


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("tokens", [0, 1, 2_000_000])
def test_what_is_written_can_be_read(dialect: Dialect, tokens: int) -> None:
    assert read_count(dialect, write_count(dialect, tokens)) == tokens


@pytest.mark.parametrize("dialect", sorted(COUNTING))
def test_the_sdks_read_the_answer(dialect: Dialect) -> None:
    with serve(200, "application/json", dump(write_count(dialect, 31))) as base:
        match dialect:
            case Dialect.ANTHROPIC:
                messages = anthropic.Anthropic(api_key="k", base_url=base).messages
                found = messages.count_tokens(model="m", messages=[{"role": "user", "content": "x"}]).input_tokens
            case Dialect.OPENAI_RESPONSES:
                found = openai.OpenAI(api_key="k", base_url=base).responses.input_tokens.count(input="x").input_tokens
            case _:
                client = genai.Client(api_key="k", http_options={"base_url": base})
                found = client.models.count_tokens(model="m", contents="x").total_tokens
    assert found == 31


@pytest.mark.parametrize(
    "document", [None, [], {}, {"error": {"message": "no"}}, {"input_tokens": "9"}, {"totalTokens": -1}]
)
@pytest.mark.parametrize("dialect", Dialect)
def test_an_answer_of_another_shape_is_an_error(dialect: Dialect, document: object) -> None:
    with pytest.raises(UpstreamError, match="okens"):
        read_count(dialect, document)
