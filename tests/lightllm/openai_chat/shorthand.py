"""Events as short words, and chunks as short calls, so that a case of a table is one line.

``+0 text`` begins a block, ``0 "hi"`` is a delta, ``-0`` ends it; ``+0 call ls #c1`` is a call with its name and id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ccproxy.lightllm import sse
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockSignature,
    BlockStart,
    BlockStop,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Media,
    Ping,
)
from ccproxy.lightllm.flavour import flavour_of
from ccproxy.lightllm.openai_chat.stream_reader import StreamReader
from ccproxy.lightllm.plan import Plan

DONE = "[DONE]"
COMPATIBLE = flavour_of("openai", "llm.example")
OPENAI = flavour_of("openai", "api.openai.com")
OPENROUTER = flavour_of("openrouter", "openrouter.ai")


def chunk(delta: object = None, finish: str | None = None, **more: object) -> dict[str, object]:
    """A chunk with one choice."""
    choice = {"index": 0, "delta": delta if delta is not None else {}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice], **more}


def call(arguments: object = None, name: object = None, id: object = None, index: object = None) -> dict[str, object]:
    """A delta with a piece of one call; what is None is not there."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry = {"index": index, "id": id, "function": function}
    return {"tool_calls": [{key: value for key, value in entry.items() if value is not None}]}


def feed(*chunks: object, end: bool = True) -> list[Event]:
    """All events of a stream; a chunk may also be raw text."""
    reader = StreamReader()
    events: list[Event] = []
    for each in chunks:
        data = each.encode() if isinstance(each, str) else json.dumps(each).encode()
        events += reader.feed(sse.Event("", data, b""))
    return events + (reader.end() if end else [])


def short(events: Iterable[Event]) -> list[str]:
    """Words for them."""
    return [_word(event) for event in events]


def _word(event: Event) -> str:
    match event:
        case Begin(own, model, created):
            return f"begin {own} {model} {created}"
        case BlockStart(index, kind, own, name, custom):
            own = f" #{own}" if own else ""
            return f"+{index} {kind}{' custom' if custom else ''}{f' {name}' if name else ''}{own}"
        case BlockDelta(index, text):
            return f"{index} {json.dumps(text)}"
        case BlockSignature(index, signature):
            return f"{index} signed {signature}"
        case BlockCitation(index, citation):
            return f"{index} cites {citation.url} {citation.title} {citation.start}-{citation.end}"
        case BlockStop(index):
            return f"-{index}"
        case Media(index, mime, data):
            return f"{index} {mime} {data}"
        case Counts(usage):
            return f"counts {usage.input} {usage.output} {usage.cache_read} {usage.cache_write} {usage.reasoning}"
        case Finish(reason, sequence):
            return f"finish {reason}{f' {sequence}' if sequence else ''}"
        case End():
            return "end"
        case Failed(failure):
            return f"failed {failure.status} {failure.kind}: {failure.message}"
        case Ping():
            return "ping"


def plan(**more: object) -> Plan:
    """An exchange of a Chat client with an Anthropic provider."""
    given: dict[str, object] = {"client": Dialect.OPENAI, "flavour": flavour_of("anthropic", "api.anthropic.com")}
    given |= {"provider": "p", "model": "asked", "stream": True, "seed": "seed", "now": 7}
    return Plan(**{**given, **more})  # type: ignore[arg-type]
