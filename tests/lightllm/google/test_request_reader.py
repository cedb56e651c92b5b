"""Requests of Gemini clients: bodies in, prompts out."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.google.request_reader import read
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    File,
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

HI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
SAID = (Turn("user", (Text("hi"),)),)


def prompt(**beside: Any) -> Prompt:
    return read({**HI, **beside}, Asked("m"))


def test_a_request_in_camel_case_and_in_snake_case() -> None:
    camel = {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}, {"text": "What?"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object", "x_y": 1}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "temperature": 0.5,
            "topP": "0.25",
            "topK": 40.0,
            "seed": 7,
            "presencePenalty": 1,
            "frequencyPenalty": -1,
            "maxOutputTokens": "100",
            "stopSequences": ["a", "b"],
            "candidateCount": 1,
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "array"},
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024},
            "responseModalities": ["TEXT"],
        },
    }
    snake = json.loads(
        json.dumps(camel)
        .replace("systemInstruction", "system_instruction")
        .replace("inlineData", "inline_data")
        .replace("mimeType", "mime_type")
        .replace("functionDeclarations", "function_declarations")
        .replace("parametersJsonSchema", "parameters_json_schema")
        .replace("toolConfig", "tool_config")
        .replace("functionCallingConfig", "function_calling_config")
        .replace("allowedFunctionNames", "allowed_function_names")
        .replace("generationConfig", "generation_config")
        .replace("topP", "top_p")
        .replace("topK", "top_k")
        .replace("Penalty", "_penalty")
        .replace("maxOutputTokens", "max_output_tokens")
        .replace("stopSequences", "stop_sequences")
        .replace("candidateCount", "candidate_count")
        .replace("responseMimeType", "response_mime_type")
        .replace("responseJsonSchema", "response_json_schema")
        .replace("thinkingConfig", "thinking_config")
        .replace("includeThoughts", "include_thoughts")
        .replace("thinkingBudget", "thinking_budget")
        .replace("responseModalities", "response_modalities")
    )
    assert "_" not in json.dumps(camel).replace("x_y", "")
    expected = Prompt(
        model="gemini-2.5-pro",
        turns=(
            Turn("system", (Text("Be brief."), Text("Be kind."))),
            Turn("user", (File("image", "image/png", data="iVBORw=="), Text("What?"))),
        ),
        tools=(Tool("f", schema={"type": "object", "x_y": 1}),),
        tool_choice=ToolChoice("one", ("f",)),
        output=OutputFormat({"type": "array"}),
        reasoning=Reasoning(enabled=True, budget=1024, shown=True),
        sampling=Sampling(0.5, 0.25, 40, 7, 1, -1),
        max_tokens=100,
        stop=("a", "b"),
        stream=True,
    )
    assert read(camel, Asked("gemini-2.5-pro", True)) == expected
    assert read(snake, Asked("gemini-2.5-pro", True)) == expected


def test_code_assists_envelope() -> None:
    body = {"model": "models/gemini-x", "project": "p", "request": {**HI, "session_id": "s", "labels": {"a": "b"}}}
    found = read(body, Asked(None, True))
    assert (found.model, found.turns, found.stream) == ("gemini-x", SAID, True)
    assert [knob.at for knob in found.knobs] == ["project", "request.session_id", "request.labels"]
    with pytest.raises(BadRequest, match=r"^request\.contents\.parts\.text: a string"):
        read({"request": {"contents": {"parts": {"text": 1}}}}, Asked("m"))


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ([{"googleSearch": {"a": 1}}], [("web_search", {"googleSearch": {"a": 1}})]),
        ([{"google_search_retrieval": {}}], [("web_search", {"google_search_retrieval": {}})]),
        (
            {"urlContext": {}, "codeExecution": {}, "retrieval": None},
            [("web_fetch", {"urlContext": {}}), ("code_execution", {"codeExecution": {}})],
        ),
        ([{"fileSearch": {}}], [("fileSearch", {"fileSearch": {}})]),
        ([{"googleMaps": {}}], [("googleMaps", {"googleMaps": {}})]),
        (
            [{"computerUse": {}}, {"mcpServers": []}],
            [("computerUse", {"computerUse": {}}), ("mcp", {"mcpServers": []})],
        ),
    ],
)
def test_what_the_provider_runs(tools: Any, expected: list[tuple[str, Any]]) -> None:
    assert list(prompt(tools=tools).tools) == [ServerTool(kind, Dialect.GOOGLE, value) for kind, value in expected]


def test_functions() -> None:
    declared = [
        {"name": "a", "description": "", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}},
        {"name": "b", "description": "d", "parametersJsonSchema": {"$schema": "s"}, "parameters": {"type": "ARRAY"}},
        {"name": "c"},
    ]
    assert prompt(tools=[{"functionDeclarations": declared[:2]}, {"functionDeclarations": declared[2:]}]).tools == (
        Tool("a", None, {"type": "object", "properties": {"x": {"type": "string"}}}),
        Tool("b", "d", {"$schema": "s"}),
        Tool("c"),
    )


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "none"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("any")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("one", ("f",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice("some", ("f", "g"))),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "VALIDATED", "allowed_function_names": ["f"]}, ToolChoice("some", ("f",), must=False)),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({}, None),
    ],
)
def test_choices(config: Any, choice: ToolChoice | None) -> None:
    assert prompt(toolConfig={"functionCallingConfig": config}).tool_choice == choice


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        ({"thinkingBudget": 0}, Reasoning(enabled=False)),
        ({"thinkingBudget": -1, "includeThoughts": False}, Reasoning(enabled=True, shown=False)),
        ({"thinkingBudget": "128"}, Reasoning(enabled=True, budget=128)),
        ({"thinkingLevel": "low"}, Reasoning(enabled=True, effort="low")),
        ({"thinking_level": "XHIGH"}, Reasoning(enabled=True, effort="xhigh")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Reasoning()),
        ({"includeThoughts": True}, Reasoning(enabled=True, shown=True)),
        ({"includeThoughts": False}, Reasoning(shown=False)),
    ],
)
def test_thinking(config: Any, reasoning: Reasoning) -> None:
    assert prompt(generationConfig={"thinkingConfig": config}).reasoning == reasoning


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({"responseMimeType": "application/json"}, OutputFormat()),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}, None),
        ({"responseSchema": {"type": "STRING"}}, OutputFormat({"type": "string"})),
        ({"_responseJsonSchema": {"type": "STRING"}}, OutputFormat({"type": "STRING"})),
        ({"response_json_schema": {"type": "a"}, "responseSchema": {}}, OutputFormat({"type": "a"})),
    ],
)
def test_formats(config: Any, output: OutputFormat | None) -> None:
    assert prompt(generationConfig=config).output == output


@pytest.mark.parametrize(
    ("beside", "knob"),
    [
        ({"safetySettings": [{}]}, Knob("safety", [{}])),
        ({"cached_content": "cachedContents/1"}, Knob("state", "cachedContents/1")),
        ({"labels": {"a": "b"}}, Knob("unknown", {"a": "b"})),
        ({"serviceTier": "flex"}, Knob("service_tier", "flex")),
        ({"serviceTier": "STANDARD"}, Knob("service_tier", "default")),
        ({"serviceTier": "new"}, Knob("unknown", "new")),
        ({"toolConfig": {"retrievalConfig": {"a": 1}}}, Knob("unknown", {"a": 1})),
        ({"generationConfig": {"candidateCount": 2}}, Knob("several_answers", 2)),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, Knob("modalities", ["AUDIO"])),
        ({"generationConfig": {"responseModalities": ["Image"]}}, Knob("modalities", ["IMAGE"])),
        ({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, Knob("unknown", ["IMAGE", "TEXT"])),
        ({"generationConfig": {"responseLogprobs": True}}, Knob("logprobs", True)),
        ({"generationConfig": {"speechConfig": {"a": 1}}}, Knob("unknown", {"a": 1})),
        ({"generationConfig": {"mediaResolution": "HIGH"}}, Knob("unknown", "HIGH")),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, Knob("unknown", "text/x.enum")),
    ],
)
def test_knobs(beside: Any, knob: Knob) -> None:
    assert prompt(**beside).knobs == (knob,)


@pytest.mark.parametrize("unsaid", [None, "", [], {}, False])
def test_what_is_not_said(unsaid: object) -> None:
    found = prompt(
        safetySettings=unsaid, cachedContent=unsaid, generationConfig={"responseLogprobs": unsaid, "topK": None}
    )
    assert found == Prompt("m", SAID)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "contents: there is no content"),
        ({"contents": []}, "contents: there is no content"),
        ({"contents": "hi"}, "contents: a list is expected, not 'hi'"),
        ({"contents": ["hi"]}, "contents.0: an object is expected, not 'hi'"),
        ({"contents": [{"role": "assistant"}]}, 'contents.0.role: one of "user", "model" and "function" is expected'),
        ({"contents": [{"parts": [{"functionResponse": {}}]}]}, "contents.0.parts.0.functionResponse.name: is missing"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents.0.parts.0.functionCall.name: is missing"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f", "args": "{}"}}]}]}, "functionCall.args: an object"),
        ({"contents": [{"role": "user", "parts": [{"functionCall": {"name": "f"}}]}]}, "only the model calls"),
        ({"contents": [{"role": "model", "parts": [{"functionResponse": {"name": "f"}}]}]}, "the role must be user"),
        ({"contents": [{"parts": [{"inlineData": {"data": "AAAA"}}]}]}, "parts.0.inlineData.mimeType: is missing"),
        ({"contents": [{"parts": [{"inline_data": {"mime_type": "image/png"}}]}]}, "inlineData.data: is missing"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "text/plain", "data": "_w"}}]}]}, "is no base64 of text"),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents.0.parts.0.fileData.fileUri: is missing"),
        ({**HI, "systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction.parts.0: a part of an"),
        ({**HI, "tools": [{"functionDeclarations": [{}]}]}, "tools.0.functionDeclarations.0.name: is missing"),
        ({**HI, "toolConfig": {"functionCallingConfig": {"mode": "X"}}}, "functionCallingConfig.mode: one of AUTO"),
        ({**HI, "generationConfig": {"topK": 1.5}}, "generationConfig.topK: an integer is expected, not 1.5"),
        ({**HI, "generationConfig": {"temperature": "warm"}}, "generationConfig.temperature: a number is expected"),
        ({**HI, "generationConfig": {"temperature": True}}, "generationConfig.temperature: a number is expected"),
        ({**HI, "generationConfig": {"stopSequences": [1]}}, "generationConfig.stopSequences: a list of strings"),
        ({**HI, "generationConfig": {"thinkingConfig": {"thinkingLevel": "x"}}}, "thinkingLevel: one of MINIMAL"),
        ({**HI, "generationConfig": {"thinkingConfig": {"includeThoughts": 1}}}, "includeThoughts: true or false"),
    ],
)  # fmt: skip
def test_refusals_name_the_field(body: Any, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(body, Asked("m"))
    assert message in str(refused.value)


def test_a_model_is_wanted_and_depth_is_limited() -> None:
    with pytest.raises(BadRequest, match=r"^model: is missing"):
        read(HI, Asked())
    deep: Any = {}
    for _ in range(3000):
        deep = {"type": "OBJECT", "items": deep}
    with pytest.raises(BadRequest, match="too deeply"):
        prompt(generationConfig={"responseSchema": deep})


def test_every_recorded_request() -> None:
    found = [recording for recording in recordings() if recording.dialect is Dialect.GOOGLE and recording.request]
    assert found
    for recording in found:
        assert recording.request is not None
        body = json.loads(recording.request)
        read_prompt = read(body, Asked("m"))
        assert len(read_prompt.turns) == len(body["contents"]) + ("systemInstruction" in body)
        assert {knob.at for knob in read_prompt.knobs} <= {"toolConfig.includeServerSideToolInvocations"}


def test_what_google_genai_sends() -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={"candidates": [{"content": {"parts": [{"text": "x"}], "role": "model"}}]})

    options = types.HttpOptions(
        base_url="http://memory", httpx_client=httpx.Client(transport=httpx.MockTransport(answer))
    )
    client = genai.Client(api_key="k", http_options=options)
    parts = [types.Part.from_bytes(data=b"\xfb\xff\xfe", mime_type="image/png"), types.Part(text="What?")]
    schema = types.Schema(type=types.Type.OBJECT, properties={"a": types.Schema(type=types.Type.STRING, min_length=1)})
    client.models.generate_content(
        model="m",
        contents=[
            types.Content(role="user", parts=parts),
            types.Content(
                role="model", parts=[types.Part(function_call=types.FunctionCall(name="f", args={"a": "b"}))]
            ),
            types.Content(
                role="user",
                parts=[
                    types.Part(
                        function_response=types.FunctionResponse(
                            name="f",
                            response={"output": "c"},
                            parts=[types.FunctionResponsePart.from_bytes(data=b"abc", mime_type="image/png")],
                        )
                    )
                ],
            ),
        ],
        config=types.GenerateContentConfig(
            system_instruction="Be brief.",
            tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="f", parameters=schema)])],
            response_schema=schema,
            thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        ),
    )
    found = read(sent[0], Asked("m"))
    told = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    assert [turn.role for turn in found.turns] == ["system", "user", "assistant", "user"]
    assert found.turns[1].parts == (File("image", "image/png", data="+//+"), Text("What?"))
    assert found.tools == (Tool("f", schema=told),)
    assert found.output == OutputFormat(told)
    assert found.reasoning == Reasoning(enabled=True, effort="high")
    (result,) = found.turns[3].parts
    assert result.content == (Text("c"), File("image", "image/png", data="YWJj"))  # type: ignore[union-attr]
