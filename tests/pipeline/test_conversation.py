from __future__ import annotations

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.pipeline.conversation import conversation_id, first_user_text


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Dialect.ANTHROPIC, {"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": "no"}]}),
        (
            Dialect.ANTHROPIC,
            {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "hi"}]}]},
        ),
        (Dialect.OPENAI, {"messages": [{"role": "system", "content": "no"}, {"role": "user", "content": "hi"}]}),
        (Dialect.OPENAI_RESPONSES, {"input": "hi"}),
        (
            Dialect.OPENAI_RESPONSES,
            {
                "input": [
                    {"role": "developer", "content": "no"},
                    {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                ]
            },
        ),
        (Dialect.GOOGLE, {"contents": [{"role": "user", "parts": [{"inlineData": {}}, {"text": "hi"}]}]}),
        (Dialect.GOOGLE, {"contents": [{"parts": [{"text": "hi"}]}]}),
        (Dialect.GOOGLE, {"request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}}),
    ],
)
def test_the_first_user_text(dialect: Dialect, body: object) -> None:
    assert first_user_text(dialect, body) == "hi"
    assert conversation_id(dialect, body, "f") == "8f434346648f"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"messages": None},
        {"messages": "x"},
        {"messages": [1, {"role": "user"}, {"role": "user", "content": 1}]},
    ],
)
def test_without_text_the_flow_is_its_own_conversation(body: object) -> None:
    assert conversation_id(Dialect.OPENAI_RESPONSES, body, "f1") == conversation_id(None, {}, "f1")
    assert conversation_id(None, body, "f1") != conversation_id(None, body, "f2")


def test_a_lone_surrogate_is_text_too() -> None:
    assert len(conversation_id(Dialect.OPENAI, {"messages": [{"role": "user", "content": "\ud800"}]}, "f")) == 12
