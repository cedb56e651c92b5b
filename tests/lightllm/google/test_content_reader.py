"""Contents of a conversation: which part becomes what, and which response belongs to which call."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.google.content_reader import read_contents, read_system
from ccproxy.lightllm.prompt import Call, File, Opaque, Part, Result, Text, Thought, Turn

PNG = {"mimeType": "image/png", "data": "iVBORw=="}


def turns(*contents: Any) -> list[tuple[str, tuple[Part, ...]]]:
    return [(turn.role, turn.parts) for turn in read_contents({"contents": list(contents)}, "")]


def part(value: Any, role: str = "user") -> Part:
    ((_, (read,)),) = turns({"role": role, "parts": [value]})
    return read


@pytest.mark.parametrize(
    ("value", "role", "expected"),
    [
        ({"text": "a", "partMetadata": {}}, "user", Text("a")),
        ({"text": ""}, "user", Text("")),
        ({"text": "a", "thought": True}, "user", Text("a")),
        ({"text": "a", "thoughtSignature": "c2ln"}, "model", Text("a", signature="c2ln")),
        ({"text": "a", "thought": True, "thought_signature": "c2ln"}, "model", Thought("a", "c2ln")),
        ({"inlineData": PNG}, "user", File("image", "image/png", data="iVBORw==")),
        ({"inlineData": PNG}, "model", File("image", "image/png", data="iVBORw==")),
        ({"inlineData": {"mimeType": "image/png", "data": "-_8"}}, "user", File("image", "image/png", data="+/8=")),
        ({"inlineData": {"data": "JVBERi0x"}}, "user", File("document", "application/pdf", data="JVBERi0x")),
        ({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}, "user", File("audio", "audio/wav", data="AAAA")),
        (
            {"inlineData": {"mimeType": "text/csv", "data": "w6QsYg==", "displayName": "a.csv"}},
            "user",
            File("document", "text/csv", text="ä,b", name="a.csv"),
        ),
        (
            {"inlineData": PNG, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            "user",
            File("image", "image/png", data="iVBORw==", detail="low"),
        ),
        (
            {"fileData": {"fileUri": "https://e.example/a.webp?x=1"}},
            "user",
            File("image", "image/webp", url="https://e.example/a.webp?x=1"),
        ),
        (
            {"file_data": {"file_uri": "https://www.youtube.com/watch?v=1"}, "video_metadata": {"fps": 1}},
            "user",
            File("video", "video/mp4", url="https://www.youtube.com/watch?v=1"),
        ),
        (
            {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v"}},
            "user",
            File("video", "video/mp4", file_id="gs://b/v"),
        ),
        (
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
            "user",
            File("document", file_id="https://generativelanguage.googleapis.com/v1beta/files/a"),
        ),
    ],
)
def test_parts(value: Any, role: str, expected: Part) -> None:
    assert part(value, role) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"executableCode": {"code": "1"}},
        {"code_execution_result": {}},
        {"toolCall": {}, "thoughtSignature": "x"},
        {"inlineData": PNG, "thought": True},
        {"of the future": 1},
    ],
)
def test_what_only_google_knows(value: Any) -> None:
    assert part(value, "model") == Opaque(Dialect.GOOGLE, next(iter(value)), value)


@pytest.mark.parametrize(
    ("response", "text", "is_error"),
    [
        ({"output": "a"}, "a", False),
        ({"output": {"a": 1}}, '{"a":1}', False),
        ({"output": None}, "", False),
        ({"error": "bad"}, "bad", True),
        ({"error": {"code": 1}}, '{"code":1}', True),
        ({"error": "bad", "code": 1}, '{"error":"bad","code":1}', True),
        ({"error": None}, '{"error":null}', False),
        ({"output": "a", "error": "b"}, '{"output":"a","error":"b"}', False),
        ({"result": "ä"}, "ä", False),
        ({"result": {"a": 1}}, '{"a":1}', False),
        ({"result": None}, "", False),
        ({"result": "ä", "more": 1}, '{"result":"ä","more":1}', False),
        ({}, "", False),
    ],
)
def test_responses(response: Any, text: str, is_error: bool) -> None:
    expected = Result("f_1", "f", (Text(text),) if text else (), is_error)
    assert part({"functionResponse": {"name": "f", "response": response}}) == expected
    assert part({"function_response": {"name": "f", "response": response}}, "function") == expected


def test_files_of_a_response() -> None:
    parts = [{"inlineData": PNG}, {"fileData": {"fileUri": "https://e.example/a.pdf"}}, {"other": 1}]
    assert part({"functionResponse": {"id": "c", "name": "f", "parts": parts}}) == Result(
        "c",
        "f",
        (
            File("image", "image/png", data="iVBORw=="),
            File("document", "application/pdf", url="https://e.example/a.pdf"),
            Opaque(Dialect.GOOGLE, "other", {"other": 1}),
        ),
    )


def called(name: str, call_id: str | None = None) -> Any:
    return {"functionCall": {"name": name, "args": {}, **({"id": call_id} if call_id else {})}}


def answered(name: str | None, call_id: str | None = None) -> Any:
    return {
        "functionResponse": {"response": {}, **({"name": name} if name else {}), **({"id": call_id} if call_id else {})}
    }


@pytest.mark.parametrize(
    ("calls", "responses", "ids"),
    [
        # without ids: in the order of each name
        ([called("f"), called("g"), called("f")], [answered("f"), answered("f"), answered("g")], ["f_1", "f_2", "g_1"]),
        # with ids: whatever the order
        ([called("f", "a"), called("f", "b")], [answered("f", "b"), answered("f", "a")], ["b", "a"]),
        # ids that only the responses have, as Gemini CLI counts
        ([called("f"), called("f")], [answered("f", "f-1-x"), answered("f", "f-2-x")], ["f_1", "f_2"]),
        # ids that only the calls have
        ([called("f", "a"), called("f", "b")], [answered("f"), answered("f")], ["a", "b"]),
        # both kinds
        ([called("f", "a"), called("f")], [answered("f", "a"), answered("f")], ["a", "f_1"]),
        ([called("f"), called("f", "a")], [answered("f", "a"), answered("f")], ["a", "f_1"]),
        # a name that only the id tells
        ([called("f", "a")], [answered(None, "a")], ["a"]),
        # responses to nothing
        ([called("f", "a")], [answered("f", "a"), answered("g"), answered("g", "z")], ["a", "g_1", "z"]),
    ],
)  # fmt: skip
def test_which_response_belongs_to_which_call(calls: Any, responses: Any, ids: list[str]) -> None:
    (_, made), (_, results) = turns({"parts": calls}, {"role": "user", "parts": responses})
    assert [result.call_id for result in results if isinstance(result, Result)] == ids
    known = {call.id: call.name for call in made if isinstance(call, Call)}
    assert all(
        known.get(result.call_id, result.name) == result.name for result in results if isinstance(result, Result)
    )


def test_numbers_go_on_in_later_turns() -> None:
    step = ({"role": "model", "parts": [called("f")]}, {"role": "function", "parts": [answered("f")]})
    found = turns({"parts": [{"text": "go"}]}, *step, *step)
    ids = [part.id if isinstance(part, Call) else part.call_id for _, (part,) in found[1:]]  # type: ignore[union-attr]
    assert ids == ["f_1", "f_1", "f_2", "f_2"]


def test_an_answer_that_was_kept_chunk_by_chunk_is_one_turn() -> None:
    chunks = [
        {"role": "model", "parts": [{"text": "Let me", "thought": True}]},
        {"role": "model", "parts": [{"text": " think", "thought": True}, {"text": "The"}]},
        {"role": "model", "parts": {"text": " answer"}},
        {"role": "model", "parts": [{"text": "", "thoughtSignature": "c2ln"}]},
        {"role": "model", "parts": [called("f", "a")]},
        {"role": "model"},
        {"role": "model", "parts": [{"text": ""}]},
    ]
    assert turns({"parts": [{"text": "?"}]}, *chunks, {"parts": [answered("f", "a"), {"text": "and"}, {"text": "so"}]})[
        1:
    ] == [
        ("assistant", (Thought("Let me think"), Text("The answer", signature="c2ln"), Call("a", "f", "{}"))),
        ("user", (Result("a", "f", ()), Text("and"), Text("so"))),
    ]


def test_empty_contents_are_left_out() -> None:
    assert turns({"parts": []}, {"role": "model", "parts": []}, {"role": "user"}, {"parts": [{"text": "a"}, {}]}) == [
        ("user", (Text("a"),))
    ]


def test_places() -> None:
    body = {"contents": [{"parts": [{"text": "a"}, {"functionResponse": {"name": "f", "response": {"output": "b"}}}]}]}
    (turn,) = read_contents(body, "request")
    result = turn.parts[1]
    assert isinstance(result, Result)
    assert (turn.at, turn.parts[0].at) == ("request.contents.0", "request.contents.0.parts.0")
    assert result.content[0].at == "request.contents.0.parts.1.functionResponse.response"


@pytest.mark.parametrize(
    "instruction",
    [
        "Be brief.",
        {"text": "Be brief."},
        {"parts": {"text": "Be brief."}},
        {"role": "system", "parts": [{"text": "Be brief."}]},
    ],
)
def test_instructions(instruction: Any) -> None:
    assert read_system(instruction, "systemInstruction") == Turn("system", (Text("Be brief."),))


def test_no_instruction() -> None:
    assert [read_system(value, "s") for value in (None, "", {}, {"parts": []})] == [None] * 4


def test_many_contents_take_no_more_than_their_time() -> None:
    def seconds(count: int) -> float:
        calls = [{"role": "model", "parts": [called("f", str(number))]} for number in range(count)]
        responses = [{"role": "user", "parts": [answered("f", str(number))]} for number in reversed(range(count))]
        started = time.process_time()
        assert len(turns(*calls, *responses)) == count + 1
        return time.process_time() - started

    assert seconds(8000) < 12 * seconds(2000)  # four times as many; their square would be sixteen
