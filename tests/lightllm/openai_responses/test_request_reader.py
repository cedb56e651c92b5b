from __future__ import annotations

import base64
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.loss import sift
from ccproxy.lightllm.openai_responses.request_reader import read
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    CacheMark,
    Call,
    CustomTool,
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
from tests.lightllm.openai_responses.shorthand import PICTURE

RESPONSES = Dialect.OPENAI_RESPONSES


def ask(**more: Any) -> Prompt:
    return read({"model": "m", "input": "hi", **more}, Asked())


def turns(*items: object) -> list[tuple[str, tuple[Part, ...]]]:
    return [(turn.role, turn.parts) for turn in ask(input=list(items)).turns]


def user(*content: object) -> dict[str, object]:
    return {"role": "user", "content": list(content)}


def call(call_id: str = "c1", **more: object) -> dict[str, object]:
    return {"type": "function_call", "call_id": call_id, "name": "ls", "arguments": "{}", **more}


def output(value: object, call_id: str = "c1") -> dict[str, object]:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def pdf(text: bytes = b"%PDF", mime: str = "application/pdf") -> str:
    return f"data:{mime};base64,{base64.b64encode(text).decode()}"


TEXT = {"type": "input_text", "text": "hi"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("user", (Text("hi"),))]),
        ({"instructions": "Be brief."}, [("system", (Text("Be brief."),)), ("user", (Text("hi"),))]),
        ({"instructions": "", "input": []}, []),
        ({"input": [{"role": "user", "content": "hi"}]}, [("user", (Text("hi"),))]),
        ({"input": [{"type": "message", "role": "developer", "content": [TEXT]}]}, [("system", (Text("hi"),))]),
        (
            {"input": [{"role": "system", "content": "a"}, user(TEXT)]},
            [("system", (Text("a"),)), ("user", (Text("hi"),))],
        ),
    ],
)
def test_who_speaks(body: dict[str, object], expected: list[object]) -> None:
    assert [(turn.role, turn.parts) for turn in ask(**body).turns] == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (TEXT, Text("hi")),
        ({"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}, Text("hi")),
        ({"type": "text", "text": "hi"}, Text("hi")),
        ({"type": "refusal", "refusal": "no"}, Text("no", refusal=True)),
        ({**TEXT, "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("hi", CacheMark())),
        ({**TEXT, "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}, Text("hi", CacheMark("1h"))),
        (
            {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "low"},
            File("image", "image/png", PICTURE, detail="low"),
        ),
        ({"type": "input_image", "image_url": "https://a/b"}, File("image", url="https://a/b")),
        ({"type": "input_image", "file_id": "f", "image_url": None}, File("image", file_id="f")),
        (
            {"type": "input_file", "file_data": pdf(), "filename": "a.pdf"},
            File("document", "application/pdf", "JVBERg==", name="a.pdf"),
        ),
        ({"type": "input_file", "file_data": "JVBERg=="}, File("document", "application/pdf", "JVBERg==")),
        (
            {"type": "input_file", "file_data": "YQ==", "filename": "a.csv"},
            File("document", "text/csv", "YQ==", name="a.csv"),
        ),
        ({"type": "input_file", "file_data": pdf(b"a", "text/plain")}, File("document", "text/plain", text="a")),
        ({"type": "input_file", "file_data": pdf(b"\xff", "text/plain")}, File("document", "text/plain", "/w==")),
        ({"type": "input_file", "file_data": pdf(b"a", "image/jpg")}, File("image", "image/jpeg", "YQ==")),
        ({"type": "input_file", "file_data": "data:text/html,%3Ca%3E"}, File("document", "text/html", "PGE+")),
        ({"type": "input_file", "file_url": "https://a/b.pdf"}, File("document", url="https://a/b.pdf")),
        ({"type": "input_file", "file_id": "f"}, File("document", file_id="f")),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
            File("audio", "audio/mpeg", "UklG"),
        ),
        ({"type": "new", "x": 1}, Opaque(RESPONSES, "new", {"type": "new", "x": 1})),
    ],
)
def test_parts(part: dict[str, object], expected: Part) -> None:
    assert turns(user(part)) == [("user", (expected,))]
    assert turns(call(), output([part]))[1] == ("user", (Result("c1", "ls", (expected,)),))


def test_an_assistants_items_are_one_turn() -> None:
    summary = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    raw = [{"type": "reasoning_text", "text": "raw"}]
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "SELECT"}
    assert turns(
        user(TEXT),
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA", "content": None},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        call(arguments=""),
        {"type": "reasoning", "summary": [], "content": raw},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"},
        {"type": "reasoning", "id": "rs_3", "summary": []},
        custom,
        {
            "type": "image_generation_call",
            "id": "ig",
            "status": "completed",
            "result": PICTURE,
            "output_format": "webp",
        },
        {"role": "assistant", "content": ""},
        output("a.txt"),
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [TEXT]},
        {"role": "user", "content": "on"},
        {"role": "assistant", "content": "done"},
    ) == [
        ("user", (Text("hi"),)),
        (
            "assistant",
            (
                Thought("a\n\n\nb", "gAAA", id="rs_1"),
                Text("I look."),
                Call("c1", "ls", "{}"),
                Thought("raw"),
                Thought("", "x", redacted=True, id="rs_2"),
                Call("c2", "sql", "SELECT", custom=True),
                File("image", "image/webp", PICTURE),
            ),
        ),
        ("user", (Result("c1", "ls", (Text("a.txt"),)), Result("c2", "sql", (Text("hi"),), custom=True))),
        ("user", (Text("on"),)),
        ("assistant", (Text("done"),)),
    ]


CONTAINED = [
    {"type": "shell_call", "call_id": "s", "action": {}, "environment": {"type": "container_reference"}},
    {"type": "shell_call_output", "call_id": "s", "output": []},
]


@pytest.mark.parametrize(
    ("items", "role"),
    [
        *[
            ([{"type": kind, "id": "x"}], "assistant")
            for kind in ("web_search_call", "code_interpreter_call", "program")
        ],
        *[
            ([{"type": kind, "id": "x"}], "assistant")
            for kind in ("computer_call", "local_shell_call", "mcp_list_tools")
        ],
        ([{"type": "image_generation_call", "id": "x", "result": None}], "assistant"),
        ([{"type": "tool_search_output", "tools": []}], "assistant"),
        (CONTAINED, "assistant"),
        # without these the question is another one
        *[
            ([{"type": kind, "id": "x"}], "user")
            for kind in ("compaction", "compaction_trigger", "computer_call_output")
        ],
        *[
            ([{"type": kind, "id": "x"}], "user")
            for kind in ("local_shell_call_output", "mcp_approval_response", "new")
        ],
        (CONTAINED[1:], "user"),
    ],
)
def test_what_this_api_alone_has(items: list[dict[str, object]], role: str) -> None:
    prompt = ask(input=items)
    assert [(turn.role, turn.parts) for turn in prompt.turns] == [
        (role, tuple(Opaque(RESPONSES, str(item["type"]), item) for item in items))
    ]
    if role == "assistant":
        assert sift(prompt, Dialect.ANTHROPIC)[0].turns[0].parts == ()
    else:
        with pytest.raises(BadRequest, match=r"^input\.0"):
            sift(prompt, Dialect.ANTHROPIC)


SCHEMA = {"type": "object", "properties": {}}
FUNCTION = {"type": "function", "name": "ls", "description": "list", "parameters": SCHEMA, "strict": True}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
SPACE = {"type": "namespace", "name": "crm", "description": "", "tools": [FUNCTION, {"type": "custom", "name": "sql"}]}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (FUNCTION, [Tool("ls", "list", SCHEMA, True)]),
        ({"type": "function", "name": "ls", "parameters": None, "strict": None, "defer_loading": True}, [Tool("ls")]),
        ({"type": "custom", "name": "sql", "format": GRAMMAR}, [CustomTool("sql", None, GRAMMAR)]),
        (SPACE, [Tool("crm__ls", "list", SCHEMA, True), CustomTool("crm__sql")]),
        *[
            ({"type": kind}, [ServerTool(word, RESPONSES, {"type": kind})])
            for kind, word in [
                ("web_search", "web_search"),
                ("web_search_preview_2025_03_11", "web_search"),
                ("code_interpreter", "code_execution"),
                ("mcp", "mcp"),
                ("local_shell", "local_shell"),
                ("tool_search", "tool_search"),
                ("image_generation", "image_generation"),
            ]
        ],
    ],
)
def test_tools(tool: dict[str, object], expected: list[object]) -> None:
    assert list(ask(tools=[tool]).tools) == expected
    assert list(ask(input=[{"type": "additional_tools", "role": "developer", "tools": [tool]}]).tools) == expected
    if isinstance(expected[0], Tool | CustomTool):  # found by a search, and there before
        assert list(ask(tools=[tool], input=[{"type": "tool_search_output", "tools": [tool]}]).tools) == expected


@pytest.mark.parametrize(
    ("space", "tools", "name"),
    [("crm", [SPACE], "crm__ls"), ("crm", [], "ls"), ("ls", [FUNCTION], "ls"), (None, [SPACE], "ls")],
)
def test_calls_in_a_namespace(space: str | None, tools: list[object], name: str) -> None:
    prompt = ask(tools=tools, input=[call(namespace=space), output("")])
    assert [part for turn in prompt.turns for part in turn.parts] == [Call("c1", name, "{}"), Result("c1", name, ())]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("any")),
        ({"type": "function", "name": "ls"}, ToolChoice("one", ("ls",))),
        ({"type": "custom", "name": "sql"}, ToolChoice("one", ("sql",))),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [FUNCTION, {"type": "custom", "name": "sql"}]},
            ToolChoice("some", ("ls", "sql"), must=False),
        ),
        ({"type": "allowed_tools", "mode": "required", "tools": [FUNCTION]}, ToolChoice("some", ("ls",))),
        ({"type": "web_search_preview"}, Knob("unknown", {"type": "web_search_preview"})),
        ({"type": "mcp", "server_label": "x"}, Knob("mcp", {"type": "mcp", "server_label": "x"})),
    ],
)
def test_tool_choice(choice: object, expected: object) -> None:
    prompt = ask(tool_choice=choice)
    assert (prompt.tool_choice or prompt.knobs[0]) == expected


FORM = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True, "description": "d"}
UPDATE = {"type": "configuration_update", "reasoning": {"effort": "low"}, "text": {"format": {"type": "json_object"}}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_output_tokens": 64.0}, {"max_tokens": 64}),
        ({"temperature": 1, "top_p": 0.5}, {"sampling": Sampling(1.0, 0.5)}),
        ({"stream": True}, {"stream": True}),
        ({"parallel_tool_calls": False}, {"parallel_calls": False}),
        ({"user": "u"}, {"user": "u"}),
        ({"user": "u", "safety_identifier": "s"}, {"user": "s"}),
        ({"prompt_cache_key": "k"}, {"cache_key": "k"}),
        ({"reasoning": {"effort": "high"}}, {"reasoning": Reasoning(effort="high")}),
        ({"reasoning": {"effort": "none"}}, {"reasoning": Reasoning(False, "none")}),
        ({"reasoning": {"summary": "auto"}}, {"reasoning": Reasoning(shown=True, detail="auto")}),
        ({"reasoning": {"generate_summary": "concise"}}, {"reasoning": Reasoning(shown=True, detail="concise")}),
        ({"reasoning": {"effort": None, "summary": None}}, {}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"output": OutputFormat()}),
        ({"text": {"format": FORM}}, {"output": OutputFormat(SCHEMA, "n", "d", True)}),
        (
            {"input": [UPDATE], "text": {"format": FORM}},
            {"reasoning": Reasoning(effort="low"), "output": OutputFormat(), "turns": ()},
        ),
        # nothing that says nothing
        ({"store": False, "background": False, "truncation": "disabled", "top_logprobs": 0, "metadata": {}}, {}),
        ({"include": ["reasoning.encrypted_content"], "stream_options": {"include_obfuscation": False}}, {}),
        ({"previous_response_id": None, "instructions": None, "tools": None, "text": None, "reasoning": None}, {}),
    ],
)
def test_settings(body: dict[str, object], expected: dict[str, object]) -> None:
    usual = {"turns": (Turn("user", (Text("hi"),)),)}
    assert ask(**body) == Prompt("m", **{**usual, **expected})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "name", "at"),
    [
        ({"previous_response_id": "resp_1", "input": None}, "state", "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "state", "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "state", "prompt"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "state", "input.0 (item_reference)"),
        ({"input": [{"id": "msg_1"}]}, "state", "input.0 (item_reference)"),
        ({"background": True}, "background", "background"),
        ({"store": True}, "store", "store"),
        ({"metadata": {"a": "b"}}, "metadata", "metadata"),
        ({"service_tier": "flex"}, "service_tier", "service_tier"),
        ({"truncation": "auto"}, "truncation", "truncation"),
        ({"top_logprobs": 2}, "logprobs", "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include", "include"),
        ({"context_management": [{}]}, "context_management", "context_management"),
        ({"text": {"verbosity": "low"}}, "verbosity", "text.verbosity"),
        ({"reasoning": {"mode": "pro"}}, "unknown", "reasoning.mode"),
        ({"client_metadata": {"x": "y"}}, "unknown", "client_metadata"),
        ({"max_tool_calls": 2}, "unknown", "max_tool_calls"),
        ({"stream_options": {"new": 1}}, "unknown", "stream_options"),
    ],
)
def test_knobs(body: dict[str, object], name: str, at: str) -> None:
    assert [(knob.name, knob.at) for knob in ask(**body).knobs] == [(name, at)]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["hi"]}, "input.0"),
        ({"input": [{"type": "message", "content": "hi"}]}, "input.0.role"),
        ({"input": [{"role": "tool", "content": "hi"}]}, "input.0.role"),
        ({"input": [{"content": "hi"}]}, "input.0.type"),
        ({"input": [{"role": "user", "content": 5}]}, "input.0.content"),
        ({"input": [user({"text": "hi"})]}, "input.0.content.0.type"),
        ({"input": [user(TEXT, {"type": "input_text"})]}, "input.0.content.1.text"),
        ({"input": [user({"type": "input_image"})]}, "input.0.content.0.image_url"),
        ({"input": [user({"type": "input_file"})]}, "input.0.content.0.file_data"),
        (
            {"input": [user({"type": "input_audio", "input_audio": {"data": "x"}})]},
            "input.0.content.0.input_audio.format",
        ),
        ({"input": [call(arguments={})]}, "input.0.arguments"),
        ({"input": [call(name="")]}, "input.0.name"),
        ({"input": [call(None)]}, "input.0.call_id"),
        ({"input": [output(None)]}, "input.0.output"),
        ({"input": [{"type": "reasoning", "summary": [{"text": 5}]}]}, "input.0.summary.0.text"),
        ({"input": [{**UPDATE, "reasoning": {"effort": "lots"}}]}, "input.0.reasoning.effort"),
        ({"instructions": ["x"]}, "instructions"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"name": "x"}]}, "tools.0.type"),
        ({"tools": [FUNCTION, {"type": "function"}]}, "tools.1.name"),
        ({"tools": [{**FUNCTION, "parameters": "x"}]}, "tools.0.parameters"),
        ({"tools": [{**SPACE, "tools": [5]}]}, "tools.0.tools.0"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"reasoning": {"effort": "lots"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": True}, "top_p"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_the_api_would_refuse(body: dict[str, object], at: str) -> None:
    with pytest.raises(BadRequest) as raised:
        ask(**body)
    assert str(raised.value).startswith(f"{at}: ")
