from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from ccproxy.lightllm.answer import fold
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockStart,
    BlockStop,
    Citation,
    Counts,
    End,
    Event,
    Finish,
    Media,
)
from ccproxy.lightllm.openai_chat import response
from tests.lightllm.openai_chat.shorthand import plan, short
from tests.lightllm.translate.grammar import breaches
from tests.lightllm.translate.models import invalid_document


def document(message: Any, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice], **more}


def said(body: dict[str, Any]) -> list[str]:
    events = response.read(body)
    assert breaches(events) == []
    return short(events)


LS = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
PATCH = {"id": "b", "type": "custom", "custom": {"name": "patch", "input": "+1"}}
CITED = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
READ: list[tuple[dict[str, Any], list[str]]] = [
    (document({"content": "hi"}), ["+0 text", '0 "hi"', "-0", "finish stop"]),
    (document({"content": None, "refusal": "no"}), ["+0 refusal", '0 "no"', "-0", "finish stop"]),
    (
        document({"content": "hi", "reasoning_content": "t", "reasoning": "t", "annotations": [CITED]}, "length"),
        ["+0 thinking", '0 "t"', "-0", "+1 text", '1 "hi"', "1 cites u t 0-1", "-1", "finish length"],
    ),
    (
        document({"content": "hi", "tool_calls": [LS, PATCH], "annotations": [CITED]}, "tool_calls"),
        [
            *("+0 text", '0 "hi"', "0 cites u t 0-1", "-0", "+1 call ls #a", '1 "{}"', "-1"),
            *("+2 call custom patch #b", '2 "+1"', "-2", "finish tool"),
        ],
    ),
    (document({"tool_calls": [LS]}, None), ["+0 call ls #a", '0 "{}"', "-0", "finish tool"]),
    (
        document({"content": "", "tool_calls": [{"function": {"name": n, "arguments": {}}} for n in "ff"]}),
        ["+0 call f", '0 "{}"', "-0", "+1 call f", '1 "{}"', "-1", "finish tool"],
    ),
    (
        document({"function_call": {"name": "ls", "arguments": "{}"}}, "function_call"),
        ["+0 call ls", '0 "{}"', "-0", "finish tool"],
    ),
    (
        document(
            {"content": "a", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]}
        ),
        ["+0 text", '0 "a"', "-0", "1 image/png iVBO", "finish stop"],
    ),
    (
        document({"content": "a"}, citations=["u"], usage={"prompt_tokens": 9, "completion_tokens": 4}),
        ["+0 text", '0 "a"', "0 cites u None None-None", "-0", "counts 9 4 None None None", "finish stop"],
    ),
    (document({}, None), ["finish stop"]),
]


@pytest.mark.parametrize(("body", "told"), READ)
def test_read(body: dict[str, Any], told: list[str]) -> None:
    assert said(body) == ["begin 1 m 5", *told, "end"]


UPSTREAM = "failed 502 upstream: the provider"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "wait", "code": 429}}, "failed 429 rate_limit: wait"),
        ({"error": "gone"}, "failed 500 internal: gone"),
        ({}, f"{UPSTREAM}'s answer has no message"),
        ({"choices": []}, f"{UPSTREAM}'s answer has no message"),
        ({"choices": {"0": 1}}, f"{UPSTREAM}'s answer has no message"),
        ({"choices": [{"message": None}]}, f"{UPSTREAM}'s answer has no message"),
        (document({"content": "a"}, "error"), f"{UPSTREAM} broke its answer off: error"),
        (document({"tool_calls": [{"id": "a"}]}), f"{UPSTREAM}'s answer has a tool call without a name"),
    ],
)
def test_failures(body: dict[str, Any], told: str) -> None:
    assert said(body) == [told]


def words(index: int, kind: Any, text: str) -> list[Event]:
    return [BlockStart(index, kind), BlockDelta(index, text), BlockStop(index)]


ANSWER = [
    Begin("msg_1", "m", 5),
    *words(0, "thinking", "t"),
    *words(1, "thinking", "u"),
    *words(2, "text", "ab"),
    BlockStart(3, "text"),
    BlockDelta(3, "cd"),
    BlockCitation(3, Citation("u", None, "q", 1, 2)),
    BlockCitation(3, Citation(None, "a document")),
    BlockStop(3),
    Media(4, "image/png", "iVBO"),
    Media(5, "audio/wav", "UklG"),
    *[BlockStart(6, "call", "a", "ls"), BlockStop(6)],
    *[BlockStart(7, "call", "b", "patch", custom=True), BlockDelta(7, "+1"), BlockStop(7)],
    *[BlockStart(8, "redacted"), BlockStop(8)],
    Counts(Usage(9, 4)),
    Finish("tool"),
    End(),
]


def written(events: list[Event], **more: Any) -> dict[str, Any]:
    body = response.write(fold(events), plan(stream=False, **more))
    assert invalid_document(Dialect.OPENAI, body) == []
    return json.loads(json.dumps(body))  # type: ignore[no-any-return]


def test_write() -> None:
    cited = {"start_index": 3, "end_index": 4, "title": "u", "url": "u", "content": "q"}
    message = {
        "role": "assistant",
        "content": "abcd",
        "refusal": None,
        "reasoning_content": "t\n\nu",
        "annotations": [{"type": "url_citation", "url_citation": cited}],
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}],
        "tool_calls": [LS, PATCH],
    }
    assert written(ANSWER) == {
        **document(message, "tool_calls", usage={"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}),
        "id": "chatcmpl-msg_1",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}],
    }


def message_of(*events: Event, **more: Any) -> tuple[dict[str, Any], str]:
    choice = written([Begin(), *events, End()], **more)["choices"][0]
    return choice["message"], choice["finish_reason"]


def test_write_little() -> None:
    nothing = {"role": "assistant", "content": "", "refusal": None}
    assert message_of() == (nothing, "stop")
    assert message_of(*words(0, "refusal", "no"), Finish("refused")) == (
        {**nothing, "content": None, "refusal": "no"},
        "content_filter",
    )
    call = [BlockStart(0, "call", "a", "ls"), BlockStop(0)]
    assert message_of(*call) == ({**nothing, "content": None, "tool_calls": [LS]}, "tool_calls")
    assert message_of(*call, asked={"functions": [{"name": "ls"}]}) == (
        {**nothing, "content": None, "function_call": LS["function"]},
        "function_call",
    )
    made = ChatCompletion.model_validate(written([Begin(), End()]))
    assert (made.id, made.model, made.created, made.usage) == ("chatcmpl-seed", "asked", 7, None)
