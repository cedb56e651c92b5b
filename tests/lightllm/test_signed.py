"""A provider that is the client's own shows its signatures; another one's are never seen."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ccproxy.lightllm.answer import Block, fold
from ccproxy.lightllm.codecs import RESPONSES, STREAM_READERS, STREAM_WRITERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockDelta,
    BlockKind,
    BlockSignature,
    BlockStart,
    BlockStop,
    Counts,
    End,
    Event,
    Finish,
)
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.sse import SseParser

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE
type Seen = tuple[str, str, str | None]
"""Kind, text and signature of a block."""
SIGNATURE = "c2lnbmVk"


def answer(kind: BlockKind, text: str, signature: str | None = SIGNATURE) -> Iterator[Event]:
    """A block that is signed, and a text."""
    yield Begin("1", "m", 1)
    yield BlockStart(0, kind, "call_1" if kind == "call" else None, "f" if kind == "call" else None)
    if text:
        yield BlockDelta(0, text)
    if signature:
        yield BlockSignature(0, signature)
    yield BlockStop(0)
    yield BlockStart(1, "text")
    yield BlockDelta(1, "said")
    yield BlockStop(1)
    yield Counts(Usage(1, 2))
    yield Finish("tool" if kind == "call" else "stop")
    yield End()


def shown(dialect: Dialect, events: Iterator[Event], *, signed: bool, stream: bool) -> list[Seen]:
    """The blocks as the client's format tells them."""
    plan = Plan(dialect, FLAVOURS[dialect], "own", "m", stream, "5eed", 1, signed=signed)
    found: list[Event] = []
    if stream:
        reader = STREAM_READERS[dialect]()
        writer = STREAM_WRITERS[dialect](plan)
        for event in SseParser().feed(b"".join(writer.write([event]) for event in events)):
            found += reader.feed(event)
        found += reader.end()
    else:
        found = RESPONSES[dialect].read(json.loads(json.dumps(RESPONSES[dialect].write(fold(events), plan))))
    read = fold(found)
    assert read.complete
    return [(block.kind, block.text, block.signature) for block in read.blocks if isinstance(block, Block)]


SAID = ("text", "said", None)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("dialect", "kind", "text", "own", "foreign"),
    [
        (A, "thinking", "hm", [("thinking", "hm", SIGNATURE), SAID], [("thinking", "hm", FOREIGN), SAID]),
        (A, "thinking", "", [("thinking", "", SIGNATURE), SAID], [SAID]),
        (A, "call", "{}", [("call", "{}", None), SAID], [("call", "{}", None), SAID]),
        (C, "thinking", "hm", [("thinking", "hm", None), SAID], [("thinking", "hm", None), SAID]),
        (R, "thinking", "hm", [("thinking", "hm", SIGNATURE), SAID], [("thinking", "hm", FOREIGN), SAID]),
        (R, "thinking", "", [("redacted", "", SIGNATURE), SAID], [SAID]),
        (G, "thinking", "hm", [("thinking", "hm", SIGNATURE), SAID], [("thinking", "hm", None), SAID]),
        (G, "call", "{}", [("call", "{}", SIGNATURE), SAID], [("call", "{}", None), SAID]),
    ],
)
def test_signatures(
    dialect: Dialect,
    kind: BlockKind,
    text: str,
    own: list[Seen],
    foreign: list[Seen],
    stream: bool,
) -> None:
    assert shown(dialect, answer(kind, text), signed=True, stream=stream) == own
    assert shown(dialect, answer(kind, text), signed=False, stream=stream) == foreign


@pytest.mark.parametrize("stream", [True, False])
def test_responses_tells_of_thoughts_without_summary_or_signature(stream: bool) -> None:
    plan = Plan(R, FLAVOURS[R], "own", "m", stream, "5eed", 1, signed=True)
    events = list(answer("thinking", "", None))
    told = (
        STREAM_WRITERS[R](plan).write(events) if stream else json.dumps(RESPONSES[R].write(fold(events), plan)).encode()
    )
    assert b'"reasoning"' in told
    assert b"encrypted_content" not in told


@pytest.mark.parametrize("stream", [True, False])
def test_google_signs_texts(stream: bool) -> None:
    assert shown(G, answer("text", "a"), signed=True, stream=stream)[0][2] == SIGNATURE
