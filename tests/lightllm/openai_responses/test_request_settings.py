from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_responses.request_writer import write
from ccproxy.lightllm.prompt import (
    CustomTool,
    Effort,
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
from tests.lightllm.openai_responses.requests import (
    CHATGPT,
    HI,
    LS,
    OPENAI,
    SCHEMA,
    SQL,
    STRICT,
    body,
    given,
    said,
    sent,
)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (("auto",), "auto"),
        (("none",), "none"),
        (("any",), "required"),
        (("one", "ls"), {"type": "function", "name": "ls"}),
        (("one", "sql"), {"type": "custom", "name": "sql"}),
        (("one", "web_search"), {"type": "web_search"}),
        (("one", "gone"), None),
        (("some", "gone"), None),
        (
            ("some", "ls", "gone", "sql"),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "ls"}, {"type": "custom", "name": "sql"}],
            },
        ),
    ],
)
def test_tool_choice(choice: tuple[str, ...], expected: object) -> None:
    tools = (LS, SQL, ServerTool("web_search", Dialect.OPENAI_RESPONSES, {"type": "web_search"}))
    prompt = Prompt("m", (HI,), tools, ToolChoice(choice[0], choice[1:]), parallel_calls=False)  # type: ignore[arg-type]
    written = write(prompt, OPENAI)
    assert (written.get("tool_choice"), written["parallel_tool_calls"]) == (expected, False)
    assert {"tool_choice", "tools", "parallel_tool_calls"}.isdisjoint(write(replace(prompt, tools=()), OPENAI))


PLACE = {"type": "approximate", "city": "Basel"}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (
            Tool("ls"),
            {"type": "function", "name": "ls", "parameters": {"type": "object", "properties": {}}, "strict": False},
        ),
        (Tool("ls", None, SCHEMA, True), {"type": "function", "name": "ls", "parameters": STRICT, "strict": True}),
        # optional properties: it cannot be strict
        (
            Tool("ls", None, {"properties": {"a": {}}}, True),
            {
                "type": "function",
                "name": "ls",
                "parameters": {"type": "object", "properties": {"a": {}}},
                "strict": False,
            },
        ),
        (SQL, {"type": "custom", "name": "sql", "description": "query", "format": {"type": "text"}}),
        (
            ServerTool(
                "web_search",
                Dialect.ANTHROPIC,
                {"type": "web_search_20260209", "allowed_domains": ["a"], "user_location": PLACE},
            ),
            {"type": "web_search", "filters": {"allowed_domains": ["a"]}, "user_location": PLACE},
        ),
        (
            ServerTool(
                "web_search",
                Dialect.OPENAI,
                {
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", "approximate": {"city": "Basel"}},
                },
            ),
            {"type": "web_search", "search_context_size": "low", "user_location": PLACE},
        ),
        (ServerTool("web_search", Dialect.GOOGLE, {"googleSearch": {}}), {"type": "web_search"}),
        (ServerTool("code_execution", Dialect.GOOGLE, {}), {"type": "code_interpreter", "container": {"type": "auto"}}),
    ],
)
def test_tools(tool: Tool | CustomTool | ServerTool, expected: object) -> None:
    assert sent(tools=(tool,)) == {"tools": [expected]}


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        ("gpt-5.4", Reasoning(effort="xhigh", shown=True), {"effort": "xhigh", "summary": "auto"}),
        ("gpt-5.4", Reasoning(shown=True, detail="detailed"), {"summary": "detailed"}),
        ("gpt-5.4", Reasoning(enabled=True, budget=1024), {"effort": "low"}),
        ("gpt-5.4", Reasoning(enabled=True, budget=8000), {"effort": "medium"}),
        ("gpt-5.4", Reasoning(enabled=True, budget=31999), {"effort": "high"}),
        ("gpt-5.4", Reasoning(enabled=True, shown=True), {"effort": "medium", "summary": "auto"}),
        ("gpt-5.4", Reasoning(enabled=False, shown=True), {"effort": "none"}),
        ("gpt-5", Reasoning(enabled=False), {"effort": "minimal"}),
        ("gpt-5", Reasoning(effort="max"), {"effort": "high"}),
        ("gpt-5", Reasoning(enabled=True), None),
        ("o3", Reasoning(effort="minimal"), {"effort": "low"}),
        ("gpt-4.1", Reasoning(effort="high", shown=True), None),
        ("llama", Reasoning(effort="max"), {"effort": "max"}),
        ("llama", Reasoning(enabled=False, shown=True), None),
        ("llama", None, None),
    ],
)
def test_reasoning(model: str, reasoning: Reasoning | None, expected: object) -> None:
    assert sent(model=model, reasoning=reasoning).get("reasoning") == expected


@pytest.mark.parametrize(
    ("model", "effort", "sampled", "encrypted"),
    [
        ("gpt-4.1", None, True, False),
        ("gpt-5", None, False, True),
        ("gpt-5.4", None, True, True),
        ("gpt-5.4", "high", False, True),
        ("gpt-5.4", "none", True, True),
        ("o3", "low", False, True),
        ("llama", "high", True, True),
    ],
)
def test_what_models_refuse(model: str, effort: Effort | None, sampled: bool, encrypted: bool) -> None:
    reasoning = Reasoning(effort=effort) if effort else None
    written = body(Prompt(model, (HI,), reasoning=reasoning, sampling=Sampling(0.5, 0.9)))
    assert (written.get("temperature"), written.get("top_p")) == ((0.5, 0.9) if sampled else (None, None))
    assert ("include" in written) == encrypted


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"output": OutputFormat()}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"output": OutputFormat(SCHEMA), "knobs": (Knob("verbosity", "low"),)},
            {"text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}, "verbosity": "low"}},
        ),
        (
            {"output": OutputFormat(SCHEMA, "a b", "d", True)},
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "a_b",
                        "description": "d",
                        "schema": STRICT,
                        "strict": True,
                    }
                }
            },
        ),
        (
            {"output": OutputFormat({"type": "object", "properties": {"a": {}}}, "a", strict=True)},
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "a",
                        "schema": {"type": "object", "properties": {"a": {}}},
                        "strict": False,
                    }
                }
            },
        ),
        ({"max_tokens": 99}, {"max_output_tokens": 99}),
        ({"user": "u", "cache_key": "k"}, {"safety_identifier": "u", "prompt_cache_key": "k"}),
        ({"knobs": (Knob("service_tier", "flex"),)}, {"service_tier": "flex"}),
        ({"knobs": (Knob("service_tier", "standard_only"),)}, {"service_tier": "default"}),
        ({"knobs": (Knob("metadata", {"a": "b"}),)}, {"metadata": {"a": "b"}}),
    ],
)
def test_settings(settings: dict[str, Any], expected: object) -> None:
    assert sent(**settings) == expected


def test_long_names_are_hashed_the_same_each_time() -> None:
    first, second = (sent(user="u" * 65, cache_key="k" * 200) for _ in range(2))
    assert first == second
    assert [len(str(value)) for value in first.values()] == [64, 64]
    assert first["safety_identifier"] != sent(user="u" * 66)["safety_identifier"]


def test_json_is_asked_for_in_words() -> None:
    assert body(Prompt("m", (HI,), output=OutputFormat()))["input"][0] == said("developer", given("Answer in JSON."))
    asked = Turn("user", (Text("As json, please"),))
    assert len(body(Prompt("m", (asked,), output=OutputFormat()))["input"]) == 1


def test_what_the_client_wants_stored_is() -> None:
    assert body(Prompt("m", (HI,), knobs=(Knob("store", True),)))["store"] is True


def test_chatgpts_backend() -> None:
    settings: Any = {"max_tokens": 99, "user": "u", "cache_key": "k", "sampling": Sampling(0.5)}
    settings["knobs"] = (Knob("store", True), Knob("metadata", {"a": "b"}))
    assert write(Prompt("gpt-5.4", (HI,), **settings), CHATGPT) == {
        "model": "gpt-5.4",
        "instructions": "You are a helpful assistant.",
        "input": [said("user", given("hi"))],
        "prompt_cache_key": "k",
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "stream": True,
    }
    written = write(Prompt("gpt-5.4", (Turn("system", (Text("Be brief."),)), HI)), CHATGPT)
    assert written["instructions"] == "Be brief."
