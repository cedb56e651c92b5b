"""Prompts in, bodies for the Gemini API out. google-genai's own types say whether they are of its shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.google.content_writer import UNSIGNED
from ccproxy.lightllm.google.request_reader import read
from ccproxy.lightllm.google.request_writer import write
from ccproxy.lightllm.plan import Asked, untold
from ccproxy.lightllm.prompt import (
    Call,
    CustomTool,
    File,
    OutputFormat,
    Part,
    Prompt,
    Reasoning,
    Result,
    Role,
    Sampling,
    ServerTool,
    Text,
    Thought,
    Tool,
    ToolChoice,
    Turn,
)
from tests.lightllm.recordings import recordings

GOOGLE = FLAVOURS["google"]
HI = Turn("user", (Text("hi"),))
F, G = Tool("f", "does f", {"type": "object", "properties": {}}), Tool("g")


def written(prompt: Prompt, flavour: str = "google") -> dict[str, Any]:
    body = write(prompt, FLAVOURS[flavour], untold)
    for content in body["contents"]:  # type: ignore[attr-defined]
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):  # type: ignore[attr-defined]
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    types.Content.model_validate(body.get("systemInstruction", {}))
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    return body


def contents(*turns: tuple[Role, Sequence[Part]], model: str = "gemini-3-pro", flavour: str = "google") -> Any:
    prompt = Prompt(model, tuple(Turn(role, tuple(parts)) for role, parts in turns))
    found = written(prompt, flavour)["contents"]
    assert [each["role"] for each in found] == [("user", "model")[number % 2] for number in range(len(found))]
    return [each["parts"] for each in found]


def config(**settings: Any) -> Any:
    return written(Prompt(**{"model": "gemini-3-pro", "turns": (HI,), **settings})).get("generationConfig")


def declared(*functions: Any) -> Any:
    return {"functionDeclarations": list(functions)}


def test_everything_at_its_place() -> None:
    prompt = Prompt(
        "gemini-3-pro",
        (Turn("system", (Text("a"), Text(""))), Turn("system", (Text("b"),)), HI),
        tools=(F,),
        tool_choice=ToolChoice("any"),
        output=OutputFormat({"type": "object"}, name="n"),
        reasoning=Reasoning(effort="high"),
        sampling=Sampling(0.5, 0.25, 3, 7, 0.1, 0.2),
        max_tokens=9,
        stop=("x",),
    )
    assert list(written(prompt).items()) == [
        ("contents", [{"role": "user", "parts": [{"text": "hi"}]}]),
        ("systemInstruction", {"parts": [{"text": "a"}, {"text": "b"}]}),
        ("tools", [declared({"name": "f", "description": "does f", "parametersJsonSchema": F.schema})]),
        ("toolConfig", {"functionCallingConfig": {"mode": "ANY"}}),
        (
            "generationConfig",
            {
                "temperature": 0.5,
                "topP": 0.25,
                "topK": 3,
                "seed": 7,
                "presencePenalty": 0.1,
                "frequencyPenalty": 0.2,
                "maxOutputTokens": 9,
                "stopSequences": ["x"],
                "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "high"},
                "responseMimeType": "application/json",
                "responseJsonSchema": {"type": "object"},
            },
        ),
    ]  # fmt: skip
    assert written(Prompt("m", (HI,))) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


CALL = Call("c1", "f", '{"a": 1}')
CALLED = {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}
FIRST = {**CALLED, "thoughtSignature": UNSIGNED}


def response(call_id: str, **said: Any) -> Any:
    return {"functionResponse": {"id": call_id, "name": "f", "response": said}}


def test_contents_alternate_and_the_user_begins() -> None:
    assert contents(("assistant", [Text("a")]), ("assistant", [Text("b")]), ("user", [Text("c")]), ("user", [])) == [
        [{"text": " "}],
        [{"text": "a"}, {"text": "b"}],
        [{"text": "c"}],
    ]
    assert contents(("system", [Text("only")])) == [[{"text": " "}]]
    assert contents(("user", [Text("a")]), ("assistant", [Text("")]), ("user", [Text("b")])) == [
        [{"text": "a"}, {"text": "b"}]
    ]


def test_a_system_turn_among_the_others_does_not_part_calls_and_responses() -> None:
    assert contents(
        ("user", [Text("go")]),
        ("system", [Text("soft"), Text("ly")]),
        ("assistant", [CALL]),
        ("system", [Text("hurry")]),
        ("user", [Text("here"), Result("c1", "f", (Text("r"),))]),
    ) == [
        [{"text": "go"}, {"text": "<system>\nsoft\n\nly\n</system>"}],
        [FIRST],
        [response("c1", output="r"), {"text": "<system>\nhurry\n</system>"}, {"text": "here"}],
    ]


def test_responses_stand_in_the_order_of_their_calls() -> None:
    calls = [Call(each, "f", "{}") for each in "abc"]
    parts = contents(
        ("user", [Text("go")]),
        ("assistant", calls),
        ("user", [Result("c", "f", (Text("3"),))]),
        ("user", [Result("x", None, ()), Result("a", "f", (Text("1"),)), Result("b", None, (Text("2"),))]),
    )[2]
    assert [(each["functionResponse"]["id"], each["functionResponse"]["name"]) for each in parts] == [
        *(("a", "f"), ("b", "f"), ("c", "f"), ("x", "unknown")),
    ]


def test_signatures() -> None:
    signed = Call("c2", "f", "{}", signature="c2ln")
    parts = contents(
        ("user", [Text("one")]),
        ("assistant", [CALL]),
        ("user", [Result("c1", "f", ())]),
        ("assistant", [Text("ok", signature="dGV4dA==")]),
        ("user", [Text("two")]),
        (
            "assistant",
            [
                Thought("hm", "aA=="),
                Thought("", "cmVk", redacted=True),
                Thought("lost"),
                signed,
                Call("c3", "f", "{}"),
            ],
        ),
        ("user", [Result("c3", "f", ()), Result("c2", "f", ()), Text("and")]),
        ("assistant", [Text("next"), Call("c4", "f", "{}"), Call("c5", "f", "{}")]),
        ("user", [Result("c4", "f", ()), Result("c5", "f", ())]),
    )
    assert parts[1] == [FIRST]  # an earlier turn's, which must not change
    assert parts[3] == [{"text": "ok", "thoughtSignature": "dGV4dA=="}]
    assert parts[5] == [
        {"text": "hm", "thought": True, "thoughtSignature": "aA=="},
        {"text": "", "thoughtSignature": "cmVk"},
        {"functionCall": {"id": "c2", "name": "f", "args": {}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "c3", "name": "f", "args": {}}},
    ]
    assert [part.get("thoughtSignature") for part in parts[7]] == [None, UNSIGNED, None]


@pytest.mark.parametrize(
    ("text", "is_error", "expected"),
    [
        ("plain", False, {"output": "plain"}),
        ("", False, {"output": ""}),
        ('{"a": [1.5, true, null]}', False, {"a": [1.5, True, None]}),
        ("[1]", False, {"output": "[1]"}),
        ("{}", False, {"output": "{}"}),
        ("{broken", False, {"output": "{broken"}),
        ('{"output": "x"}', False, {"output": '{"output": "x"}'}),
        ('{"result": "x"}', False, {"output": '{"result": "x"}'}),
        ('{"result": "x", "a": 1}', False, {"result": "x", "a": 1}),
        ('{"error": "x", "a": 1}', False, {"output": '{"error": "x", "a": 1}'}),
        ('{"id": 12345678901234567890}', False, {"output": '{"id": 12345678901234567890}'}),
        ('{"x": 1e999}', False, {"output": '{"x": 1e999}'}),
        ('{"a": 1}', True, {"error": '{"a": 1}'}),
    ],
)
def test_responses_are_objects(text: str, is_error: bool, expected: Any) -> None:
    result = Result("c1", "f", (Text(text),), is_error)
    assert contents(("user", [Text("go")]), ("assistant", [CALL]), ("user", [result]))[2] == [
        response("c1", **expected)
    ]


PNG = File("image", "image/png", data="iVBORw==")
INLINE = {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}


def test_files_of_a_response_stand_in_it_or_beside_it() -> None:
    result = Result("c1", "f", (Text("a"), PNG, Text("b"), File("image", url="https://e.example/a.png")))
    linked = {"fileData": {"mimeType": "image/png", "fileUri": "https://e.example/a.png"}}
    said = response("c1", output="a\nb")
    turns: Any = (("user", [Text("go")]), ("assistant", [CALL]), ("user", [result, Result("c2", "f", ())]))
    within = {"functionResponse": {**said["functionResponse"], "parts": [INLINE]}}
    assert contents(*turns)[2] == [within, response("c2", output=""), linked]
    assert contents(*turns, model="gemini-2.5-pro")[2] == [said, response("c2", output=""), INLINE, linked]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (PNG, INLINE),
        (File("image", data="/9j/4AAQ"), {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4AAQ"}}),
        (File("audio", "audio/wav", data="AAAA"), {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
        (File("image", url="data:image/gif;base64,R0lG"), {"inlineData": {"mimeType": "image/gif", "data": "R0lG"}}),
        (File("image", url="https://e/a"), {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://e/a"}}),
        (File("document", url="https://e/a.PDF#1"), {"fileData": {"mimeType": "application/pdf", "fileUri": "https://e/a.PDF#1"}}),
        (File("video", url="https://youtu.be/a"), {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/a"}}),
        (File("document", text="a"), {"text": "a"}),
        (File("document", text="a", name="n"), {"text": '<document title="n">\na\n</document>'}),
    ],
)  # fmt: skip
def test_files(file: File, expected: Any) -> None:
    assert contents(("user", [file])) == [[expected]]


@pytest.mark.parametrize(("flavour", "model", "ids"), [
    ("google", "gemini-2.5-pro", True),
    ("vertex_ai", "gemini-2.5-pro", False),
    ("vertex_ai_beta", "gemini-3.1-pro-preview", True),
])  # fmt: skip
def test_older_models_of_vertex_take_no_ids(flavour: str, model: str, ids: bool) -> None:
    _, (call,), (result,) = contents(
        *(("user", [Text("go")]), ("assistant", [CALL]), ("user", [Result("c1", "f", ())])),
        model=model,
        flavour=flavour,
    )
    assert [("id" in call["functionCall"]), ("id" in result["functionResponse"])] == [ids, ids]


@pytest.mark.parametrize("arguments", ["[1]", '"a"', "{", '{"a": NaN}', '{"a":' * 300 + "1" + "}" * 300])
def test_arguments_that_are_no_object(arguments: str) -> None:
    with pytest.raises(BadRequest, match=r"messages\.1\.arguments: the arguments of f are no JSON"):
        contents(("assistant", [Call("c", "f", arguments, at="messages.1")]))


@pytest.mark.parametrize(("arguments", "args"), [("", {}), ("{}", {}), (r'{"a": "\ud800"}', {"a": "\ud800"})])
def test_arguments(arguments: str, args: Any) -> None:
    assert (
        contents(("user", [Text("a")]), ("assistant", [Call("c", "f", arguments)]))[1][0]["functionCall"]["args"]
        == args
    )


SEARCH = ServerTool("web_search", Dialect.ANTHROPIC, {"type": "web_search_20250305"})
FETCH = ServerTool("web_fetch", Dialect.ANTHROPIC, {})
CODE = ServerTool("code_execution", Dialect.OPENAI_RESPONSES, {})


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ([SEARCH, FETCH, SEARCH, CODE], [{"googleSearch": {}}, {"urlContext": {}}, {"codeExecution": {}}]),
        ([G, SEARCH], [declared({"name": "g"})]),
        (
            [Tool("h", schema={"properties": {"a": {}}})],
            [declared({"name": "h", "parametersJsonSchema": {"type": "object", "properties": {"a": {}}}})],
        ),
        ([CustomTool("p", "d")], [declared({"name": "p", "description": "d"})]),
        ([], None),
    ],
)
def test_tools(tools: Any, expected: Any) -> None:
    assert written(Prompt("m", (HI,), tuple(tools))).get("tools") == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("any"), {"mode": "ANY"}),
        (ToolChoice("one", ("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("some", ("f", "g", "gone")), {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
        (ToolChoice("some", ("f",), must=False), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (ToolChoice("one", ("web_search",)), None),
    ],
)
def test_choices(choice: ToolChoice, expected: Any) -> None:
    prompt = Prompt("m", (HI,), (F, G), choice)
    assert written(prompt).get("toolConfig") == ({"functionCallingConfig": expected} if expected else None)
    assert "toolConfig" not in written(replace(prompt, tools=()))


def test_a_schema_beside_functions_is_told_in_words_where_it_must() -> None:
    prompt = Prompt("gemini-2.5-flash", (HI,), (F,), output=OutputFormat({"type": "object"}, description="A city."))
    body = written(prompt)
    assert "generationConfig" not in body
    (said,) = body["systemInstruction"]["parts"]
    assert "A city." in said["text"] and said["text"].endswith('{"type":"object"}')
    for other in (replace(prompt, model="gemini-3-flash"), replace(prompt, tools=(SEARCH,))):
        assert written(other)["generationConfig"] == {
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
        }
    assert config(output=OutputFormat()) == {"responseMimeType": "application/json"}


LITE, FLASH, PRO = "gemini-2.5-flash-lite", "gemini-2.5-flash", "gemini-2.5-pro"
FLASH3, PRO3, PRO31 = "gemini-3-flash-preview", "gemini-3-pro-preview", "gemini-3.1-pro-preview"


@pytest.mark.parametrize(
    ("reasoning", "by_model"),
    [
        (Reasoning(enabled=False), {LITE: 0, FLASH: 0, PRO: 128, FLASH3: "minimal", PRO3: "low", PRO31: "low"}),
        (Reasoning(effort="none"), {FLASH: 0, PRO: 128, FLASH3: "minimal", PRO31: "low"}),
        (Reasoning(effort="minimal"), {LITE: 1024, FLASH: 1024, FLASH3: "minimal", PRO31: "low"}),
        (Reasoning(effort="low"), {LITE: 1024, PRO: 1024, FLASH3: "low", PRO31: "low"}),
        (Reasoning(effort="medium"), {FLASH: 8192, FLASH3: "medium", PRO3: "high", PRO31: "medium", "tuned": "medium"}),
        (Reasoning(effort="high"), {PRO: 24576, FLASH3: "high", PRO31: "high"}),
        (Reasoning(effort="max"), {LITE: 24576, FLASH: 24576, PRO: 32768, PRO31: "high"}),
        (Reasoning(enabled=True), {FLASH: -1, PRO: -1, FLASH3: None, PRO31: None}),
        (Reasoning(enabled=True, budget=100), {LITE: 512, FLASH: 100, PRO: 128, PRO31: "low"}),
        (Reasoning(enabled=True, budget=10000), {LITE: 10000, PRO: 10000, PRO31: "medium"}),
        (Reasoning(enabled=True, budget=60000), {LITE: 24576, FLASH: 24576, PRO: 32768, PRO31: "high"}),
        (Reasoning(effort="low", budget=60000), {PRO: 32768, PRO31: "low"}),
        (Reasoning(shown=True), {PRO: None, PRO31: None}),
    ],
)  # fmt: skip
def test_thinking(reasoning: Reasoning, by_model: dict[str, int | str | None]) -> None:
    off = reasoning.enabled is False or reasoning.effort == "none"
    for model, asked in by_model.items():
        key = "thinkingBudget" if "2.5" in model else "thinkingLevel"
        expected = {key: asked} if asked is not None else {}
        shown = {} if off else {"includeThoughts": True}
        assert config(model=model, reasoning=reasoning) == {"thinkingConfig": {**shown, **expected}}, model
        hidden = config(model=model, reasoning=replace(reasoning, shown=False))
        assert hidden == ({"thinkingConfig": expected} if expected else None), model


@pytest.mark.parametrize(
    "model", ["gemini-2.0-flash", "gemini-1.5-pro-002", "gemma-3-27b-it", "gemini-2.5-flash-image"]
)
def test_models_that_cannot_be_asked_to_think(model: str) -> None:
    assert config(model=model, reasoning=Reasoning(enabled=True, effort="high", shown=True)) is None


@pytest.mark.parametrize(("seed", "sent"), [(-5, -5), (2**31 - 1, 2**31 - 1), (2**31, 0), (2**63 + 3, 3)])
def test_seeds_have_32_bits(seed: int, sent: int) -> None:
    assert config(sampling=Sampling(seed=seed)) == {"seed": sent}


def test_recorded_requests_come_back_as_they_were() -> None:
    def unsigned(part: Part) -> Part:
        return replace(part, signature=None) if isinstance(part, Call) else part

    for recording in recordings():
        if recording.dialect is not Dialect.GOOGLE or recording.request is None:
            continue
        prompt = read(json.loads(recording.request), Asked("gemini-3-pro"))
        again = read(written(prompt), Asked("gemini-3-pro"))
        turns = [
            tuple(replace(turn, parts=tuple(map(unsigned, turn.parts))) for turn in each.turns)
            for each in (prompt, again)
        ]
        assert turns[0] == turns[1]
        tools = tuple(tool for tool in prompt.tools if not isinstance(tool, ServerTool) or tool.kind != "fileSearch")
        assert replace(again, turns=()) == replace(prompt, turns=(), tools=tools, knobs=())
