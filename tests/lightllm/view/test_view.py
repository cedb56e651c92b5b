from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
    FilePart,
    ImageUrl,
    InstructionDeltaPart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.json_edit import Path, loads, span
from ccproxy.lightllm.view import (
    load_messages,
    load_system,
    load_tools,
    store_messages,
    store_system,
    store_tools,
)
from tests.lightllm.recordings import recordings
from tests.lightllm.view.bodies import BODIES, GOOGLE, RESPONSES

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE
LISTS: dict[Dialect, Path] = {A: ("messages",), C: ("messages",), R: ("input",), G: ("contents",)}
LEAD = {A: 0, C: 2, R: 1, G: 0}


def body(raw: bytes) -> dict[str, Any]:
    value = loads(raw)
    assert isinstance(value, dict)
    return value


def pieces(raw: bytes, path: Path) -> list[bytes]:
    """The bytes of each element of an array."""
    value: Any = loads(raw)
    for name in path:
        value = value[name]
    places = [span(raw, (*path, i)) for i in range(len(value))]
    return [raw[place.start : place.end] for place in places]


def untouched(dialect: Dialect, raw: bytes) -> None:
    """Reading and writing back without a change leaves the bytes, however the objects were copied."""
    for again in (lambda value: value, copy.deepcopy, lambda value: [replace(item) for item in value]):
        assert store_messages(dialect, raw, again(load_messages(dialect, body(raw)))) == raw
        assert store_system(dialect, raw, again(load_system(dialect, body(raw)))) == raw
        assert store_tools(dialect, raw, again(load_tools(dialect, body(raw)))) == raw


@pytest.mark.parametrize("dialect", list(Dialect))
def test_without_a_change_the_bytes_are_the_same(dialect: Dialect) -> None:
    untouched(dialect, BODIES[dialect])


def test_without_a_change_recorded_requests_are_the_same() -> None:
    for recording in recordings():
        if recording.request is not None:
            untouched(recording.dialect, recording.request)


def test_recorded_requests_come_back_out_of_the_view_alone() -> None:
    """Written into a body that has nothing, they say what they said: the view itself carries everything."""
    for recording in recordings():
        if recording.request is not None:
            comes_back(recording.dialect, recording.request)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_everything_comes_back_out_of_the_view_alone(dialect: Dialect) -> None:
    comes_back(dialect, BODIES[dialect])


def comes_back(dialect: Dialect, raw: bytes) -> None:
    whole = body(raw)
    out = store_messages(dialect, b"{}", load_messages(dialect, whole))
    if dialect is R and isinstance(whole.get("input"), str):
        assert body(out)["input"] == [{"role": "user", "content": whole["input"]}]
        return
    got = body(store_system(dialect, out, load_system(dialect, whole)))
    name = str(LISTS[dialect][0])
    for one, other in zip(got[name], whole[name], strict=True):
        same(one, other)
    if isinstance(whole.get("system"), list):
        assert [part.content for part in load_system(A, got)] == [block["text"] for block in whole["system"]]
    else:
        assert got.get("system") == whole.get("system")
    assert got.get("instructions") == whole.get("instructions")
    if whole.get("tools"):
        assert body(store_tools(dialect, b"{}", load_tools(dialect, whole)))["tools"] == whole["tools"]


def same(got: dict[str, Any], want: dict[str, Any]) -> None:
    """Equal, but for a null, a role or empty arguments that need not be said."""
    for one, other in ((got, want), (want, got)):
        for key in one:
            if one[key] != other.get(key):
                assert key == "role" or not one[key], (key, got, want)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_change_of_one_message_changes_only_its_bytes(dialect: Dialect) -> None:
    raw = BODIES[dialect]
    before = pieces(raw, LISTS[dialect])
    kinds = set()
    for i in range(len(load_messages(dialect, body(raw)))):
        messages = load_messages(dialect, body(raw))
        if (kind := change(messages[i])) is None:
            continue
        kinds.add(kind)
        after = pieces(store_messages(dialect, raw, messages), LISTS[dialect])
        assert len(after) == len(before)
        changed = [j for j, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
        assert changed == [i + LEAD[dialect]]
        assert b"HOOKED" in after[changed[0]]
        if kind == "text":  # the rest of the message is there, cache marks, unknown blocks and all
            assert without_texts(json.loads(after[changed[0]])) == without_texts(json.loads(before[changed[0]]))
    assert kinds == {"text", "result"}


def change(message: ModelMessage) -> Literal["text", "result"] | None:
    """Change the first text or tool result, in place."""
    for part in message.parts:
        match part:
            case TextPart() | SystemPromptPart() | ThinkingPart() if part.content:
                part.content = "HOOKED"
                return "text"
            case UserPromptPart(content=str()):
                part.content = "HOOKED"
                return "text"
            case UserPromptPart(content=content):
                assert isinstance(content, list)
                for i, item in enumerate(content):
                    if isinstance(item, str):
                        content[i] = "HOOKED"
                        return "text"
                    if isinstance(item, TextContent) and item.content:
                        item.content = "HOOKED"
                        return "text"
            case ToolReturnPart():
                part.content = {"output": "HOOKED"} if isinstance(part.content, dict) else "HOOKED"
                return "result"
            case ToolCallPart() if isinstance(part.args, str):
                part.args = '"HOOKED"'
                return "text"
            case _:
                continue
    return None


def without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        texts = ("text", "content", "thinking", "arguments", "reasoning_content", "reasoning", "summary")
        kept = {k: v for k, v in value.items() if k not in texts or (isinstance(v, list) and k != "summary")}
        return {k: without_texts(v) for k, v in kept.items()}
    return [without_texts(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("dialect", list(Dialect))
@given(data=st.data())
def test_moved_dropped_and_copied_messages_keep_their_bytes(dialect: Dialect, data: st.DataObject) -> None:
    raw = BODIES[dialect]
    messages = load_messages(dialect, body(raw))
    order = data.draw(st.lists(st.sampled_from(range(len(messages))), max_size=8))
    got = store_messages(dialect, raw, [copy.deepcopy(messages[i]) for i in order])
    after, before = pieces(got, LISTS[dialect]), pieces(raw, LISTS[dialect])
    assert after[: LEAD[dialect]] == before[: LEAD[dialect]]
    moved = after[LEAD[dialect] :]
    assert len(moved) == len(order)
    for piece, i in zip(moved, order, strict=True):
        same(json.loads(piece), json.loads(before[LEAD[dialect] + i]))
    if order == sorted(set(order)):
        assert moved == [before[LEAD[dialect] + i] for i in order]
    assert all(body(got)[key] == value for key, value in body(raw).items() if key != LISTS[dialect][0])


NEW: list[ModelMessage] = [
    ModelRequest([UserPromptPart("new question")]),
    ModelResponse([TextPart("new answer"), ToolCallPart("bash", {"a": 1}, "n1")]),
    ModelRequest([ToolReturnPart("bash", "result", "n1"), UserPromptPart(["go", TextContent("on")])]),
]
WRITTEN: dict[Dialect, list[dict[str, Any]]] = {
    A: [
        {"role": "user", "content": "new question"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "new answer"},
                {"type": "tool_use", "id": "n1", "name": "bash", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "n1", "content": "result"},
                {"type": "text", "text": "go"},
                {"type": "text", "text": "on"},
            ],
        },
    ],
    C: [
        {"role": "user", "content": "new question"},
        {
            "role": "assistant",
            "content": "new answer",
            "tool_calls": [{"id": "n1", "type": "function", "function": {"name": "bash", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "n1", "content": "result"},
        {"role": "user", "content": [{"type": "text", "text": "go"}, {"type": "text", "text": "on"}]},
    ],
    R: [
        {"role": "user", "content": "new question"},
        {"role": "assistant", "content": "new answer"},
        {"type": "function_call", "call_id": "n1", "name": "bash", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "n1", "output": "result"},
        {"role": "user", "content": [{"type": "input_text", "text": "go"}, {"type": "input_text", "text": "on"}]},
    ],
    G: [
        {"role": "user", "parts": [{"text": "new question"}]},
        {
            "role": "model",
            "parts": [{"text": "new answer"}, {"functionCall": {"id": "n1", "name": "bash", "args": {"a": 1}}}],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "n1", "name": "bash", "response": {"return_value": "result"}}},
                {"text": "go"},
                {"text": "on"},
            ],
        },
    ],
}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_new_messages(dialect: Dialect) -> None:
    raw = BODIES[dialect]
    messages = load_messages(dialect, body(raw))
    got = store_messages(dialect, raw, [*messages[:-1], *NEW, messages[-1]])
    before, after = pieces(raw, LISTS[dialect]), pieces(got, LISTS[dialect])
    new = len(WRITTEN[dialect])
    assert after[: len(before) - 1] == before[:-1]
    assert after[-1] == before[-1]
    assert [json.loads(piece) for piece in after[-1 - new : -1]] == WRITTEN[dialect]
    assert body(store_messages(dialect, b'{"model": "m"}', NEW)) == {"model": "m", LISTS[dialect][0]: WRITTEN[dialect]}


SYSTEM: dict[Dialect, list[str]] = {
    A: ["x-header: 1", "Be brief."],
    C: ["Be brief.", "one", "two"],
    R: ["Be brief.", "one"],
    G: ["Be brief.", "two"],
}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_the_system_prompt(dialect: Dialect) -> None:
    raw = BODIES[dialect]
    parts = load_system(dialect, body(raw))
    assert [part.content for part in parts] == SYSTEM[dialect]
    parts[1].content = "HOOKED"
    got = store_system(dialect, raw, parts)
    text = SYSTEM[dialect][1]
    assert got == raw.replace(f'"text":"{text}"'.encode(), b'"text":"HOOKED"', 1).replace(
        f'"text": "{text}"'.encode(), b'"text": "HOOKED"', 1
    )
    more = store_system(dialect, raw, [*load_system(dialect, body(raw)), SystemPromptPart("added")])
    assert [part.content for part in load_system(dialect, body(more))] == [*SYSTEM[dialect], "added"]
    none = store_system(dialect, raw, [])
    assert load_system(dialect, body(none)) == []
    assert load_messages(dialect, body(none)) == load_messages(dialect, body(raw))
    one = store_system(dialect, none, [SystemPromptPart("only")])
    assert [part.content for part in load_system(dialect, body(one))] == ["only"]


@pytest.mark.parametrize(
    ("dialect", "raw", "expected"),
    [
        (A, b'{"system": "a" }', b'{"system": "b" }'),
        (R, b'{"instructions": "a" , "input": "hi"}', b'{"instructions": "b" , "input": "hi"}'),
        (
            C,
            b'{"messages": [ {"role":"system","content": "a"} ]}',
            b'{"messages": [ {"role":"system","content": "b"} ]}',
        ),
        (G, b'{"system_instruction":{"parts":[{"text":"a"}]}}', b'{"system_instruction":{"parts":[{"text":"b"}]}}'),
        (
            G,
            b'{"request": {"systemInstruction":{"parts":[{"text":"a"}]}}}',
            b'{"request": {"systemInstruction":{"parts":[{"text":"b"}]}}}',
        ),
    ],
)
def test_short_forms_of_the_system_prompt(dialect: Dialect, raw: bytes, expected: bytes) -> None:
    parts = load_system(dialect, body(raw))
    parts[0].content = "b"
    assert store_system(dialect, raw, parts) == expected
    assert store_system(dialect, raw, [SystemPromptPart("b")]).count(b'"b"') == 1


def test_input_that_is_a_string() -> None:
    raw = b'{"input": "hi", "model": "m"}'
    (message,) = load_messages(R, body(raw))
    assert isinstance(message.parts[0], UserPromptPart)
    message.parts[0].content = "ho"
    assert store_messages(R, raw, [message]) == b'{"input": "ho", "model": "m"}'
    assert body(store_messages(R, raw, [message, ModelResponse([TextPart("x")])]))["input"] == [
        {"role": "user", "content": "ho"},
        {"role": "assistant", "content": "x"},
    ]
    two = [*load_system(R, body(b'{"instructions": "i"}')), SystemPromptPart("s")]
    assert body(store_system(R, b'{"input": "hi", "instructions": "i"}', two)) == {
        "input": [{"role": "developer", "content": "s"}, {"role": "user", "content": "hi"}],
        "instructions": "i",
    }


NAMES = {
    A: ["bash", "web_search", "plain"],
    C: ["bash", "bare", "custom"],
    R: ["exec", "web_search", "patch", "n"],
    G: ["exec", "old", "none", "googleSearch", "last"],
}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_tools(dialect: Dialect) -> None:
    raw = BODIES[dialect]
    tools = load_tools(dialect, body(raw))
    assert [tool.name for tool in tools] == NAMES[dialect]
    assert tools[0].description == "run"
    assert tools[0].parameters_json_schema["type"] == "object"
    tools[0].description = "HOOKED"
    assert store_tools(dialect, raw, tools) == raw.replace(b'"run"', b'"HOOKED"')
    fewer = store_tools(dialect, raw, load_tools(dialect, body(raw))[1:])
    assert [tool.name for tool in load_tools(dialect, body(fewer))] == NAMES[dialect][1:]
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    added = ToolDefinition(name="added", description="d", parameters_json_schema=schema)
    more = load_tools(dialect, body(store_tools(dialect, raw, [*load_tools(dialect, body(raw)), added])))
    assert [tool.name for tool in more] == [*NAMES[dialect], "added"]
    assert (more[-1].description, more[-1].parameters_json_schema) == ("d", schema)
    assert b'"added"' in store_tools(dialect, b"{}", [added])


def test_code_assist_wraps_the_request() -> None:
    raw = b'{"model": "m", "request": ' + GOOGLE + b', "project": "p" }'
    untouched(G, raw)
    messages = load_messages(G, body(raw))
    assert change(messages[0])
    assert store_messages(G, raw, messages) == raw.replace(b'"hi"', b'"HOOKED"')


def test_results_name_the_tool_that_was_called() -> None:
    for dialect, name in ((A, "bash"), (C, "bash"), (R, "exec"), (G, "exec")):
        parts = [part for message in load_messages(dialect, body(BODIES[dialect])) for part in message.parts]
        calls = [part for part in parts if isinstance(part, ToolCallPart)]
        results = [part for part in parts if isinstance(part, ToolReturnPart)]
        assert (results[0].tool_name, results[0].tool_call_id) == (name, calls[0].tool_call_id)
    google = [
        p for m in load_messages(G, body(GOOGLE)) for p in m.parts if isinstance(p, ToolCallPart | ToolReturnPart)
    ]
    assert len({part.tool_call_id for part in google if part.tool_name == "noargs"}) == 1


def test_reading_twice_gives_the_same() -> None:
    for dialect, raw in BODIES.items():
        assert load_messages(dialect, body(raw)) == load_messages(dialect, body(raw))
        assert load_system(dialect, body(raw)) == load_system(dialect, body(raw))
        assert load_tools(dialect, body(raw)) == load_tools(dialect, body(raw))


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "value", [None, 5, "x", [], [5], {}, [None], [[]], [{}], [{"role": 5, "content": 7, "parts": 3}]]
)
def test_bodies_that_make_no_sense(dialect: Dialect, value: object) -> None:
    names = ("messages", "input", "contents", "system", "systemInstruction", "tools", "instructions")
    untouched(dialect, json.dumps(dict.fromkeys(names, value)).encode())
    roles = ("user", "assistant", "model", "tool", "system")
    turns = [{"role": role, "content": value, "parts": value} for role in roles]
    untouched(dialect, json.dumps({"messages": turns, "input": turns, "contents": turns}).encode())


@pytest.mark.parametrize("store", [store_messages, store_system, store_tools])
@pytest.mark.parametrize("raw", [b"[]", b"5", b"{", b""])
def test_a_body_that_is_no_object(store: Callable[[Dialect, bytes, Sequence[Any]], bytes], raw: bytes) -> None:
    with pytest.raises(BadRequest):
        store(A, raw, [])


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        (G, ModelRequest([SystemPromptPart("x")])),
        (A, ModelResponse([ToolCallPart("t", "{no json", "1")])),
        (A, ModelRequest([UserPromptPart([CachePoint()])])),
    ],
)
def test_what_a_dialect_cannot_say_is_an_error_for_the_hook(dialect: Dialect, message: ModelMessage) -> None:
    with pytest.raises(BadRequest, match=r"hook|JSON|marks"):
        store_messages(dialect, b"{}", [message])


def test_nothing_else_imports_pydantic_ai() -> None:
    """It costs 0.6 s and 60 MB; only the first call of the view pays."""
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import pkgutil, importlib, ccproxy.lightllm as root\n"
        "names = [m.name for m in pkgutil.walk_packages(root.__path__, 'ccproxy.lightllm.')]\n"
        "names = [n for n in names if not n.startswith('ccproxy.lightllm.view.')]\n"
        "[importlib.import_module(n) for n in names]\n"
        "heavy = {'pydantic_ai', 'pydantic', 'asyncio', 'socket', 'httpx', 'mitmproxy'} & set(sys.modules) - before\n"
        "assert len(names) > 20 and not heavy, heavy\n"
        "from ccproxy.lightllm.view import load_messages\n"
        "from ccproxy.lightllm.dialect import Dialect\n"
        "assert 'pydantic_ai' not in sys.modules\n"
        "load_messages(Dialect.ANTHROPIC, {})\n"
        "assert 'pydantic_ai' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_responses_items_are_one_message_each() -> None:
    assert len(load_messages(R, body(RESPONSES))) == len(body(RESPONSES)["input"]) - 1


PICTURE = BinaryContent(b"\x89PNG", media_type="image/png")
PICTURES: dict[Dialect, list[dict[str, Any]]] = {
    A: [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        {
            "type": "image",
            "source": {"type": "url", "url": "https://h/i.png"},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
    ],
    C: [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
    ],
    R: [
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="},
        {"type": "input_image", "image_url": "https://h/i.png"},
    ],
    G: [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://h/i.png"}},
    ],
}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_new_pictures_and_cache_marks(dialect: Dialect) -> None:
    """A mark is written where the dialect has one; the others cache by themselves."""
    said = [PICTURE, ImageUrl("https://h/i.png"), CachePoint(ttl="1h")]
    raw = store_messages(dialect, b"{}", [ModelRequest([UserPromptPart(said)])])
    (message,) = body(raw)[str(LISTS[dialect][0])]
    assert message.get("content", message.get("parts")) == PICTURES[dialect]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "message",
    [
        ModelRequest([UserPromptPart([UploadedFile("f", "openai")])]),
        ModelRequest([InstructionDeltaPart(id="i", content="c")]),
        ModelResponse([FilePart(PICTURE)]),
    ],
)
def test_no_dialect_loses_what_it_cannot_say(dialect: Dialect, message: ModelMessage) -> None:
    with pytest.raises(BadRequest):
        store_messages(dialect, b"{}", [message])
