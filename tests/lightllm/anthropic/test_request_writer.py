"""Requests as Anthropic's models, and other makers' servers, take them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.anthropic.request_writer import write
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.prompt import (
    CacheMark,
    Call,
    File,
    OutputFormat,
    Part,
    Prompt,
    Reasoning,
    Result,
    Sampling,
    ServerTool,
    Text,
    Thought,
    Tool,
    ToolChoice,
    Turn,
)

type Json = dict[str, Any]

HI = Turn("user", (Text("hi"),))
FIVE, HOUR = CacheMark(), CacheMark("1h")
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CLOSED: Json = {**SCHEMA, "additionalProperties": False}
TOOL = Tool("f", "d", SCHEMA)


def prompt(*turns: Turn, model: str = "claude-opus-4-6", **given: Any) -> Prompt:
    return Prompt(model, turns or (HI,), **given)


def sent(asked: Prompt, flavour: str = "anthropic") -> Json:
    body = write(asked, FLAVOURS[flavour])
    assert json.loads(json.dumps(body)) == body
    return body


def blocks(*parts: Part) -> list[Json]:
    """A user's parts as they are written."""
    content: list[Json] = sent(prompt(Turn("user", parts)))["messages"][0]["content"]
    return content


def test_the_whole_of_a_request() -> None:
    body = sent(
        prompt(
            Turn("system", (Text("s", HOUR),)),
            HI,
            Turn("assistant", (Thought("t", "sig"), Thought("", "enc", redacted=True), Call("c", "f", '{"a": "é"}'))),
            Turn("user", (Result("c", "f", (Text("ok"),), is_error=True, cache=FIVE), Text("so?"))),
            model="claude-sonnet-4-5",
            tools=(replace(TOOL, cache=HOUR, strict=True), ServerTool("web_search", Dialect.GOOGLE, {})),
            tool_choice=ToolChoice("auto"),
            parallel_calls=False,
            reasoning=Reasoning(True, budget=2000, shown=True),
            sampling=Sampling(0.5, 0.97, 7),
            output=OutputFormat(SCHEMA, "name"),
            max_tokens=100_000,
            stop=("x", "\n"),
            user="u",
            cache=FIVE,
            stream=True,
        )
    )
    assert list(body)[:2] == ["model", "max_tokens"]
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 64000,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "enc"},
                    {"type": "tool_use", "id": "c", "name": "f", "input": {"a": "é"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c",
                        "content": "ok",
                        "is_error": True,
                        "cache_control": {"type": "ephemeral"},
                    },
                    {"type": "text", "text": "so?"},
                ],
            },
        ],
        "tools": [
            {
                "name": "f",
                "description": "d",
                "input_schema": CLOSED,
                "strict": True,
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            },
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
        "output_config": {"format": {"type": "json_schema", "schema": CLOSED}},
        "top_p": 0.97,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "cache_control": {"type": "ephemeral"},
        "stream": True,
    }


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (File("image", "image/jpg", "eA=="), {"type": "base64", "media_type": "image/jpeg", "data": "eA=="}),
        (File("image", None, "iVBORw0KGgo="), {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}),
        (File("image", "image/*", "/9j/4A=="), {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4A=="}),
        (File("image", url="https://e.example/x"), {"type": "url", "url": "https://e.example/x"}),
        (File("document", None, "eA=="), {"type": "base64", "media_type": "application/pdf", "data": "eA=="}),
        (File("document", text="d"), {"type": "text", "media_type": "text/plain", "data": "d"}),
        (
            File("document", "text/csv; charset=utf-8", base64.b64encode("ä,b".encode()).decode()),
            {"type": "text", "media_type": "text/plain", "data": "ä,b"},
        ),
    ],
)
def test_files(part: File, block: Json) -> None:
    assert blocks(part) == [{"type": part.kind, "source": block}]
    named = blocks(replace(part, name="n", cache=FIVE))[0]
    assert named.get("title") == ("n" if part.kind == "document" else None)
    assert named["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ((), None),
        ((Text("a"),), "a"),
        ((Text("a", HOUR), Text(""), Text("b")), [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        ((File("image", url="u"),), [{"type": "image", "source": {"type": "url", "url": "u"}}]),
    ],
)
def test_results(content: tuple[Text | File, ...], written: object) -> None:
    turns = HI, Turn("assistant", (Call("c", "f", ""),)), Turn("user", (Result("c", "f", content),))
    messages = sent(prompt(*turns))["messages"]
    assert messages[1]["content"][0]["input"] == {}
    assert messages[2]["content"][0].get("content") == written


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (File("document", "application/msword", "eA==", at="messages.0.x"), "messages.0.x: "),
        (File("audio", "audio/wav", "eA==", at="messages.0.x"), "messages.0.x: "),
        (File("document", "text/plain", "é", at="messages.0.x"), "messages.0.x: "),
        (Call("c", "f", "[1]", at="messages.0.x"), "messages.0.x: the arguments of the call of f"),
        (Call("c", "f", "{oh", at="messages.0.x"), "messages.0.x: the arguments of the call of f"),
    ],
)
def test_what_cannot_be_sent_is_named(part: File | Call, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        sent(prompt(HI, Turn("assistant" if isinstance(part, Call) else "user", (part,))))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("model", "end"),
    [
        ("claude-sonnet-4-5", ("assistant", "so")),
        ("claude-opus-4-6", ("user", "Continue.")),
        ("claude-opus-5-5", ("user", "Continue.")),
    ],
)
def test_an_answer_that_was_begun(model: str, end: tuple[str, str]) -> None:
    last = sent(prompt(HI, Turn("assistant", (Text("so \n"),)), model=model))["messages"][-1]
    assert (last["role"], last["content"][0]["text"]) == end


@pytest.mark.parametrize(
    ("model", "asked", "sampling"),
    [
        ("claude-sonnet-4", {}, {"temperature": 1.0, "top_p": 0.5, "top_k": 7}),
        ("claude-sonnet-4-5", {}, {"temperature": 1.0, "top_k": 7}),
        ("claude-sonnet-4-5", {"reasoning": Reasoning(True)}, {}),
        ("claude-opus-4-6", {"reasoning": Reasoning(effort="low")}, {}),
        ("claude-opus-4-6", {"reasoning": Reasoning(False)}, {"temperature": 1.0, "top_k": 7}),
        ("claude-opus-4-7", {}, {}),
        ("deepseek-chat", {}, {"temperature": 1.0, "top_p": 0.5, "top_k": 7}),
    ],
)
def test_sampling(model: str, asked: Json, sampling: Json) -> None:
    body = sent(prompt(model=model, sampling=Sampling(1.6, 0.5, 7), **asked))
    assert {key: body[key] for key in ("temperature", "top_p", "top_k") if key in body} == sampling
    assert sent(prompt(sampling=Sampling(0.0)))["temperature"] == 0.0


@pytest.mark.parametrize(
    ("choice", "model", "written", "tools"),
    [
        (None, "claude-opus-4-6", None, ["f", "g"]),
        (ToolChoice("none"), "claude-opus-4-6", {"type": "none"}, ["f", "g"]),
        (ToolChoice("any"), "claude-opus-4-6", {"type": "any"}, ["f", "g"]),
        (ToolChoice("one", ("g",)), "claude-opus-4-6", {"type": "tool", "name": "g"}, ["f", "g"]),
        (ToolChoice("some", ("g",)), "claude-opus-4-6", {"type": "any"}, ["g"]),
        (ToolChoice("some", ("g",), must=False), "claude-opus-4-6", {"type": "auto"}, ["g"]),
        (ToolChoice("any"), "claude-opus-5-5", {"type": "auto"}, ["f", "g"]),
        (ToolChoice("one", ("g",)), "claude-sonnet-5-5", {"type": "auto"}, ["f", "g"]),
    ],
)
def test_tool_choice(choice: ToolChoice | None, model: str, written: Json | None, tools: list[str]) -> None:
    body = sent(prompt(model=model, tools=(TOOL, replace(TOOL, name="g")), tool_choice=choice))
    assert body.get("tool_choice") == written
    assert [tool["name"] for tool in body["tools"]] == tools


def test_a_forced_call_is_kept_and_thinking_is_not() -> None:
    body = sent(prompt(tools=(TOOL,), tool_choice=ToolChoice("any"), reasoning=Reasoning(effort="high")))
    assert body["tool_choice"] == {"type": "any"} and "thinking" not in body
    assert body["output_config"] == {"effort": "high"}


def test_tools_of_the_past_are_declared_and_not_to_be_called() -> None:
    assert "tool_choice" not in sent(prompt(tool_choice=ToolChoice("auto"), parallel_calls=False))
    body = sent(prompt(HI, Turn("assistant", (Call("c", "f", "{}"),)), tool_choice=ToolChoice("auto")))
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("tool", "block"),
    [
        (ServerTool("web_fetch", Dialect.GOOGLE, {}), {"type": "web_fetch_20250910", "name": "web_fetch"}),
        (
            ServerTool("code_execution", Dialect.OPENAI_RESPONSES, {"container": {"type": "auto"}}),
            {"type": "code_execution_20250825", "name": "code_execution"},
        ),
        (
            ServerTool(
                "web_search",
                Dialect.OPENAI_RESPONSES,
                {
                    "filters": {"allowed_domains": ["a.example"]},
                    "user_location": {"type": "approximate", "country": "DE", "city": None},
                },
            ),
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "allowed_domains": ["a.example"],
                "user_location": {"type": "approximate", "country": "DE"},
            },
        ),
        (
            ServerTool("web_search", Dialect.OPENAI, {"user_location": {"approximate": {"city": "Bonn"}}}),
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "user_location": {"type": "approximate", "city": "Bonn"},
            },
        ),
        (
            ServerTool("web_search", Dialect.GOOGLE, {"excludeDomains": ["b.example"]}),
            {"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["b.example"]},
        ),
        (ServerTool("bash_20250124", Dialect.ANTHROPIC, {"type": "b", "name": "bash"}), {"type": "b", "name": "bash"}),
    ],
)
def test_server_tools(tool: ServerTool, block: Json) -> None:
    assert sent(prompt(tools=(tool,)))["tools"] == [block]
    mine = replace(TOOL, name=block["name"])
    assert len(sent(prompt(tools=(tool, mine)))["tools"]) == 1  # a name stands for one tool


def test_strict_tools_within_the_limits() -> None:
    tools = tuple(Tool(f"t{number}", schema=SCHEMA, strict=True) for number in range(22))
    strict = [tool.get("strict") for tool in sent(prompt(tools=tools))["tools"]]
    assert strict == [True] * 20 + [None] * 2
    loose = Tool("f", schema={"type": "object", "additionalProperties": True}, strict=True)
    assert sent(prompt(tools=(loose,)))["tools"] == [
        {"name": "f", "input_schema": {"type": "object", "additionalProperties": True}}
    ]
    assert "strict" not in sent(prompt(tools=tools), "zai")["tools"][0]


@pytest.mark.parametrize(
    ("output", "model", "flavour", "config", "told"),
    [
        (OutputFormat(SCHEMA), "claude-opus-4-6", "anthropic", {"type": "json_schema", "schema": CLOSED}, ""),
        (OutputFormat(SCHEMA), "claude-sonnet-4", "anthropic", None, json.dumps(SCHEMA)),
        (OutputFormat(SCHEMA, description="a dog"), "glm-4.6", "zai", None, "a dog"),
        (OutputFormat({"type": "object"}), "claude-opus-4-6", "anthropic", None, '{"type": "object"}'),
        (OutputFormat(), "claude-opus-4-6", "anthropic", None, "one JSON object"),
    ],
)
def test_schemas_of_answers(output: OutputFormat, model: str, flavour: str, config: Json | None, told: str) -> None:
    body = sent(prompt(Turn("system", (Text("s"),)), HI, model=model, output=output), flavour)
    assert body.get("output_config", {}).get("format") == config
    texts = [block["text"] for block in body["system"]]
    assert texts[0] == "s" and len(texts) == (1 if config else 2) and told in texts[-1]


@pytest.mark.parametrize(
    ("model", "flavour", "role"),
    [
        ("claude-opus-5-5", "anthropic", "system"),
        ("claude-opus-4-7", "anthropic", "user"),
        ("claude-opus-5-5", "deepseek", "user"),
    ],
)
def test_system_turns(model: str, flavour: str, role: str) -> None:
    last = sent(prompt(HI, Turn("system", (Text("x"),)), model=model), flavour)["messages"][-1]
    assert last["role"] == role
    assert last["content"][-1]["text"] == ("x" if role == "system" else "<system>\nx\n</system>")


def test_other_makers_think_by_budget_and_know_no_display() -> None:
    asked = prompt(model="claude-opus-5-5", reasoning=Reasoning(effort="low", shown=True))
    assert sent(asked, "minimax")["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert sent(prompt(model="glm-4.6"), "zai")["max_tokens"] == 98304


@pytest.mark.parametrize(
    ("marks", "own", "kept"),
    [
        ([FIVE] * 4, None, "5555"),
        ([HOUR, HOUR, FIVE, FIVE], None, "hh55"),
        ([HOUR, FIVE, HOUR, HOUR], None, "h555"),
        ([HOUR, HOUR, FIVE, FIVE, FIVE, FIVE], None, "h--555"),
        ([FIVE] * 4, FIVE, "5-555"),
        ([HOUR, FIVE], HOUR, "h55"),
        ([], HOUR, "h"),
    ],
)
def test_marks(marks: list[CacheMark], own: CacheMark | None, kept: str) -> None:
    tool = (replace(TOOL, cache=marks[0]),) if marks else ()
    texts = tuple(Text(str(number), mark) for number, mark in enumerate(marks[1:]))
    body = sent(prompt(Turn("user", (*texts, Text("end"))), tools=tool, cache=own))
    written = [*body.get("tools", []), *body["messages"][0]["content"][:-1], *([body] if own else [])]
    found = [block.get("cache_control") for block in written]
    assert "".join("-" if mark is None else "h" if mark.get("ttl") == "1h" else "5" for mark in found) == kept
