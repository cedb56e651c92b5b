"""Bodies that clients of the Messages API send, and what is read in them."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.anthropic.request_reader import read
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    CacheMark,
    Call,
    File,
    Knob,
    Opaque,
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

HOUR = CacheMark("1h")
MARK: Json = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def body(*messages: Json, **given: Any) -> Json:
    return {"model": "m", "max_tokens": 9, "messages": list(messages) or [{"role": "user", "content": "hi"}], **given}


def prompt(*messages: Json, **given: Any) -> Prompt:
    return read(body(*messages, **given), Asked())


def user(*blocks: Json | str) -> Json:
    return {"role": "user", "content": [*blocks]}


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ({"type": "text", "text": "a", **MARK}, [Text("a", HOUR)]),
        ({"type": "text", "text": ""}, []),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}, **MARK},
            [File("image", "image/png", "eA==", cache=HOUR)],
        ),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, [File("image", url="u")]),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, [File("image", file_id="f")]),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "eA=="},
                "title": "t",
                "context": "of 1999",
            },
            [Text("of 1999"), File("document", "application/pdf", "eA==", name="t")],
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            [File("document", "text/plain", text="d")],
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "d"}, "title": "t"},
            [File("document", "text/plain", text="d", name="t")],
        ),
        (
            {
                "type": "document",
                "title": "t",
                "source": {
                    "type": "content",
                    "content": [
                        {"type": "text", "text": "d"},
                        {"type": "image", "source": {"type": "url", "url": "u"}},
                    ],
                },
                **MARK,
            },
            [Text("t"), Text("d"), File("image", url="u", cache=HOUR)],
        ),
        (
            {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "c"}]},
            [Text("t\ns\n\nc")],
        ),
        ({"type": "compaction", "content": "what was before"}, [Text("what was before")]),
        ({"type": "compaction", "content": None}, []),
        (
            {"type": "container_upload", "file_id": "f"},
            [Opaque(Dialect.ANTHROPIC, "container_upload", {"type": "container_upload", "file_id": "f"})],
        ),
    ],
)
def test_blocks_of_a_user(block: Json, parts: list[Part]) -> None:
    turns = prompt(user({"type": "text", "text": "first"}, block)).turns
    assert turns == (Turn("user", (Text("first"), *parts)),)


def test_a_tool_loop() -> None:
    thinking: list[Json] = [
        {"type": "thinking", "thinking": "t", "signature": "sig"},
        {"type": "thinking", "thinking": "shown", "signature": FOREIGN},
        {"type": "redacted_thinking", "data": "enc"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
    ]
    calls = [
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"b": "é", "a": [1.5, None]}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}, **MARK},
    ]
    results = [
        {"type": "tool_result", "tool_use_id": "c2"},
        {"type": "tool_result", "tool_use_id": "c1", "content": "ok", "is_error": True, **MARK},
        {
            "type": "tool_result",
            "tool_use_id": "gone",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image", "source": {"type": "url", "url": "u"}},
                {"type": "tool_reference", "tool_name": "later"},
                {"type": "browser_state", "tabs": []},
            ],
        },
    ]
    turns = prompt(user(), {"role": "assistant", "content": [*thinking, *calls]}, user(*results)).turns
    assert turns == (
        Turn(
            "assistant",
            (
                Thought("t", "sig"),
                Thought("shown"),
                Thought("", "enc", redacted=True),
                Opaque(Dialect.ANTHROPIC, "server_tool_use", thinking[3]),
                Call("c1", "f", '{"b":"é","a":[1.5,null]}'),
                Call("c2", "g", "{}", cache=HOUR),
            ),
        ),
        Turn(
            "user",
            (
                Result("c2", "g", ()),
                Result("c1", "f", (Text("ok"),), is_error=True, cache=HOUR),
                Result(
                    "gone",
                    None,
                    (
                        Text("x"),
                        File("image", url="u"),
                        Text("The tool later is available."),
                        Opaque(Dialect.ANTHROPIC, "browser_state", {"type": "browser_state", "tabs": []}),
                    ),
                ),
            ),
        ),
    )


def test_system_in_every_place() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=f00;"}
    found = prompt(
        {"role": "user", "content": "a"},
        {"role": "system", "content": "s1"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "system", "content": [{"type": "text", "text": "s2", **MARK}], "output_config": {"effort": "max"}},
        system=[billing, {"type": "text", "text": "s0", **MARK}, {"type": "text", "text": ""}],
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
    )
    assert found.turns == (
        Turn("system", (Text("s0", HOUR),)),
        Turn("user", (Text("a"),)),
        Turn("system", (Text("s1"),)),
        Turn("assistant", (Text("b"),)),
        Turn("user", (Text("c"),)),
        Turn("system", (Text("s2", HOUR),)),
    )
    assert found.reasoning == Reasoning(True, "max", at="thinking")
    assert [(knob.name, knob.at) for knob in found.knobs] == [("beta", "system.0")]
    assert prompt(system="s").turns[0] == Turn("system", (Text("s"),))


def test_a_system_turn_may_be_for_one_answer_only() -> None:
    note = {"role": "system", "content": "now", "clear_at": "next_user_message"}
    over = prompt({"role": "user", "content": "a"}, note, {"role": "user", "content": "b"})
    assert [turn.role for turn in over.turns] == ["user", "user"]
    assert [turn.role for turn in prompt({"role": "user", "content": "a"}, note).turns] == ["user", "system"]
    only = prompt(
        {"role": "user", "content": "a"}, {"role": "system", "content": [], "output_config": {"effort": "low"}}
    )
    assert [turn.role for turn in only.turns] == ["user"] and only.reasoning == Reasoning(effort="low")


def test_system_turns_change_the_tools() -> None:
    def change(kind: str, tool: Json) -> Json:
        return {"role": "system", "content": [{"type": kind, "tool": tool}, {"type": "text", "text": "so"}]}

    found = prompt(
        {"role": "user", "content": "a"},
        change("tool_removal", {"type": "tool_reference", "name": "f"}),
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        change("tool_addition", {"type": "tool_definition", "definition": {"name": "n", "input_schema": {}}}),
        change("tool_removal", {"type": "tool_reference", "name": "g"}),
        change("tool_addition", {"type": "tool_reference", "name": "g"}),
        tools=[{"name": name, "input_schema": {}} for name in ("f", "g")],
    )
    assert found.tools == (Tool("g", schema={}), Tool("n", schema={}))
    assert [turn.role for turn in found.turns].count("system") == 4


@pytest.mark.parametrize(
    ("tool", "read_as"),
    [
        (
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True, **MARK},
            Tool("f", "d", {"type": "object"}, True, HOUR),
        ),
        ({"type": "custom", "name": "f", "input_schema": {}, "defer_loading": True}, Tool("f", schema={})),
        *[
            ({"type": kind, "name": "n"}, ServerTool(known, Dialect.ANTHROPIC, {"type": kind, "name": "n"}))
            for kind, known in [
                ("web_search_20250305", "web_search"),
                ("web_search_20260318", "web_search"),
                ("web_fetch_20250910", "web_fetch"),
                ("code_execution_20260521", "code_execution"),
                ("tool_search_tool_bm25_20251119", "tool_search_tool_bm25_20251119"),
                ("advisor_20260301", "advisor_20260301"),
                ("bash_20250124", "bash_20250124"),
                ("mcp_toolset", "mcp"),
            ]
        ],
    ],
)
def test_tools(tool: Json, read_as: object) -> None:
    assert prompt(tools=[tool]).tools == (read_as,)


@pytest.mark.parametrize(
    ("choice", "read_as", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice("auto"), True),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("any"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "tool", "name": "f"}, ToolChoice("one", ("f",)), None),
    ],
)
def test_tool_choice(choice: Json, read_as: ToolChoice, parallel: bool | None) -> None:
    found = prompt(tool_choice=choice)
    assert (found.tool_choice, found.parallel_calls) == (read_as, parallel)


@pytest.mark.parametrize(
    ("given", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(True, None, 2000)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning(True, shown=False)),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Reasoning(True, shown=True)),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, Reasoning(False)),
        ({"thinking": {"type": "between_tools"}}, Reasoning(False)),
        ({"output_config": {"effort": "xhigh"}}, Reasoning(effort="xhigh")),
    ],
)
def test_thinking(given: Json, reasoning: Reasoning | None) -> None:
    assert prompt(**given).reasoning == reasoning


def test_settings() -> None:
    schema = {"type": "object"}
    found = prompt(
        temperature=1,
        top_p=0.5,
        top_k=3.0,
        stop_sequences=["x"],
        stream=True,
        metadata={"user_id": "u"},
        cache_control={"type": "ephemeral"},
        output_config={"format": {"type": "json_schema", "schema": schema}, "task_budget": {"total": 9}},
        service_tier="standard_only",
        context_management={"edits": []},
        mcp_servers=[{"url": "u"}],
        container="c",
        thread={"type": "create"},
        speed=None,
        anthropic_version="vertex-2023-10-16",
        fancy=7,
    )
    assert found.sampling == Sampling(1.0, 0.5, 3)
    assert (found.stop, found.stream, found.user, found.max_tokens) == (("x",), True, "u", 9)
    assert found.cache == CacheMark() and found.output == OutputFormat(schema)
    assert {(knob.at, knob.name) for knob in found.knobs} == {
        ("service_tier", "service_tier"),
        ("context_management", "context_management"),
        ("mcp_servers", "mcp"),
        ("container", "unknown"),
        ("thread", "state"),
        ("fancy", "unknown"),
        ("output_config.task_budget", "unknown"),
    }
    assert Knob("service_tier", "default") in found.knobs
    assert prompt(output_format={"type": "json_schema", "schema": schema}).output == OutputFormat(schema)
    assert read(body(stream=True), Asked("other", False)).stream is False


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"model": None}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [user("text")]}, "messages.0.content.0"),
        ({"messages": [user({"text": "x"})]}, "messages.0.content.0.type"),
        ({"messages": [user({"type": "text"})]}, "messages.0.content.0.text"),
        ({"messages": [user({"type": "image", "source": {"type": "fax"}})]}, "messages.0.content.0.source.type"),
        ({"messages": [user({"type": "image"})]}, "messages.0.content.0.source"),
        (
            {"messages": [user({"type": "tool_use", "id": "c", "name": "f", "input": "{}"})]},
            "messages.0.content.0.input",
        ),
        (
            {"messages": [user({"type": "text", "text": "x", "cache_control": {"ttl": "1d"}})]},
            "messages.0.content.0.cac",
        ),
        ({"messages": [{"role": "system", "content": [{"type": "image"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "system", "content": [{"type": {}}]}]}, "messages.0.content.0.type"),
        ({"system": [{"type": "text", "text": 1}]}, "system.0.text"),
        ({"system": {"text": "x"}}, "system"),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"output_config": {"effort": "extreme"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"stop_sequences": [1]}, "stop_sequences.0"),
        ({"metadata": []}, ""),
        ({"cache_control": 1}, "cache_control"),
    ],
)
def test_errors_name_the_field(given: Json, field: str) -> None:
    if field == "":
        assert prompt(**given).user is None  # empty, and so nothing
        return
    with pytest.raises(BadRequest) as error:
        read({**body(), **given}, Asked())
    assert str(error.value).startswith(field)
