"""The behaviour, in no wire format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ccproxy.echo.ask import Ask, Refusal, Result, Tool
from ccproxy.echo.reply import Call, Reply, compose
from ccproxy.echo.tokens import count

WEATHER = Tool("weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CLOCK = Tool("clock", {})
CALLED = Call("weather", {"city": "city"})


def ask(said: str, **fields: object) -> Ask:
    return replace(Ask(seed="s", model="m", said=said, texts=(said,)), **fields)


def reply(said: str, **fields: object) -> Reply:
    found = compose(ask(said, **fields))
    assert isinstance(found, Reply)
    return found


def test_says_it_back_and_counts() -> None:
    found = reply("say pong")
    assert (found.text, found.stop) == ("say pong", "end")
    assert (found.input_tokens, found.output_tokens, found.thinking_tokens) == (2, 2, 0)


@pytest.mark.parametrize(
    ("said", "fields", "calls"),
    [
        ("call weather", {}, ("weather",)),
        ("call weather, clock", {}, ("weather", "clock")),
        ("slow 0 call clock", {}, ("clock",)),
        ("call nothing", {}, ()),
        ("please call weather", {}, ()),
        ("call weather", {"choice": "none"}, ()),
        ("hello", {"choice": "any"}, ("weather",)),
        ("hello", {"choice": "any", "forced": "clock"}, ("clock",)),
        ("call weather", {"results": (Result("weather", "rain"),)}, ()),
    ],
)
def test_tool_calls(said: str, fields: dict[str, object], calls: tuple[str, ...]) -> None:
    found = reply(said, tools=(WEATHER, CLOCK), **fields)
    assert tuple(call.name for call in found.calls) == calls
    assert found.stop == ("tool" if calls else "end")


def test_arguments_come_from_the_schema() -> None:
    assert reply("call weather", tools=(WEATHER,)).calls == (CALLED,)


def test_says_what_the_tool_returned() -> None:
    found = reply("call weather", tools=(WEATHER,), results=(Result("weather", "rain"), Result("clock", "noon")))
    assert found.text == "weather returned: rain\nclock returned: noon"


@pytest.mark.parametrize("said", ["error 429", "error 529 please", "slow 1 error 503"])
def test_errors(said: str) -> None:
    found = compose(ask(said))
    assert isinstance(found, Refusal)
    assert str(found.status) in said
    assert found.retry_after_s == 1


@pytest.mark.parametrize("said", ["error 200", "error 4290", "an error 429", "error"])
def test_what_is_no_command_is_said_back(said: str) -> None:
    assert reply(said).text == said


def test_an_error_is_answered_once() -> None:
    assert reply("error 500", results=(Result("weather", "rain"),)).text == "weather returned: rain"


def test_pace() -> None:
    assert reply("slow 0.25 hello").pause_s == 0.25
    assert reply("slow 900").pause_s == 60


def test_thinking_is_output() -> None:
    found = reply("say pong", thinking=True)
    assert found.thinking
    assert found.output_tokens == count(found.thinking) + count("say pong")
    assert found.thinking_tokens == count(found.thinking)


def test_structured_output() -> None:
    assert reply("hello", json=True, schema=WEATHER.schema).text == '{"city":"city"}'
    assert reply("hello", json=True).text == '{"echo":"hello"}'


@pytest.mark.parametrize(
    ("limit", "text", "stop"), [(1, "say", "length"), (2, "say pong", "end"), (3, "say pong", "end")]
)
def test_the_limit_cuts_text(limit: int, text: str, stop: str) -> None:
    found = reply("say pong", limit=limit)
    assert (found.text, found.stop, found.output_tokens) == (text, stop, count(text))


def test_the_limit_leaves_out_a_call_that_does_not_fit() -> None:
    found = reply("call weather", tools=(WEATHER,), limit=2)
    assert (found.calls, found.stop, found.output_tokens) == ((), "length", 0)


def test_tools_count_as_input() -> None:
    assert reply("hello", tools=(WEATHER,)).input_tokens == count("hello", WEATHER.text)
