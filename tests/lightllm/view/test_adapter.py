"""An agent behind each wire format, called by the vendors' own SDKs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import Anthropic
from google import genai
from openai import OpenAI
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.tap import StreamTap
from ccproxy.lightllm.view import adapter
from tests.lightllm.vendors import call, serve
from tests.lightllm.view.bodies import BODIES

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}
ASK: dict[Dialect, dict[str, Any]] = {
    A: {
        "model": "m",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "weather", "input_schema": TOOL}, {"type": "web_search_20250305", "name": "web_search"}],
    },
    C: {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}],
        "stream_options": {"include_usage": True},
    },
    R: {
        "model": "m",
        "instructions": "Be brief.",
        "input": "hi",
        "tools": [{"type": "function", "name": "weather", "parameters": TOOL}],
    },
    G: {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": TOOL}]}],
    },
}


async def answer(dialect: Dialect, *deltas: object, seen: list[Any] | None = None) -> bytes:
    """What an agent with a scripted model answers."""

    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        if seen is not None:
            seen.extend([messages, info])
        for delta in deltas:
            if isinstance(delta, Exception):
                raise delta
            yield delta

    agent = Agent(FunctionModel(stream_function=model), output_type=[str, DeferredToolRequests])
    kind = adapter(dialect)
    ui = kind(agent, kind.build_run_input(json.dumps(ASK[dialect]).encode()), manage_system_prompt="client")
    return "".join([chunk async for chunk in ui.encode_stream(ui.run_stream())]).encode()


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_the_agent_sees_the_request(dialect: Dialect) -> None:
    seen: list[Any] = []
    await answer(dialect, "ok", seen=seen)
    messages, info = seen
    parts = [part for message in messages for part in message.parts]
    assert [part.content for part in parts if isinstance(part, SystemPromptPart)] == ["Be brief."]
    assert [part.content for part in parts if isinstance(part, UserPromptPart)] in (["hi"], [["hi"]])
    assert [tool.name for tool in info.function_tools] == ["weather"]
    assert info.function_tools[0].parameters_json_schema == TOOL


DELTAS = (
    {0: DeltaThinkingPart(content="let me ")},
    {0: DeltaThinkingPart(content="think", signature="c2ln")},
    "It is ",
    "sunny – 20°.",
)


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_the_sdk_understands_the_answer(dialect: Dialect) -> None:
    stream = await answer(dialect, *DELTAS)
    assert (b'"c2ln"' in stream) == (dialect is not C)
    tap = StreamTap(dialect)
    tap.feed(stream)
    assert tap.complete
    assert tap.usage is not None
    assert tap.usage.output
    with serve(200, "text/event-stream", stream) as base:
        assert said(dialect, base) == ("let me think", "It is sunny – 20°.", [])


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_calls_of_the_clients_tools_are_the_end_of_the_answer(dialect: Dialect) -> None:
    deltas = ("I look.", {1: DeltaToolCall(name="weather", json_args='{"city": "Bern"}', tool_call_id="c1")})
    stream = await answer(dialect, *deltas)
    with serve(200, "text/event-stream", stream) as base:
        assert said(dialect, base) == ("", "I look.", [("weather", {"city": "Bern"})])


def said(dialect: Dialect, base: str) -> tuple[str, str, list[tuple[str, Any]]]:
    """Thinking, text and calls, as the SDK's own accumulator puts them together."""
    match dialect:
        case Dialect.ANTHROPIC:
            client = Anthropic(api_key="k", base_url=base, max_retries=0)
            with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as events:
                message = events.get_final_message()
            assert message.stop_reason == ("tool_use" if message.content[-1].type == "tool_use" else "end_turn")
            return (
                "".join(block.thinking for block in message.content if block.type == "thinking"),
                "".join(block.text for block in message.content if block.type == "text"),
                [(block.name, block.input) for block in message.content if block.type == "tool_use"],
            )
        case Dialect.OPENAI:
            chat = OpenAI(api_key="k", base_url=base, max_retries=0).chat.completions
            with chat.stream(model="m", messages=[{"role": "user", "content": "x"}]) as chunks:
                thinking = "".join(
                    getattr(event.chunk.choices[0].delta, "reasoning_content", None) or ""
                    for event in chunks
                    if event.type == "chunk" and event.chunk.choices
                )
                choice = chunks.get_final_completion().choices[0]
            calls = choice.message.tool_calls or []
            assert choice.finish_reason == ("tool_calls" if calls else "stop")
            return (
                thinking,
                choice.message.content or "",
                [(one.function.name, json.loads(one.function.arguments)) for one in calls],
            )
        case Dialect.OPENAI_RESPONSES:
            with OpenAI(api_key="k", base_url=base, max_retries=0).responses.stream(model="m", input="x") as stream:
                events = list(stream)
                final = stream.get_final_response()
            assert [event.sequence_number for event in events] == list(range(len(events)))
            thinking = "".join(part.text for item in final.output if item.type == "reasoning" for part in item.summary)
            found = [item for item in final.output if item.type == "function_call"]
            return thinking, final.output_text, [(item.name, json.loads(item.arguments)) for item in found]
        case Dialect.GOOGLE:
            google = genai.Client(api_key="k", http_options={"base_url": base})
            parts = [
                part
                for chunk in google.models.generate_content_stream(model="m", contents="x")
                for part in (chunk.candidates[0].content.parts or [])  # type: ignore[index, union-attr]
            ]
            return (
                "".join(part.text or "" for part in parts if part.thought),
                "".join(part.text or "" for part in parts if not part.thought),
                [(part.function_call.name or "", part.function_call.args) for part in parts if part.function_call],
            )


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_an_agent_that_fails_ends_in_the_dialects_error(dialect: Dialect) -> None:
    stream = await answer(dialect, "It is", BadRequest("this model cannot"))
    tap = StreamTap(dialect)
    tap.feed(stream)
    assert not tap.complete or dialect is R  # response.failed is an end of its own
    assert tap.error is not None
    assert tap.error.message == "this model cannot"
    with serve(200, "text/event-stream", stream) as base, pytest.raises(Exception, match="this model cannot"):
        call(dialect, base, stream=True)
    assert b"secret" not in await answer(dialect, "It is", RuntimeError("secret"))


@pytest.mark.parametrize("dialect", list(Dialect))
def test_class_methods_need_no_agent(dialect: Dialect) -> None:
    kind = adapter(dialect)
    body = kind.build_run_input(BODIES[dialect])
    name = {A: "messages", C: "messages", R: "input", G: "contents"}[dialect]
    messages = kind.load_messages(body[name])
    assert len(messages) == len(body[name])
    assert len(kind.dump_messages(messages)) == len(body[name])
    for part in (part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)):
        assert part.tool_call_id
    with pytest.raises(BadRequest):
        kind.build_run_input(b"[]")


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_a_conversation_with_tools_goes_on(dialect: Dialect) -> None:
    """What was answered, written back into the next request, reaches the model as it was."""
    kind = adapter(dialect)
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart("hi")]),
        ModelResponse([TextPart("I look."), ToolCallPart("weather", {"city": "Bern"}, "c1")]),
        ModelRequest([ToolReturnPart("weather", "sunny", "c1")]),
    ]
    again = kind.load_messages(kind.dump_messages(history))
    parts = [part for message in again for part in message.parts]
    (spoken,) = [part for part in parts if isinstance(part, TextPart)]
    (called,) = [part for part in parts if isinstance(part, ToolCallPart)]
    (result,) = [part for part in parts if isinstance(part, ToolReturnPart)]
    assert spoken.content == "I look."
    assert (called.tool_name, called.args_as_dict(), called.tool_call_id) == ("weather", {"city": "Bern"}, "c1")
    assert (result.tool_name, result.tool_call_id) == ("weather", "c1")
    assert "sunny" in str(result.content)
