"""What echo answers: ``compose`` is the whole behaviour of the provider, in no wire format.

>>> compose(Ask(seed="s", model="m", said="hello there", texts=("hello there",))).text
'hello there'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ccproxy.echo.ask import Ask, Refusal, Tool
from ccproxy.echo.sample import arguments, sample
from ccproxy.echo.tokens import count, pieces
from ccproxy.echo.wire import canonical

_SLOW = re.compile(r"slow (\d+(?:\.\d+)?)\b\s*")
_ERROR = re.compile(r"error ([45]\d\d)\b")
_CALL = re.compile(r"call ((?:[\w.:-]+[,\s]*)+)")
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    text: str = ""
    thinking: str = ""
    calls: tuple[Call, ...] = ()
    stop: Literal["end", "tool", "length"] = "end"
    pause_s: float = 0.0
    """How long to wait before each event."""
    input_tokens: int = 0
    output_tokens: int = 0
    """Thinking included."""
    thinking_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def compose(ask: Ask) -> Reply | Refusal:
    """The answer to a request. Pure and deterministic."""
    said, pause_s = ask.said, 0.0
    if slow := _SLOW.match(said):
        said, pause_s = said[slow.end() :], min(float(slow[1]), _LONGEST_PAUSE_S)
    if not ask.results and (error := _ERROR.match(said)):
        return Refusal(int(error[1]), f"echo was asked for an error {error[1]}")
    thinking = f"The last message has {count(ask.said)} tokens. I say it back." if ask.thinking else ""
    if called := _called(ask, said):
        calls = tuple(Call(tool.name, arguments(tool.schema)) for tool in called)
        return _limited(ask, Reply(thinking=thinking, calls=calls, stop="tool", pause_s=pause_s))
    return _limited(ask, Reply(_text(ask), thinking, pause_s=pause_s))


def _called(ask: Ask, said: str) -> list[Tool]:
    offered = {tool.name: tool for tool in ask.tools}
    if ask.choice == "none" or not offered:
        return []
    if ask.forced is not None:
        return [offered[ask.forced]] if ask.forced in offered else []
    named = _CALL.match(said) if not ask.results else None
    wanted = [offered[name] for name in re.split(r"[,\s]+", named[1]) if name in offered] if named else []
    return wanted or ([ask.tools[0]] if ask.choice == "any" else [])


def _text(ask: Ask) -> str:
    if ask.results:
        text = "\n".join(f"{result.name} returned: {result.text}" for result in ask.results)
    else:
        text = ask.said or "(no text was said)"
    if ask.schema is not None:
        return canonical(sample(ask.schema))
    return canonical({"echo": text}) if ask.json else text


def _limited(ask: Ask, reply: Reply) -> Reply:
    """Cut to the request's limit and counted. A call that does not fit whole is left out."""
    left = ask.limit if ask.limit is not None else 1 << 62
    thinking, left = _cut(reply.thinking, left)
    text, left = _cut(reply.text, left)
    calls: list[Call] = []
    for call in reply.calls:
        left -= count(call.name, canonical(call.arguments))
        if left >= 0:
            calls.append(call)
    whole = (thinking, text, len(calls)) == (reply.thinking, reply.text, len(reply.calls))
    reasoning = count(thinking)
    spoken = count(text, *(part for call in calls for part in (call.name, canonical(call.arguments))))
    return replace(
        reply,
        thinking=thinking,
        text=text,
        calls=tuple(calls),
        stop=reply.stop if whole else "length",
        input_tokens=ask.input_tokens,
        output_tokens=reasoning + spoken,
        thinking_tokens=reasoning,
    )


def _cut(text: str, left: int) -> tuple[str, int]:
    tokens = pieces(text)
    return "".join(tokens[:left]) if left < len(tokens) else text, max(left - len(tokens), 0)
