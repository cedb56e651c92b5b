"""One answer through the translation, from a provider's bytes to a client's."""

from __future__ import annotations

from collections.abc import Iterable

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.translate import AnswerTranslator

NOW = 1_790_000_000

ASKED: dict[Dialect, dict[str, object]] = {
    Dialect.ANTHROPIC: {"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    Dialect.OPENAI: {"model": "asked", "messages": [{"role": "user", "content": "hi"}]},
    Dialect.OPENAI_RESPONSES: {"model": "asked", "input": "hi"},
    Dialect.GOOGLE: {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}


def plan(source: Dialect, target: Dialect, *, stream: bool = True, array: bool = False, usage: bool = True) -> Plan:
    """The plan of an exchange in which little was asked."""
    return Plan(
        client=target,
        flavour=FLAVOURS[source],
        provider="upstream",
        model="asked",
        stream=stream,
        seed="5eed",
        now=NOW,
        array=array,
        stream_usage=usage,
        asked=ASKED[target],
    )


def translated(exchange: Plan, chunks: Iterable[bytes], memory: Memory | None = None) -> bytes:
    """What the client gets of a whole answer."""
    translator = AnswerTranslator(exchange, Memory() if memory is None else memory)
    out = [sent for chunk in chunks for sent in translator.feed(chunk)]
    out += translator.end()
    assert b"" not in out, "an empty chunk, which ends an HTTP/1.1 body"
    return b"".join(out)


def buffered(exchange: Plan, chunks: Iterable[bytes]) -> dict[str, object] | None:
    """The same for a client that does not read events; None if the answer failed."""
    translator = AnswerTranslator(exchange, Memory())
    out = [sent for chunk in chunks for sent in translator.feed(chunk)] + translator.end()
    assert out == []
    return translator.document() if translator.complete else None
