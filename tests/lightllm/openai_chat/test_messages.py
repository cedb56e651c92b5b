from __future__ import annotations

import base64
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_chat.request_reader import read
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    CacheMark,
    Call,
    File,
    Knob,
    Opaque,
    Part,
    Prompt,
    Result,
    Text,
    Thought,
    Tool,
    ToolChoice,
    Turn,
)

USER = {"role": "user", "content": "hi"}


def prompt(**body: Any) -> Prompt:
    return read({"model": "m", "messages": [USER], **body}, Asked())


def turns(*messages: dict[str, Any]) -> tuple[Turn, ...]:
    return prompt(messages=list(messages)).turns


def parts(content: Any, role: str = "user") -> tuple[Part, ...]:
    return turns({"role": role, "content": content})[0].parts


PDF = base64.b64encode(b"%PDF").decode()
MARKED = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
PARTS: list[tuple[Any, tuple[Part, ...]]] = [
    ("", ()),
    (None, ()),
    ([], ()),
    ([{"type": "text", "text": ""}, {"type": "text", "text": "a"}], (Text("a"),)),
    (["a", {"text": "b"}, {"type": "input_text", "text": "c"}], (Text("a"), Text("b"), Text("c"))),
    ([MARKED], (Text("a", CacheMark("1h")),)),
    ([{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}], (Text("a", CacheMark()),)),
    (
        [{"type": "image_url", "image_url": {"url": "data:image/JPG;base64,AAAA", "detail": "low"}}],
        (File("image", "image/jpeg", "AAAA", detail="low"),),
    ),
    ([{"type": "image_url", "image_url": {"url": "https://a/b.png"}}], (File("image", url="https://a/b.png"),)),
    ([{"type": "image_url", "image_url": "AAAA"}], (File("image", data="AAAA"),)),
    (
        [{"type": "input_image", "image_url": "https://a", "detail": "auto"}],
        (File("image", url="https://a", detail="auto"),),
    ),
    (
        [{"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{PDF}"}}],
        (File("document", "application/pdf", PDF),),
    ),
    (
        [{"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg%3E"}}],
        (File("image", "image/svg+xml", "PHN2Zz4="),),
    ),
    (
        [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}],
        (File("audio", "audio/mpeg", "AAAA"),),
    ),
    ([{"type": "audio_url", "audio_url": {"url": "https://a"}}], (File("audio", url="https://a"),)),
    (
        [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}],
        (File("video", "video/mp4", "AAAA"),),
    ),
    (
        [{"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}],
        (File("document", "application/pdf", PDF, name="a.pdf"),),
    ),
    (
        [{"type": "file", "file": {"filename": "a.CSV", "file_data": PDF}}],
        (File("document", "text/csv", PDF, name="a.CSV"),),
    ),
    ([{"type": "file", "file": {"file_data": PDF}}], (File("document", "application/pdf", PDF),)),
    ([{"type": "file", "file": {"file_data": "https://a/b.pdf"}}], (File("document", url="https://a/b.pdf"),)),
    ([{"type": "file", "file": {"file_data": "data:image/png;base64,AAAA"}}], (File("image", "image/png", "AAAA"),)),
    ([{"type": "file", "file": {"file_id": "f"}}], (File("document", file_id="f"),)),
    ([{"type": "new", "x": 1}], (Opaque(Dialect.OPENAI, "new", {"type": "new", "x": 1}),)),
]


@pytest.mark.parametrize(("content", "found"), PARTS)
def test_content(content: Any, found: tuple[Part, ...]) -> None:
    assert parts(content) == found


def test_where_a_part_stood() -> None:
    assert [part.at for part in parts(["a", MARKED])] == ["messages.0.content.0", "messages.0.content.1"]


LS = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": '{"p": 1}'}}
PATCH = {"id": "b", "type": "custom", "custom": {"name": "patch", "input": "+1"}}
SPOKEN: list[tuple[dict[str, Any], tuple[Part, ...]]] = [
    ({"content": "a"}, (Text("a"),)),
    (
        {"content": None, "tool_calls": [LS, PATCH]},
        (Call("a", "ls", '{"p": 1}'), Call("b", "patch", "+1", custom=True)),
    ),
    ({"content": "", "tool_calls": None, "refusal": "no"}, (Text("no", refusal=True),)),
    ({"content": [{"type": "refusal", "refusal": "no"}]}, (Text("no", refusal=True),)),
    ({"content": "a", "reasoning_content": "t", "reasoning": "t"}, (Thought("t"), Text("a"))),
    ({"content": "a", "reasoning": "t", "reasoning_details": [{"text": "t"}]}, (Thought("t"), Text("a"))),
    (
        {"reasoning_details": [{"type": "reasoning.text", "text": "t"}, {"summary": "s"}, {"data": "x"}, 7]},
        (Thought("ts"),),
    ),
    ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, "a"]}, (Thought("t"), Text("a"))),
    ({"tool_calls": [{**LS, "type": None, "function": {"name": "ls", "arguments": ""}}]}, (Call("a", "ls", "{}"),)),
    ({"tool_calls": [{**LS, "function": {"name": "ls", "arguments": {"p": "é"}}}]}, (Call("a", "ls", '{"p":"é"}'),)),
    ({"audio": {"id": "x"}}, (Opaque(Dialect.OPENAI, "audio", {"id": "x"}),)),
    ({"images": [{"type": "image_url", "image_url": {"url": "https://a"}}]}, (File("image", url="https://a"),)),
    ({"annotations": []}, ()),
]


@pytest.mark.parametrize(("message", "found"), SPOKEN)
def test_assistant(message: dict[str, Any], found: tuple[Part, ...]) -> None:
    assert turns({"role": "assistant", **message}) == (Turn("assistant", found),)


def test_results() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    found = turns(
        {"role": "assistant", "tool_calls": [LS, PATCH]},
        {"role": "tool", "tool_call_id": "a", "content": "ok"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "done"}, image]},
        {"role": "assistant", "tool_calls": [{**LS, "function": {"name": "rm", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "name": "else", "content": None},
        {"role": "tool", "tool_call_id": "z", "name": "else", "content": ""},
        USER,
    )
    file = File("image", "image/png", "AAAA")
    assert [turn for turn in found if turn.role == "user"] == [
        Turn("user", (Result("a", "ls", (Text("ok"),)), Result("b", "patch", (Text("done"), file), custom=True))),
        Turn("user", (Result("a", "rm", ()), Result("z", "else", ()))),
        Turn("user", (Text("hi"),)),
    ]


def test_functions_before_there_were_tools() -> None:
    asked = prompt(
        messages=[
            {"role": "assistant", "content": None, "function_call": {"name": "ls", "arguments": "{}"}},
            {"role": "function", "name": "ls", "content": "a"},
            {"role": "assistant", "content": None, "function_call": {"name": "ls", "arguments": "{}"}},
            {"role": "function", "name": "ls", "content": "b"},
        ],
        functions=[{"name": "ls", "parameters": {"type": "object"}}],
        function_call={"name": "ls"},
    )
    assert asked.turns == (
        Turn("assistant", (Call("function_0", "ls", "{}"),)),
        Turn("user", (Result("function_0", "ls", (Text("a"),)),)),
        Turn("assistant", (Call("function_2", "ls", "{}"),)),
        Turn("user", (Result("function_2", "ls", (Text("b"),)),)),
    )
    assert asked.tools == (Tool("ls", schema={"type": "object"}),)
    assert asked.tool_choice == ToolChoice("one", ("ls",)) and asked.parallel_calls is False


def test_a_speakers_name_is_a_knob() -> None:
    assert prompt(messages=[{**USER, "name": "ann"}]).knobs == (Knob("unknown", "ann"),)
