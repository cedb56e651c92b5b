from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.openai_chat.request_reader import read
from ccproxy.lightllm.openai_chat.request_writer import write
from ccproxy.lightllm.plan import Asked, untold
from ccproxy.lightllm.prompt import (
    Call,
    CustomTool,
    File,
    Knob,
    OutputFormat,
    Part,
    Prompt,
    Reasoning,
    Result,
    Sampling,
    Text,
    Thought,
    Tool,
    ToolChoice,
    Turn,
)
from tests.lightllm.openai_chat.shorthand import COMPATIBLE, OPENAI, OPENROUTER

HI = Turn("user", (Text("hi"),))
USER = {"role": "user", "content": "hi"}


def user(*parts: Part) -> Turn:
    return Turn("user", parts)


def assistant(*parts: Part) -> Turn:
    return Turn("assistant", parts)


def system(*texts: str) -> Turn:
    return Turn("system", tuple(map(Text, texts)))


def messages(*turns: Turn, flavour: Flavour = COMPATIBLE) -> Any:
    return write(Prompt("m", turns), flavour, untold)["messages"]


def settings(flavour: Flavour = COMPATIBLE, model: str = "m", **given: Any) -> dict[str, Any]:
    body = write(Prompt(model, (HI,), **given), flavour, untold)
    assert list(body)[:2] == ["model", "messages"] and body["messages"] == [USER]
    return {key: value for key, value in body.items() if key not in ("model", "messages")}


IMAGE = File("image", "image/png", "iVBO")
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
PDF = File("document", "application/pdf", "JVBE")
PDF_PART = {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"}}
PLAIN = base64.b64encode("é".encode()).decode()


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ((), ""),
        ((Text("a"), Text("b")), "a\n\nb"),
        ((Text("a"), IMAGE), [{"type": "text", "text": "a"}, IMAGE_PART]),
        (
            (File("image", url="https://a", detail="low"),),
            [{"type": "image_url", "image_url": {"url": "https://a", "detail": "low"}}],
        ),
        ((PDF,), [PDF_PART]),
        (
            (replace(PDF, name="a.pdf"),),
            [{"type": "file", "file": {**PDF_PART["file"], "filename": "a.pdf"}}],  # type: ignore[dict-item]
        ),
        (
            (File("audio", "audio/mpeg", "AA"), File("audio", "audio/x-wav", "BB")),
            [
                {"type": "input_audio", "input_audio": {"data": d, "format": f}}
                for d, f in (("AA", "mp3"), ("BB", "wav"))
            ],
        ),
        ((Text("a"), File("document", text="b", name="b.txt")), "a\n\nb.txt\n\nb"),
        ((File("document", "text/plain", PLAIN),), "é"),
    ],
)
def test_content(parts: tuple[Part, ...], content: object) -> None:
    assert messages(user(*parts)) == [{"role": "user", "content": content}]


def test_what_cannot_be_sent_is_refused_and_named() -> None:
    with pytest.raises(BadRequest, match=r"^there: "):
        messages(user(File("video", "video/mp4", "AA", at="there")))


LS = Call("a", "ls", '{"p": 1}')
RM = Call("b", "rm", "{}")
LS_CALL = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": '{"p": 1}'}}
RM_CALL = {"id": "b", "type": "function", "function": {"name": "rm", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), {"content": ""}),
        ((Text("a"), Text("b")), {"content": "ab"}),
        ((LS, RM), {"content": None, "tool_calls": [LS_CALL, RM_CALL]}),
        ((Text("a"), LS), {"content": "a", "tool_calls": [LS_CALL]}),
        ((Thought("t"), Text("a")), {"content": "a", "reasoning_content": "t"}),
        ((Thought("t"), Thought("u"), LS), {"content": None, "reasoning_content": "t\n\nu", "tool_calls": [LS_CALL]}),
        ((Text("no", refusal=True),), {"content": None, "refusal": "no"}),
        ((Thought("", "sig", redacted=True),), {"content": ""}),
    ],
)
def test_assistant(parts: tuple[Part, ...], message: dict[str, Any]) -> None:
    assert messages(HI, assistant(*parts)) == [USER, {"role": "assistant", **message}]
    message.pop("reasoning_content", None)
    assert messages(HI, assistant(*parts), flavour=OPENAI) == [USER, {"role": "assistant", **message}]


def test_custom_calls() -> None:
    call = {"id": "a", "type": "custom", "custom": {"name": "patch", "input": "+1"}}
    told = messages(assistant(Call("a", "patch", "+1", custom=True)), flavour=OPENAI)
    assert told == [{"role": "assistant", "content": None, "tool_calls": [call]}]


def test_thoughts_stand_with_all_calls_or_none() -> None:
    told = messages(assistant(Thought("t"), LS), user(Result("a", "ls", ())), assistant(RM), assistant(Text("x")))
    assert [message.get("reasoning_content") for message in told] == ["t", None, ""]
    assert "reasoning_content" not in messages(assistant(LS))[0]


def test_results_directly_follow_their_calls() -> None:
    told = messages(
        system("be brief", "please"),
        HI,
        assistant(LS),
        assistant(Text("and"), RM, IMAGE),
        system("stop"),
        user(Text("now"), Result("a", "ls", (Text("x"), IMAGE, Text("y")))),
        user(Result("b", None, (PDF,), is_error=True), IMAGE),
        assistant(Text("done")),
        user(Result("z", "f", ())),
    )
    assert told == [
        {"role": "system", "content": "be brief\n\nplease"},
        USER,
        {"role": "assistant", "content": "and", "tool_calls": [LS_CALL, RM_CALL]},
        {"role": "tool", "tool_call_id": "a", "content": "x\n\ny"},
        {"role": "tool", "tool_call_id": "b", "content": "The result is in the user message that follows."},
        {
            "role": "user",
            "content": [
                IMAGE_PART,
                {"type": "text", "text": "From the result of ls (a):"},
                IMAGE_PART,
                {"type": "text", "text": "From the result of b:"},
                PDF_PART,
            ],
        },
        {"role": "system", "content": "stop"},
        {"role": "user", "content": "now"},
        {"role": "user", "content": [IMAGE_PART]},
        {"role": "assistant", "content": "done"},
        {"role": "tool", "tool_call_id": "z", "content": ""},
    ]


def test_developers() -> None:
    assert messages(system("a"), HI, system("b"), flavour=OPENAI) == [
        {"role": "developer", "content": "a"},
        USER,
        {"role": "developer", "content": "b"},
    ]


OBJECT = {"type": "object", "properties": {}}
STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {"additionalProperties": False}


def function(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


@pytest.mark.parametrize(
    ("tool", "written"),
    [
        (Tool("f", "d"), function(description="d")),
        (Tool("f", schema={}), function(parameters=OBJECT)),
        (Tool("f", schema={"type": "object"}), function(parameters=OBJECT)),
        (Tool("f", schema=LOOSE, strict=False), function(parameters=LOOSE, strict=False)),
        (Tool("f", schema=LOOSE, strict=True), function(parameters=LOOSE, strict=False)),
        (Tool("f", schema=STRICT, strict=True), function(parameters={**STRICT, **CLOSED}, strict=True)),
        (
            Tool("f", schema={**STRICT, "properties": {"a": {"anyOf": [STRICT, {"type": "null"}]}}}, strict=True),
            function(
                parameters={
                    **STRICT,
                    "properties": {"a": {"anyOf": [{**STRICT, **CLOSED}, {"type": "null"}]}},
                    **CLOSED,
                },
                strict=True,
            ),
        ),
        (
            Tool("f", schema={**STRICT, "$defs": {"x": {**OBJECT, "additionalProperties": True}}}, strict=True),
            function(parameters={**STRICT, "$defs": {"x": {**OBJECT, "additionalProperties": True}}}, strict=False),
        ),
        (
            CustomTool("p", "d", {"type": "grammar", "syntax": "lark", "definition": "x"}),
            {
                "type": "custom",
                "custom": {
                    "name": "p",
                    "description": "d",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}},
                },
            },
        ),
    ],
)
def test_tools(tool: Tool | CustomTool, written: dict[str, Any]) -> None:
    assert settings(OPENAI, tools=(tool,)) == {"tools": [written]}


F, G, P = Tool("f"), Tool("g"), CustomTool("p")
NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("choice", "flavour", "written"),
    [
        (ToolChoice("auto"), OPENAI, "auto"),
        (ToolChoice("none"), OPENAI, "none"),
        (ToolChoice("any"), OPENAI, "required"),
        (ToolChoice("one", ("f",)), OPENAI, NAMED),
        (ToolChoice("one", ("p",)), OPENAI, {"type": "custom", "custom": {"name": "p"}}),
        (ToolChoice("one", ("web_search",)), OPENAI, None),
        (
            ToolChoice("some", ("f", "x")),
            OPENAI,
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}},
        ),
        (ToolChoice("some", ("x",)), OPENAI, None),
        (ToolChoice("some", ("f",), must=False), COMPATIBLE, "auto"),
        (ToolChoice("some", ("f", "g")), COMPATIBLE, "required"),
    ],
)
def test_tool_choice(choice: ToolChoice, flavour: Flavour, written: object) -> None:
    body = settings(flavour, tools=(F, G, P), tool_choice=choice, parallel_calls=True)
    assert (body.get("tool_choice"), body["parallel_tool_calls"]) == (written, True)
    names = [tool[tool["type"]]["name"] for tool in body["tools"]]
    assert names == (["f", "g", "p"] if flavour is OPENAI else list(choice.names))


def test_what_is_refused_without_tools_is_left_out() -> None:
    assert settings(tool_choice=ToolChoice("auto"), parallel_calls=False) == {}


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (OutputFormat(LOOSE), {"name": "answer", "schema": LOOSE}),
        (OutputFormat(LOOSE, "a b", "d", True), {"name": "a_b", "description": "d", "schema": LOOSE, "strict": False}),
        (OutputFormat(STRICT, strict=True), {"name": "answer", "schema": {**STRICT, **CLOSED}, "strict": True}),
    ],
)
def test_response_format(output: OutputFormat, written: object) -> None:
    assert settings(output=output) == {"response_format": {"type": "json_schema", "json_schema": written}}


def test_json_of_any_shape_has_to_be_asked_for_in_words() -> None:
    asked = write(Prompt("m", (HI,), output=OutputFormat()), OPENAI, untold)
    assert asked["messages"] == [{"role": "developer", "content": "Answer in JSON."}, USER]
    assert asked["response_format"] == {"type": "json_object"}
    told = Turn("user", (Text("as Json, please"), IMAGE))
    assert len(write(Prompt("m", (told,), output=OutputFormat()), OPENAI, untold)["messages"]) == 1  # type: ignore[arg-type]


THINKING = replace(COMPATIBLE, reasoning="thinking")


@pytest.mark.parametrize(
    ("flavour", "model", "reasoning", "written"),
    [
        (COMPATIBLE, "m", Reasoning(), {}),
        (COMPATIBLE, "m", Reasoning(True), {}),
        (COMPATIBLE, "m", Reasoning(False), {}),
        (COMPATIBLE, "m", Reasoning(False, "none"), {"reasoning_effort": "none"}),
        (COMPATIBLE, "m", Reasoning(effort="max"), {"reasoning_effort": "max"}),
        (COMPATIBLE, "m", Reasoning(True, budget=1024), {"reasoning_effort": "low"}),
        (COMPATIBLE, "m", Reasoning(True, budget=8000), {"reasoning_effort": "medium"}),
        (COMPATIBLE, "m", Reasoning(True, budget=32000), {"reasoning_effort": "high"}),
        (OPENAI, "gpt-4o", Reasoning(effort="high"), {}),
        (OPENAI, "gpt-5-mini", Reasoning(effort="max"), {"reasoning_effort": "high"}),
        (OPENAI, "gpt-5-mini", Reasoning(False), {"reasoning_effort": "minimal"}),
        (OPENAI, "o3", Reasoning(False), {"reasoning_effort": "low"}),
        (OPENAI, "gpt-5.2", Reasoning(False), {"reasoning_effort": "none"}),
        (OPENAI, "gpt-5.2", Reasoning(True), {"reasoning_effort": "medium"}),
        (OPENAI, "gpt-5", Reasoning(True), {}),
        (OPENROUTER, "m", Reasoning(effort="max"), {"reasoning": {"effort": "xhigh"}}),
        (OPENROUTER, "m", Reasoning(True, "high", 2000), {"reasoning": {"max_tokens": 2000}}),
        (OPENROUTER, "m", Reasoning(False), {"reasoning": {"enabled": False}}),
        (OPENROUTER, "m", Reasoning(False, "none"), {"reasoning": {"effort": "none"}}),
        (OPENROUTER, "m", Reasoning(True, shown=False), {"reasoning": {"enabled": True, "exclude": True}}),
        (OPENROUTER, "m", Reasoning(shown=True), {}),
        (THINKING, "m", Reasoning(effort="low"), {"thinking": {"type": "enabled"}}),
        (THINKING, "m", Reasoning(False), {"thinking": {"type": "disabled"}}),
        (THINKING, "m", Reasoning(shown=True), {}),
    ],
)
def test_reasoning(flavour: Flavour, model: str, reasoning: Reasoning, written: object) -> None:
    assert settings(flavour, model, reasoning=reasoning) == written


SAMPLING = Sampling(0.5, 0.9, seed=3, presence_penalty=1, frequency_penalty=2)
SAMPLED = {"temperature": 0.5, "top_p": 0.9, "presence_penalty": 1, "frequency_penalty": 2, "seed": 3}


@pytest.mark.parametrize(
    ("model", "effort", "written"),
    [
        ("m", "high", {**SAMPLED, "reasoning_effort": "high"}),
        ("gpt-4o", None, SAMPLED),
        ("o3", None, {"seed": 3}),
        ("openai/gpt-5", None, {"seed": 3}),
        ("gpt-5.2", None, SAMPLED),
        ("gpt-5.2", "low", {"seed": 3, "reasoning_effort": "low"}),
    ],
)
def test_models_that_reason_are_not_told_temperatures(model: str, effort: Any, written: object) -> None:
    assert settings(OPENAI, model, sampling=SAMPLING, reasoning=Reasoning(effort=effort)) == written


def test_other_settings() -> None:
    given: dict[str, Any] = {"max_tokens": 9, "stop": ("a", "b"), "user": "u", "cache_key": "k", "stream": True}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    rest = {"stop": ["a", "b"], "user": "u", "prompt_cache_key": "k", **streamed}
    assert settings(**given) == {"max_tokens": 9, **rest}
    assert settings(OPENAI, **given) == {"max_completion_tokens": 9, **rest}
    long = settings(user="u" * 65, cache_key="\ud800" * 65)
    assert len(long["user"]) == len(long["prompt_cache_key"]) == 64


@pytest.mark.parametrize(
    ("knobs", "written"),
    [
        ({"store": False, "metadata": {"a": "b"}}, {}),
        ({"store": True, "metadata": {"a": "b"}}, {"store": True, "metadata": {"a": "b"}}),
        ({"service_tier": "flex", "verbosity": "low"}, {"service_tier": "flex", "verbosity": "low"}),
        ({"service_tier": "standard_only", "verbosity": 7}, {}),
    ],
)
def test_knobs(knobs: dict[str, Any], written: object) -> None:
    assert settings(knobs=tuple(Knob(name, value) for name, value in knobs.items())) == written


def test_a_request_comes_back_as_it_was() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE_PART, PDF_PART]},
            {"role": "assistant", "content": "b", "reasoning_content": "t", "tool_calls": [LS_CALL, RM_CALL]},
            {"role": "tool", "tool_call_id": "a", "content": "x"},
            {"role": "tool", "tool_call_id": "b", "content": "y"},
            USER,
        ],
        "tools": [function(parameters=LOOSE, strict=False)],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": LOOSE}},
        "reasoning_effort": "low",
        "max_tokens": 9,
        **SAMPLED,
        "stop": ["a"],
        "user": "u",
        "prompt_cache_key": "k",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    written = write(read(body, Asked()), COMPATIBLE, untold)
    assert json.dumps(written) == json.dumps(body)
