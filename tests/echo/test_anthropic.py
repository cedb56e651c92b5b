"""The official SDK as the judge: what it folds from the stream is what the buffered answer says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anthropic
import httpx
import pytest
from pydantic import BaseModel

TOOLS = [
    {
        "name": "weather",
        "description": "Tell the weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
REQUESTS = {
    "text": {"messages": [{"role": "user", "content": "say pong"}]},
    "blocks": {
        "system": [{"type": "text", "text": "Be kind."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]},
            {"role": "system", "content": "a reminder"},
        ],
    },
    "call": {"tools": TOOLS, "messages": [{"role": "user", "content": "call weather"}]},
    "forced": {
        "tools": TOOLS,
        "tool_choice": {"type": "tool", "name": "weather"},
        "messages": [{"role": "user", "content": "hello"}],
    },
    "result": {
        "tools": TOOLS,
        "messages": [
            {"role": "user", "content": "call weather"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Ulm"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]},
        ],
    },
    "thinking": {**THINKING, "messages": [{"role": "user", "content": "say pong"}]},
    "thinking and call": {**THINKING, "tools": TOOLS, "messages": [{"role": "user", "content": "call weather"}]},
    "omitted": {
        "thinking": {"type": "adaptive", "display": "omitted"},
        "messages": [{"role": "user", "content": "say pong"}],
    },
    "length": {"max_tokens": 1, "messages": [{"role": "user", "content": "say pong"}]},
    "schema": {
        "messages": [{"role": "user", "content": "hello"}],
        "output_config": {"format": {"type": "json_schema", "schema": TOOLS[0]["input_schema"]}},
    },
}


@pytest.fixture
def client(base: str) -> Iterator[anthropic.AsyncAnthropic]:
    yield anthropic.AsyncAnthropic(base_url=base, api_key="none", max_retries=0)


def plain(block: BaseModel) -> dict[str, object]:
    """A content block without what the helper adds."""
    return block.model_dump(exclude={"parsed_output"}, exclude_none=True)


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_stream_folds_to_the_buffered_answer(client: anthropic.AsyncAnthropic, name: str) -> None:
    request = {"model": "echo", "max_tokens": 4096, **REQUESTS[name]}
    whole = await client.messages.create(**request)
    async with client.messages.stream(**request) as stream:
        folded = await stream.get_final_message()
    assert [plain(block) for block in folded.content] == [plain(block) for block in whole.content]
    assert (folded.stop_reason, folded.id, folded.model) == (whole.stop_reason, whole.id, "echo")
    assert (folded.usage.input_tokens, folded.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )
    counted = await client.messages.count_tokens(
        **{key: request[key] for key in ("model", "messages", "system", "tools") if key in request}
    )
    assert counted.input_tokens == whole.usage.input_tokens


@pytest.mark.parametrize(
    ("name", "stop", "expected"),
    [
        ("text", "end_turn", [("text", "say pong")]),
        ("blocks", "end_turn", [("text", "second")]),
        ("call", "tool_use", [("tool_use", {"city": "city"})]),
        ("forced", "tool_use", [("tool_use", {"city": "city"})]),
        ("result", "end_turn", [("text", "weather returned: rain")]),
        ("thinking", "end_turn", [("thinking", None), ("text", "say pong")]),
        ("thinking and call", "tool_use", [("thinking", None), ("tool_use", {"city": "city"})]),
        ("omitted", "end_turn", [("thinking", ""), ("text", "say pong")]),
        ("length", "max_tokens", [("text", "say")]),
        ("schema", "end_turn", [("text", '{"city":"city"}')]),
    ],
)
async def test_answers(
    client: anthropic.AsyncAnthropic, name: str, stop: str, expected: list[tuple[str, object]]
) -> None:
    message = await client.messages.create(**{"model": "echo", "max_tokens": 4096, **REQUESTS[name]})
    assert message.stop_reason == stop
    assert [block.type for block in message.content] == [kind for kind, _ in expected]
    for block, (_, value) in zip(message.content, expected, strict=True):
        match block.type:
            case "text":
                assert block.text == value
            case "tool_use":
                assert block.input == value
            case "thinking":
                assert block.signature
                assert block.thinking == value if value is not None else block.thinking


async def test_event_grammar(base: str) -> None:
    request = {"model": "echo", "max_tokens": 4096, "stream": True, "tools": TOOLS, **THINKING}
    request["messages"] = [{"role": "user", "content": "call weather"}]
    async with httpx.AsyncClient() as http:
        raw = (await http.post(f"{base}/v1/messages", json=request)).text
    events = [event.split("\n") for event in raw.removesuffix("\n\n").split("\n\n")]
    datas = [json.loads(data.removeprefix("data: ")) for _, data in events]
    assert [name.removeprefix("event: ") for name, _ in events] == [data["type"] for data in datas]
    kinds = [(data["type"], data.get("index")) for data in datas]
    once = list(dict.fromkeys(kinds))
    assert once == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("ping", None),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("message_delta", None),
        ("message_stop", None),
    ]
    assert datas[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert datas[-2]["usage"]["output_tokens"] > datas[-2]["usage"]["output_tokens_details"]["thinking_tokens"] > 0


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, anthropic.AuthenticationError, "authentication_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors(
    client: anthropic.AsyncAnthropic, status: int, error: type[anthropic.APIStatusError], kind: str, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        await client.messages.create(
            model="echo", max_tokens=9, stream=stream, messages=[{"role": "user", "content": f"error {status}"}]
        )
    assert caught.value.status_code == status
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == kind
    assert caught.value.request_id == caught.value.body["request_id"]
    assert caught.value.response.headers.get("retry-after") == ("1" if status in {429, 529} else None)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "model"),
        ({"model": "m", "max_tokens": 1}, "messages"),
        ({"model": "m", "max_tokens": 1, "messages": []}, "messages"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, "max_tokens"),
        ({"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "x"}]}, "max_tokens"),
        ({"model": "m", "max_tokens": 1, "messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        (
            {
                "model": "m",
                "max_tokens": 1,
                "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9"}]}],
            },
            "toolu_9",
        ),
    ],
)
async def test_bad_requests_name_the_field(base: str, body: dict[str, object], word: str) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{base}/v1/messages", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert word in response.json()["error"]["message"]


async def test_models(client: anthropic.AsyncAnthropic) -> None:
    assert [model.id async for model in client.models.list()] == ["echo"]
    assert (await client.models.retrieve("echo")).display_name == "Echo"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("other")
