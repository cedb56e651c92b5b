from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_chat.request_reader import read
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    CacheMark,
    CustomTool,
    Knob,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
    ServerTool,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from tests.lightllm.recordings import recordings

USER = {"role": "user", "content": "hi"}


def prompt(**body: Any) -> Prompt:
    return read({"model": "m", "messages": [USER], **body}, Asked())


def test_the_least_and_the_most() -> None:
    assert prompt() == Prompt("m", (Turn("user", (Text("hi"),)),), stream_usage=False)
    body = {
        "model": "m",
        "messages": [{"role": "developer", "content": "be brief"}, USER],
        "parallel_tool_calls": False,
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 3,
        "seed": 4.0,
        "presence_penalty": -1,
        "frequency_penalty": 0.5,
        "max_completion_tokens": 10,
        "max_tokens": 20,
        "stop": "END",
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "flex",
        "verbosity": "low",
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "logit_bias": {"1": 2},
        "prediction": {"type": "content", "content": "x"},
        "moderation": {"model": "omni"},
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "wav"},
        "min_p": 0.1,
    }
    read_all = read(body, Asked())
    assert read_all == Prompt(
        "m",
        (Turn("system", (Text("be brief"),)), Turn("user", (Text("hi"),))),
        parallel_calls=False,
        sampling=Sampling(1, 0.5, 3, 4, -1, 0.5),
        max_tokens=10,
        stop=("END",),
        stream=True,
        stream_usage=True,
        user="s",
        cache_key="k",
        knobs=read_all.knobs,
    )
    assert [(knob.name, knob.at) for knob in read_all.knobs] == [
        ("several_answers", "n"),
        ("modalities", "modalities"),
        *[(name, name) for name in ("metadata", "store", "service_tier", "verbosity", "logprobs")],
        ("logprobs", "top_logprobs"),
        ("logit_bias", "logit_bias"),
        ("prediction", "prediction"),
        ("safety", "moderation"),
        ("unknown", "audio"),
        ("unknown", "min_p"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"n": 1, "logprobs": False, "logit_bias": {}, "modalities": ["text"], "usage": {"include": True}},
        {"temperature": None, "stop": None, "tools": None, "metadata": None, "user": "", "max_tokens": -1},
        {
            "response_format": {"type": "text"},
            "tools": [],
            "reasoning": None,
            "tool_choice": None,
            "stream_options": None,
        },
        {"reasoning": {}, "stream": False, "n": None},
    ],
)
def test_what_says_nothing(said: dict[str, Any]) -> None:
    assert prompt(**said) == prompt()


def test_pictures_beside_text_are_a_wish() -> None:
    assert prompt(modalities=["image", "text"]).knobs == (Knob("unknown", ["image", "text"]),)
    assert prompt(modalities=["image"]).knobs == (Knob("modalities", ["image"]),)


def test_a_model_in_the_path() -> None:
    assert read({"messages": [USER]}, Asked("deployment", True)) == Prompt(
        "deployment", prompt().turns, stream=True, stream_usage=False
    )


GRAMMAR = {"syntax": "lark", "definition": "start: /a/"}
PLACE = {"city": "Rom"}
TOOLS: list[tuple[dict[str, Any], Any]] = [
    (
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
        },
        Tool("f", "d", {"type": "object"}, True),
    ),
    (
        {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}},
        Tool("f", cache=CacheMark()),
    ),
    ({"type": "function", "name": "f", "parameters": {}}, Tool("f", schema={})),
    ({"function": {"name": "f", "parameters": None, "strict": None}}, Tool("f")),
    (
        {"type": "custom", "custom": {"name": "p", "description": "d", "format": {"type": "text"}}},
        CustomTool("p", "d", {"type": "text"}),
    ),
    (
        {"type": "custom", "custom": {"name": "p", "format": {"type": "grammar", "grammar": GRAMMAR}}},
        CustomTool("p", None, {"type": "grammar", **GRAMMAR}),
    ),
    (
        {"type": "openrouter:web_search", "parameters": {"max_uses": 1}},
        ServerTool(
            "web_search",
            Dialect.OPENAI,
            {"type": "openrouter:web_search", "parameters": {"max_uses": 1}, "max_uses": 1},
        ),
    ),
    ({"type": "code_interpreter"}, ServerTool("code_execution", Dialect.OPENAI, {"type": "code_interpreter"})),
    ({"type": "acme:magic"}, ServerTool("acme:magic", Dialect.OPENAI, {"type": "acme:magic"})),
]


@pytest.mark.parametrize(("tool", "found"), TOOLS)
def test_tools(tool: dict[str, Any], found: Any) -> None:
    assert prompt(tools=[tool]).tools == (found,)


def test_web_search_options() -> None:
    options = {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": PLACE}}
    flat = {"search_context_size": "low", "user_location": {"type": "approximate", **PLACE}}
    assert prompt(web_search_options=options).tools == (ServerTool("web_search", Dialect.OPENAI, flat),)
    assert prompt(web_search_options={}).tools == (ServerTool("web_search", Dialect.OPENAI, {}),)


NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("any")),
        ("any", ToolChoice("any")),
        (NAMED, ToolChoice("one", ("f",))),
        ({"type": "function", "name": "f"}, ToolChoice("one", ("f",))),
        ({"name": "f"}, ToolChoice("one", ("f",))),
        ({"type": "custom", "custom": {"name": "p"}}, ToolChoice("one", ("p",))),
        ({"type": "web_search"}, ToolChoice("one", ("web_search",))),
        ({"type": "auto"}, ToolChoice("auto")),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED, {"type": "mcp"}]}},
            ToolChoice("some", ("f", "mcp")),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [NAMED]}, ToolChoice("some", ("f",), must=False)),
    ],
)
def test_tool_choice(said: Any, found: ToolChoice) -> None:
    assert prompt(tool_choice=said).tool_choice == found


SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"type": "json_object"}, OutputFormat()),
        ({"type": "json_object", "schema": SCHEMA}, OutputFormat(SCHEMA)),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}},
            OutputFormat(SCHEMA, "n", "d", True),
        ),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, OutputFormat(None, "n")),
    ],
)
def test_response_format(said: Any, found: OutputFormat) -> None:
    assert prompt(response_format=said).output == found


def test_a_format_of_one_server() -> None:
    regex = {"type": "regex", "pattern": "a+"}
    assert prompt(response_format=regex).knobs == (Knob("unknown", regex),)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"reasoning_effort": "xhigh"}, Reasoning(effort="xhigh")),
        ({"reasoning_effort": "none"}, Reasoning(False, "none")),
        ({"reasoning_effort": "default"}, None),
        ({"reasoning": {"effort": "low", "exclude": True}}, Reasoning(effort="low", shown=False)),
        ({"reasoning": {"max_tokens": 99, "enabled": True}}, Reasoning(True, budget=99)),
        ({"include_reasoning": True}, Reasoning(shown=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 99}}, Reasoning(True, budget=99)),
        ({"thinking": {"type": "disabled"}}, Reasoning(False)),
        ({"thinking": {"type": "adaptive"}, "reasoning_effort": "max"}, Reasoning(True, "max")),
        ({"enable_thinking": True, "thinking_budget": 5}, Reasoning(True, budget=5)),
        ({"enable_thinking": False}, Reasoning(False)),
    ],
)
def test_reasoning(said: dict[str, Any], found: Reasoning | None) -> None:
    assert prompt(**said).reasoning == found


LS = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": ["hi"]}, "messages.0"),
    ({"messages": [{"content": "hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "bot", "content": "hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "user", "content": ["a", {"type": "text"}]}]}, "messages.0.content.1.text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.image_url"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages.0.content.0.image_url.url",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content.0.input_audio"),
    ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "messages.0.content.0.file.file_id"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.tool_call_id"),
    ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages.0.tool_calls"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages.0.tool_calls.0.function"),
    ({"messages": [{"role": "assistant", "tool_calls": [{**LS, "id": ""}]}]}, "messages.0.tool_calls.0.id"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{**LS, "function": {"name": "f", "arguments": 7}}]}]},
        "messages.0.tool_calls.0.function.arguments",
    ),
    ({"model": 7}, "model"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools.0.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": "{}"}}]}, "tools.0.function.parameters"),
    ({"tools": [{}]}, "tools.0.type"),
    ({"tool_choice": "maybe"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
    ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}}, "tool_choice.allowed_tools.tools"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": "json"}, "response_format"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": float("nan")}, "temperature"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"stop": [1]}, "stop.0"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": True}, "stream_options"),
    ({"reasoning": "high"}, "reasoning"),
    ({"user": 7}, "user"),
]


@pytest.mark.parametrize(("body", "at"), BAD)
def test_bad_requests_name_the_field(body: dict[str, Any], at: str) -> None:
    with pytest.raises(BadRequest) as caught:
        prompt(**body)
    assert str(caught.value).partition(": ")[0] == at


def test_recordings() -> None:
    requests = [each.request for each in recordings() if each.dialect is Dialect.OPENAI and each.request]
    assert len(requests) > 15
    for request in requests:
        body = json.loads(request)
        asked = read(body, Asked())
        assert asked.model == body["model"] and asked.stream and len(asked.tools) == len(body.get("tools", []))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3))
KEYS = [
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "url",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "file",
]
SHAPED = st.recursive(
    SCALARS | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "function", "data:,", "file"]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(KEYS), each, max_size=4),
)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "tools", "tool_choice", "response_format", "stop", "n"]), JSON | SHAPED
    )
)
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(BadRequest):
        read({"messages": [USER], **body}, Asked())
