"""From a reply to what is sent: the encoders of ``lightllm`` write it in each wire format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ccproxy.echo.ask import Ask
from ccproxy.echo.reply import Reply
from ccproxy.echo.tokens import fragments
from ccproxy.echo.wire import CREATED, Body, canonical, ident, signature
from ccproxy.lightllm.answer import fold
from ccproxy.lightllm.codecs import RESPONSES, STREAM_WRITERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockDelta,
    BlockSignature,
    BlockStart,
    BlockStop,
    Counts,
    End,
    Event,
    Finish,
    Ping,
)
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.plan import Plan

_ANSWER_ID: Final = {
    Dialect.ANTHROPIC: "msg_",
    Dialect.OPENAI: "chatcmpl-",
    Dialect.OPENAI_RESPONSES: "resp_",
    Dialect.GOOGLE: "",
}
_CALL_ID: Final = {
    Dialect.ANTHROPIC: "toolu_",
    Dialect.OPENAI: "call_",
    Dialect.OPENAI_RESPONSES: "call_",
    Dialect.GOOGLE: "",
}
_REASON: Final[dict[str, Reason]] = {"end": "stop", "tool": "tool", "length": "length"}


def whole(dialect: Dialect, ask: Ask, reply: Reply) -> Body:
    """The whole answer as one body."""
    return RESPONSES[dialect].write(fold(events(dialect, ask, reply)), _plan(dialect, ask))


def chunks(dialect: Dialect, ask: Ask, reply: Reply, *, array: bool = False) -> Iterator[bytes]:
    """The answer as a stream, one event each. ``array``: as elements of a JSON array (Gemini)."""
    writer = STREAM_WRITERS[dialect](_plan(dialect, ask, array=array))
    for event in events(dialect, ask, reply):
        written = writer.write([event])
        if array and written:
            yield written
        elif written:
            yield from (each + b"\n\n" for each in written.removesuffix(b"\n\n").split(b"\n\n"))


def events(dialect: Dialect, ask: Ask, reply: Reply) -> Iterator[Event]:
    """The answer in no wire format; only ids, pings and the place of a signature are the dialect's."""
    yield Begin(ident(_ANSWER_ID[dialect], ask.seed), ask.model, CREATED)
    signed = 1 if dialect is Dialect.GOOGLE else 0  # Gemini signs what comes after the thought
    for start, text in _blocks(dialect, ask, reply):
        yield start
        for number, part in enumerate(fragments(text)):
            yield BlockDelta(start.index, part)
            if dialect is Dialect.ANTHROPIC and start.index == number == 0:
                yield Ping()
        if reply.thinking and ask.sealed and start.index == signed:
            yield BlockSignature(start.index, signature(ask.seed, reply.thinking))
        yield BlockStop(start.index)
    yield Finish(_REASON[reply.stop])
    yield Counts(Usage(reply.input_tokens, reply.output_tokens, 0, 0, reply.thinking_tokens))
    yield End()


def _blocks(dialect: Dialect, ask: Ask, reply: Reply) -> Iterator[tuple[BlockStart, str]]:
    """Each block with its text."""
    index = 0
    if reply.thinking:
        yield BlockStart(index, "thinking"), "" if ask.quiet else reply.thinking
        index += 1
    if reply.text:
        yield BlockStart(index, "text"), reply.text
        index += 1
    for number, call in enumerate(reply.calls):
        call_id = ident(_CALL_ID[dialect], ask.seed, str(number))
        yield BlockStart(index + number, "call", call_id, call.name), canonical(call.arguments)


def _plan(dialect: Dialect, ask: Ask, *, array: bool = False) -> Plan:
    return Plan(
        client=dialect,
        flavour=FLAVOURS[dialect],
        provider="echo",
        model=ask.model,
        stream=ask.stream,
        seed=ask.seed[:24],
        now=CREATED,
        array=array,
        stream_usage=ask.with_usage,
        signed=True,
        asked=ask.body,
    )
