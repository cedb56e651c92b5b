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
TOOLS = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
THINKING = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
REQUESTS = {
    "text": {"input": "say pong"},
    "items": {
        "instructions": "Be kind.",
        "input": [
            {"role": "developer", "content": "Short."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "second"}]},
        ],
    },
    "call": {"tools": TOOLS, "input": "call weather"},
    "forced": {"tools": TOOLS, "tool_choice": {"type": "function", "name": "weather"}, "input": "hello"},
    "result": {
        "tools": TOOLS,
        "input": [
            {"role": "user", "content": "call weather"},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Ulm"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        ],
    },
    "thinking": {**THINKING, "input": "say pong"},
    "thinking and call": {**THINKING, "tools": TOOLS, "input": "call weather"},
    "no summary": {"reasoning": {"effort": "low"}, "input": "say pong"},
    "length": {"max_output_tokens": 1, "input": "say pong"},
    "schema": {
        "input": "hello",
        "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}},
    },
}


@pytest.fixture
def client(base: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_stream_folds_to_the_buffered_answer(client: openai.AsyncOpenAI, name: str) -> None:
    request = {"model": "echo", **REQUESTS[name]}
    whole = await client.responses.create(**request)
    async with await client.responses.create(**request, stream=True) as events:
        *_, last = [event async for event in events]
    assert last.response == whole


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "length"])
async def test_the_deltas_fold_to_the_final_response(client: openai.AsyncOpenAI, name: str) -> None:
    async with client.responses.stream(model="echo", **REQUESTS[name]) as stream:
        text = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
        folded = await stream.get_final_response()
    assert text == folded.output_text
    assert folded.status == "completed"


@pytest.mark.parametrize(
    ("name", "status", "kinds", "text"),
    [
        ("text", "completed", ["message"], "say pong"),
        ("items", "completed", ["message"], "second"),
        ("call", "completed", ["function_call"], ""),
        ("forced", "completed", ["function_call"], ""),
        ("result", "completed", ["message"], "weather returned: rain"),
        ("thinking", "completed", ["reasoning", "message"], "say pong"),
        ("thinking and call", "completed", ["reasoning", "function_call"], ""),
        ("no summary", "completed", ["reasoning", "message"], "say pong"),
        ("length", "incomplete", ["message"], "say"),
        ("schema", "completed", ["message"], '{"city":"city"}'),
    ],
)
async def test_answers(client: openai.AsyncOpenAI, name: str, status: str, kinds: list[str], text: str) -> None:
    request = {"model": "echo", **REQUESTS[name]}
    whole = await client.responses.create(**request)
    assert (whole.status, [item.type for item in whole.output], whole.output_text) == (status, kinds, text)
    for item in whole.output:
        if item.type == "function_call":
            assert (item.name, json.loads(item.arguments)) == ("weather", {"city": "city"})
        if item.type == "reasoning":
            assert bool(item.summary) == bool(item.encrypted_content) == (name != "no summary")
    assert (whole.usage.output_tokens_details.reasoning_tokens > 0) == ("reasoning" in kinds)
    counting = {key: value for key, value in request.items() if key not in {"max_output_tokens", "include"}}
    counted = await client.responses.input_tokens.count(**counting)
    assert counted.input_tokens == whole.usage.input_tokens


async def test_event_grammar(base: str) -> None:
    async with httpx.AsyncClient() as http:
        request = {"model": "echo", "stream": True, **REQUESTS["thinking and call"]}
        raw = (await http.post(f"{base}/v1/responses", json=request)).text
    events = [event.split("\n") for event in raw.removesuffix("\n\n").split("\n\n")]
    datas = [json.loads(data.removeprefix("data: ")) for _, data in events]
    assert [name.removeprefix("event: ") for name, _ in events] == [data["type"] for data in datas]
    assert [data["sequence_number"] for data in datas] == list(range(len(datas)))
    once = list(dict.fromkeys((data["type"].removeprefix("response."), data.get("output_index")) for data in datas))
    assert once == [
        ("created", None),
        ("in_progress", None),
        ("output_item.added", 0),
        ("reasoning_summary_part.added", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.done", 0),
        ("reasoning_summary_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
        ("completed", None),
    ]
    done = [data["item"] for data in datas if data["type"] == "response.output_item.done"]
    assert datas[-1]["response"]["output"] == done
    assert datas[-1]["response"]["tools"] == TOOLS


@pytest.mark.parametrize("stream", [False, True])
async def test_errors(client: openai.AsyncOpenAI, stream: bool) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        await client.responses.create(model="echo", stream=stream, input="error 429")
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": "x", "previous_response_id": "resp_9"}, "previous_response_id"),
        ({"model": "m", "input": [{"type": "function_call_output", "call_id": "call_9", "output": "x"}]}, "input.0"),
    ],
)
async def test_bad_requests_name_the_field(base: str, body: dict[str, object], param: str) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{base}/v1/responses", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
