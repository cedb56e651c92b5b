"""The official SDK as the judge: what it folds from the stream is what the buffered answer says."""

from __future__ import annotations

import json

import httpx
import openai
import pytest

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}
REQUESTS = {
    "text": {"messages": [{"role": "user", "content": "say pong"}]},
    "parts": {
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]},
        ]
    },
    "call": {"tools": TOOLS, "messages": [{"role": "user", "content": "call weather"}]},
    "forced": {
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "messages": [{"role": "user", "content": "hello"}],
    },
    "result": {
        "tools": TOOLS,
        "messages": [
            {"role": "user", "content": "call weather"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ],
    },
    "thinking": {"reasoning_effort": "low", "messages": [{"role": "user", "content": "say pong"}]},
    "length": {"max_completion_tokens": 1, "messages": [{"role": "user", "content": "say pong"}]},
    "schema": {
        "messages": [{"role": "user", "content": "hello"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
    },
}


@pytest.fixture
def client(base: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "length"])
async def test_the_stream_folds_to_the_buffered_answer(client: openai.AsyncOpenAI, name: str) -> None:
    request = {"model": "echo", **REQUESTS[name]}
    whole = await client.chat.completions.create(**request)
    async with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
        folded = await stream.get_final_completion()
    (expected,), (found,) = whole.choices, folded.choices
    assert (found.message.content or None, found.finish_reason) == (expected.message.content, expected.finish_reason)
    assert [(call.id, call.function.name, call.function.arguments) for call in found.message.tool_calls or ()] == [
        (call.id, call.function.name, call.function.arguments) for call in expected.message.tool_calls or ()
    ]
    thought = getattr(expected.message, "reasoning_content", None)
    assert getattr(found.message, "reasoning_content", None) == thought
    assert (folded.id, folded.created, folded.usage) == (whole.id, whole.created, whole.usage)


@pytest.mark.parametrize(
    ("name", "finish", "text"),
    [
        ("text", "stop", "say pong"),
        ("parts", "stop", "second"),
        ("call", "tool_calls", None),
        ("forced", "tool_calls", None),
        ("result", "stop", "weather returned: rain"),
        ("thinking", "stop", "say pong"),
        ("length", "length", "say"),
        ("schema", "stop", '{"city":"city"}'),
    ],
)
async def test_answers(client: openai.AsyncOpenAI, name: str, finish: str, text: str | None) -> None:
    whole = await client.chat.completions.create(model="echo", **REQUESTS[name])
    (choice,) = whole.choices
    assert (choice.finish_reason, choice.message.content) == (finish, text)
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
    assert calls == ([("weather", {"city": "city"})] if finish == "tool_calls" else [])
    thought = whole.usage.completion_tokens_details.reasoning_tokens
    assert bool(getattr(choice.message, "reasoning_content", None)) == bool(thought) == (name == "thinking")
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


@pytest.mark.parametrize("usage", [False, True])
async def test_event_grammar(base: str, usage: bool) -> None:
    request = {"model": "echo", "stream": True, **REQUESTS["call"], "reasoning_effort": "high"}
    if usage:
        request["stream_options"] = {"include_usage": True}
    async with httpx.AsyncClient() as http:
        raw = (await http.post(f"{base}/v1/chat/completions", json=request)).text
    *events, done = raw.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    if usage:
        *chunks, last = chunks
        assert last["choices"] == []
        assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    assert all(("usage" in chunk) == usage for chunk in chunks)
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert finishes == [None] * (len(chunks) - 1) + ["tool_calls"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    deltas = [delta for chunk in chunks for delta in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert deltas[0]["function"] == {"name": "weather", "arguments": ""}
    assert all("id" not in delta for delta in deltas[1:])


async def test_a_cut_stream_is_told(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        async with client.chat.completions.stream(model="echo", **REQUESTS["length"]) as stream:
            await stream.get_final_completion()


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, openai.AuthenticationError, "invalid_api_key"),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, "server_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors(
    client: openai.AsyncOpenAI, status: int, error: type[openai.APIStatusError], code: str | None, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        await client.chat.completions.create(
            model="echo", stream=stream, messages=[{"role": "user", "content": f"error {status}"}]
        )
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.request_id.startswith("req_")
    assert caught.value.response.headers.get("retry-after") == ("1" if status == 429 else None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "model"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"model": "m", "messages": [{"role": "tool", "tool_call_id": "call_9", "content": "x"}]}, "messages.0"),
    ],
)
async def test_bad_requests_name_the_field(base: str, body: dict[str, object], param: str) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{base}/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["param"] == param


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["echo"]
    assert (await client.models.retrieve("echo")).owned_by == "ccproxy"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("other")
