from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.openai_responses.request_reader import read
from ccproxy.lightllm.openai_responses.request_writer import write
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    Call,
    File,
    Knob,
    OutputFormat,
    Part,
    Prompt,
    Reasoning,
    Result,
    Role,
    Text,
    Thought,
    ToolChoice,
    Turn,
)
from tests.lightllm.openai_responses.requests import HI, LS, OPENAI, SCHEMA, SQL, body, given, said, sent, told
from tests.lightllm.openai_responses.shorthand import PICTURE


def items(*turns: Turn) -> Any:
    return sent(*turns)["input"]


def test_a_request() -> None:
    prompt = Prompt("gpt-5.4", (Turn("system", (Text("Be brief."),)), HI), (LS,), max_tokens=1, stream=True)
    written = body(prompt)
    assert list(written) == [
        "model",
        "instructions",
        "input",
        "tools",
        "max_output_tokens",
        "store",
        "include",
        "stream",
    ]
    assert written == {
        "model": "gpt-5.4",
        "instructions": "Be brief.",
        "input": [said("user", given("hi"))],
        "tools": [{"type": "function", "name": "ls", "description": "list", "parameters": SCHEMA, "strict": False}],
        "max_output_tokens": 16,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("turns", "instructions", "expected"),
    [
        ([Turn("system", (Text("a"), Text("b"))), HI], "a", [said("developer", given("b")), said("user", given("hi"))]),
        (
            [Turn("system", (Text("a"),)), Turn("system", (Text("b"),)), HI, Turn("system", (Text("c"),))],
            "a",
            [said("developer", given("b")), said("user", given("hi")), said("developer", given("c"))],
        ),
        ([HI, Turn("system", (Text("c"),))], None, [said("user", given("hi")), said("developer", given("c"))]),
    ],
)
def test_the_system(turns: list[Turn], instructions: str | None, expected: list[object]) -> None:
    written = sent(*turns)
    assert (written.get("instructions"), written["input"]) == (instructions, expected)


@pytest.mark.parametrize(
    ("role", "parts", "expected"),
    [
        ("user", (Text("a"), Text("b")), [said("user", given("a"), given("b"))]),
        (
            "assistant",
            (Text("a"), Text("no", refusal=True)),
            [said("assistant", told("a"), {"type": "refusal", "refusal": "no"})],
        ),
        (
            "assistant",
            (
                Thought("**A**\n\na\n\n\n**B**", "gAAA", id="rs_1"),
                Text("a"),
                Thought("", "x", redacted=True),
                Call("c1", "ls", '{"a": 1}'),
                Text("b"),
                Call("c2", "sql", "SELECT", custom=True),
                Thought("not signed"),
            ),
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [
                        {"type": "summary_text", "text": "**A**\n\na"},
                        {"type": "summary_text", "text": "**B**"},
                    ],
                    "encrypted_content": "gAAA",
                },
                said("assistant", told("a")),
                {"type": "reasoning", "summary": [], "encrypted_content": "x"},
                {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": '{"a": 1}'},
                said("assistant", told("b")),
                {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "SELECT"},
            ],
        ),
        # only a user may show pictures
        (
            "assistant",
            (File("image", "image/png", PICTURE), Text("there")),
            [
                said("assistant", told("there")),
                said(
                    "user", {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "auto"}
                ),
            ],
        ),
        (
            "user",
            (
                Result("c1", "ls", (Text("a.txt"),)),
                Result("c2", "ls", ()),
                Result("c3", "ls", (Text("a"), Text("b"))),
                Result("c4", "sql", (Text("1"),), custom=True),
                Text("on"),
            ),
            [
                {"type": "function_call_output", "call_id": "c1", "output": "a.txt"},
                {"type": "function_call_output", "call_id": "c2", "output": ""},
                {"type": "function_call_output", "call_id": "c3", "output": [given("a"), given("b")]},
                {"type": "custom_tool_call_output", "call_id": "c4", "output": "1"},
                said("user", given("on")),
            ],
        ),
    ],
)
def test_items(role: Role, parts: tuple[Part, ...], expected: list[object]) -> None:
    prompt = Prompt("m", (Turn(role, parts),))
    assert write(prompt, OPENAI)["input"] == expected


PLAIN = base64.b64encode("é".encode()).decode()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            File("image", "image/png", PICTURE, detail="low"),
            {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "low"},
        ),
        (File("image", url="https://a"), {"type": "input_image", "image_url": "https://a", "detail": "auto"}),
        (
            File("document", "application/pdf", "JVBERg==", name="a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
        (
            File("document", None, "JVBERg=="),
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
        (
            File("document", text="é"),
            {"type": "input_file", "filename": "document.txt", "file_data": f"data:text/plain;base64,{PLAIN}"},
        ),
        (File("document", url="https://a"), {"type": "input_file", "file_url": "https://a"}),
    ],
)
def test_files(file: File, expected: object) -> None:
    assert items(Turn("user", (file,))) == [said("user", expected)]
    assert items(Turn("user", (Result("c1", "ls", (file,)),)))[0]["output"] == [expected]


@pytest.mark.parametrize(
    ("mime", "form"), [("audio/mpeg", "mp3"), ("audio/x-wav", "wav"), (None, "wav"), ("audio/ogg", "ogg")]
)
def test_sound(mime: str | None, form: str) -> None:
    audio = File("audio", mime, "UklG", at="input.0")
    written = write(Prompt("m", (Turn("user", (audio,)),)), OPENAI)["input"]
    assert written == [said("user", {"type": "input_audio", "input_audio": {"data": "UklG", "format": form}})]
    with pytest.raises(BadRequest, match=r"^input\.0: "):
        items(Turn("user", (Result("c1", "ls", (audio,)),)))


def test_what_is_written_reads_the_same() -> None:
    prompt = Prompt(
        "gpt-5.4",
        (
            Turn("system", (Text("Be brief."),)),
            Turn("user", (Text("see"), File("image", "image/png", PICTURE, detail="high"))),
            Turn("assistant", (Thought("a\n\n\nb", "s", id="rs_1"), Text("I look."), Call("c1", "ls", "{}"))),
            Turn("user", (Result("c1", "ls", (Text("a"), Text("b"))),)),
            Turn("system", (Text("Now."),)),
            Turn("user", (File("document", "text/plain", text="é", name="a.txt"),)),
        ),
        (replace(LS, strict=False), SQL),
        ToolChoice("some", ("ls",)),
        True,
        OutputFormat(SCHEMA, "n", "d"),
        Reasoning(None, "high", None, True, "auto"),
        max_tokens=99,
        stream=True,
        user="u",
        cache_key="k",
        knobs=(Knob("store", True), Knob("verbosity", "low")),
    )
    assert read(body(prompt), Asked()) == prompt
