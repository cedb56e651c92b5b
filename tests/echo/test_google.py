"""The official SDK as the judge: what it folds from the stream is what the buffered answer says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from google import genai
from google.genai import errors, types

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"function_declarations": [{"name": "weather", "parameters_json_schema": PARAMETERS}]}]
ANY = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}}
THOUGHTS = {"thinking_config": {"include_thoughts": True}}
REQUESTS: dict[str, tuple[object, dict[str, object]]] = {
    "text": ("say pong", {}),
    "system": ([{"role": "user", "parts": [{"text": "first"}, {"text": "second"}]}], {"system_instruction": "Kind."}),
    "call": ("call weather", {"tools": TOOLS}),
    "forced": ("hello", {"tools": TOOLS, "tool_config": ANY}),
    "result": (
        [
            {"role": "user", "parts": [{"text": "call weather"}]},
            {"role": "model", "parts": [{"function_call": {"name": "weather", "args": {"city": "Ulm"}}}]},
            {
                "role": "user",
                "parts": [{"function_response": {"name": "weather", "response": {"result": "rain"}}}],
            },
        ],
        {"tools": TOOLS},
    ),
    "thinking": ("say pong", THOUGHTS),
    "thinking and call": ("call weather", {"tools": TOOLS, **THOUGHTS}),
    "quiet thinking": ("say pong", {"thinking_config": {"thinking_budget": 128}}),
    "length": ("say pong", {"max_output_tokens": 1}),
    "schema": ("hello", {"response_mime_type": "application/json", "response_json_schema": PARAMETERS}),
}


@pytest.fixture(params=["v1", "v1beta", "v1alpha"])
async def client(base: str, request: pytest.FixtureRequest) -> AsyncIterator[genai.Client]:
    options = types.HttpOptions(
        base_url=base, api_version=request.param, retry_options=types.HttpRetryOptions(attempts=1)
    )
    client = genai.Client(api_key="none", http_options=options)
    yield client
    await client.aio.aclose()
    client.close()


def parts_of(*responses: types.GenerateContentResponse) -> list[tuple[str, object]]:
    """The parts of an answer, neighbouring texts of a kind joined, signatures left out."""
    out: list[tuple[str, object]] = []
    for part in [part for response in responses for part in response.candidates[0].content.parts or ()]:
        if part.function_call:
            out.append(("call", (part.function_call.id, part.function_call.name, part.function_call.args)))
        elif part.text:
            kind = "thought" if part.thought else "text"
            before = str(out.pop()[1]) if out and out[-1][0] == kind else ""
            out.append((kind, before + part.text))
    return out


def signatures_of(*responses: types.GenerateContentResponse) -> list[bytes]:
    parts = [part for response in responses for part in response.candidates[0].content.parts or ()]
    return [part.thought_signature for part in parts if part.thought_signature]


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_stream_folds_to_the_buffered_answer(client: genai.Client, name: str) -> None:
    contents, config = REQUESTS[name]
    whole = await client.aio.models.generate_content(model="echo", contents=contents, config=config)
    stream = await client.aio.models.generate_content_stream(model="echo", contents=contents, config=config)
    chunks = [chunk async for chunk in stream]
    assert parts_of(*chunks) == parts_of(whole)
    assert signatures_of(*chunks) == signatures_of(whole)
    assert bool(signatures_of(whole)) == ("thinking" in name)
    assert {chunk.response_id for chunk in chunks} == {whole.response_id}
    assert [chunk.candidates[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].candidates[0].finish_reason == whole.candidates[0].finish_reason
    assert chunks[-1].usage_metadata == whole.usage_metadata
    counted = await client.aio.models.count_tokens(model="echo", contents=contents)
    assert counted.total_tokens > 0


@pytest.mark.parametrize(
    ("name", "finish", "kinds", "text"),
    [
        ("text", "STOP", ["text"], "say pong"),
        ("system", "STOP", ["text"], "second"),
        ("call", "STOP", ["call"], None),
        ("forced", "STOP", ["call"], None),
        ("result", "STOP", ["text"], "weather returned: rain"),
        ("thinking", "STOP", ["thought", "text"], "say pong"),
        ("thinking and call", "STOP", ["thought", "call"], None),
        ("quiet thinking", "STOP", ["text"], "say pong"),
        ("length", "MAX_TOKENS", ["text"], "say"),
        ("schema", "STOP", ["text"], '{"city":"city"}'),
    ],
)
async def test_answers(client: genai.Client, name: str, finish: str, kinds: list[str], text: str | None) -> None:
    contents, config = REQUESTS[name]
    whole = await client.aio.models.generate_content(model="echo", contents=contents, config=config)
    found = parts_of(whole)
    assert (whole.candidates[0].finish_reason.value, [kind for kind, _ in found]) == (finish, kinds)
    assert dict(found).get("text") == text
    assert [value[1:] for kind, value in found if kind == "call"] == [("weather", {"city": "city"})] * ("call" in kinds)
    usage = whole.usage_metadata
    assert bool(usage.thoughts_token_count) == ("thinking" in name)
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + (usage.thoughts_token_count or 0)
    )


@pytest.mark.parametrize(
    "path", ["/v1beta/models/echo:streamGenerateContent", "/v1/models/echo%3AstreamGenerateContent"]
)
async def test_stream_formats(base: str, path: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "call weather"}]}], "tools": TOOLS}
    async with httpx.AsyncClient() as http:
        sse = await http.post(f"{base}{path}?alt=sse", json=body)
        array = await http.post(f"{base}{path}", json=body)
    assert sse.headers["content-type"] == "text/event-stream"
    assert array.headers["content-type"] == "application/json"
    events = [json.loads(event.removeprefix("data: ")) for event in sse.text.removesuffix("\n\n").split("\n\n")]
    assert array.json() == events
    assert len(events) > 1


async def test_snake_case_and_count_of_a_whole_request(base: str) -> None:
    contents = [{"role": "user", "parts": [{"text": "say pong"}]}]
    inner = {"model": "models/echo", "contents": contents, "systemInstruction": {"parts": [{"text": "Kind."}]}}
    async with httpx.AsyncClient() as http:
        url = f"{base}/v1beta/models/echo"
        answer = await http.post(
            f"{url}:generateContent", json={"contents": contents, "system_instruction": {"parts": [{"text": "Kind."}]}}
        )
        counted = await http.post(f"{url}:countTokens", json={"generateContentRequest": inner})
    assert answer.json()["usageMetadata"]["promptTokenCount"] == counted.json()["totalTokens"] == 4


@pytest.mark.parametrize(
    ("status", "word"),
    [(429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE"), (403, "PERMISSION_DENIED"), (500, "INTERNAL")],
)
async def test_errors(client: genai.Client, status: int, word: str) -> None:
    with pytest.raises(errors.APIError) as caught:
        await client.aio.models.generate_content(model="echo", contents=f"error {status}")
    assert (caught.value.code, caught.value.status) == (status, word)
    with pytest.raises(errors.APIError) as caught:
        stream = await client.aio.models.generate_content_stream(model="echo", contents=f"error {status}")
        _ = [chunk async for chunk in stream]
    assert (caught.value.code, caught.value.status) == (status, word)


async def test_an_error_of_an_array_stream_is_an_array(base: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "error 429"}]}]}
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{base}/v1beta/models/echo:streamGenerateContent", json=body)
    assert response.status_code == 429
    (item,) = response.json()
    assert item["error"]["details"][0]["retryDelay"] == "1s"
    assert response.headers["retry-after"] == "1"


async def test_bad_requests_name_the_field(base: str) -> None:
    async with httpx.AsyncClient() as http:
        url = f"{base}/v1beta/models/echo:generateContent"
        for body, word in [
            ({}, "contents"),
            ({"contents": []}, "contents"),
            ({"contents": [{"role": "robot"}]}, "role"),
        ]:
            response = await http.post(url, json=body)
            assert response.status_code == 400
            assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
            assert word in response.json()["error"]["message"]


async def test_models(client: genai.Client) -> None:
    assert [model.name async for model in await client.aio.models.list()] == ["models/echo"]
    assert (await client.aio.models.get(model="echo")).display_name == "Echo"
    with pytest.raises(errors.ClientError):
        await client.aio.models.get(model="other")
