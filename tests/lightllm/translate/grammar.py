"""The order that ``events.py`` promises, as a checker: what every reader's output is held to.

``breaches`` says in words what is wrong with a sequence, nothing where all is well::

    Begin *( BlockStart *( BlockDelta / BlockSignature / BlockCitation ) BlockStop / Media / Counts / Ping )
        [ Finish ] *Counts ( End / Failed )

An answer that fails before it begins is ``Failed`` alone. A failure leaves blocks open; ``Finish`` does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import get_args

from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockKind,
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
from ccproxy.lightllm.finish import Reason

KINDS = frozenset(get_args(BlockKind.__value__))
REASONS = frozenset(get_args(Reason.__value__))
SIGNED = frozenset({"text", "thinking", "redacted", "call"})


@dataclass(slots=True)
class Block:
    kind: str
    text: int = 0
    signatures: int = 0


@dataclass(slots=True)
class Order:
    """How far a sequence has come."""

    begun: bool = False
    finished: bool = False
    over: bool = False
    calls: int = 0
    used: set[int] = field(default_factory=set)
    open: dict[int, Block] = field(default_factory=dict)

    def take(self, event: Event) -> Iterator[str]:
        """What is wrong with the next event."""
        if self.over:
            yield "something after End or Failed"
        if not self.begun and not isinstance(event, Begin | Failed):
            yield "something before Begin"
        if self.finished and not isinstance(event, Counts | End | Failed):
            yield "something but counts between Finish and End"
        match event:
            case Begin():
                if self.begun:
                    yield "a second Begin"
                self.begun = True
            case BlockStart():
                yield from self.start(event)
            case BlockDelta() | BlockSignature() | BlockCitation():
                yield from self.inside(event)
            case BlockStop(index):
                yield from self.stop(index)
            case Media(index, mime, data):
                if index in self.used:
                    yield f"index {index} is used twice"
                self.used.add(index)
                if not mime or not data:
                    yield "a file without type or data"
            case Finish(reason):
                yield from self.finish(reason)
            case End():
                self.over = True
                if self.open:
                    yield f"blocks {sorted(self.open)} are open at End"
            case Failed(failure):
                self.over = True
                if not failure.message or not 400 <= failure.status < 600:
                    yield f"a failure that says nothing: {failure}"
            case Counts(usage):
                values = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning)
                if any(value is not None and value < 0 for value in values):
                    yield f"negative counts: {usage}"
            case Ping():
                pass

    def start(self, event: BlockStart) -> Iterator[str]:
        if event.kind not in KINDS:
            yield f"kind {event.kind!r}"
        if event.index in self.used:
            yield f"index {event.index} is used twice"
        if (event.kind == "call") != bool(event.name):
            yield f"a block of kind {event.kind} with the name {event.name!r}"
        if event.id == "":
            yield "an empty id, which is none"
        self.calls += event.kind == "call"
        self.used.add(event.index)
        self.open[event.index] = Block(event.kind)

    def inside(self, event: BlockDelta | BlockSignature | BlockCitation) -> Iterator[str]:
        block = self.open.get(event.index)
        if block is None:
            yield f"{type(event).__name__} of block {event.index}, which is not open"
            return
        match event:
            case BlockDelta(_, text):
                block.text += len(text)
                if not text:
                    yield "an empty delta"
                if block.kind == "redacted":
                    yield "text of redacted thinking"
            case BlockSignature(_, signature):
                block.signatures += 1
                if not signature or block.kind not in SIGNED:
                    yield f"signature {signature!r} of a block of kind {block.kind}"
                if block.signatures > 1:
                    yield "a second signature of one block"
            case BlockCitation():
                if block.kind != "text":
                    yield f"a citation of a block of kind {block.kind}"

    def stop(self, index: int) -> Iterator[str]:
        block = self.open.pop(index, None)
        if block is None:
            yield f"BlockStop of block {index}, which is not open"
        elif block.kind == "redacted" and not block.signatures:
            yield "redacted thinking without its data"

    def finish(self, reason: str) -> Iterator[str]:
        if self.finished:
            yield "a second Finish"
        if reason not in REASONS:
            yield f"reason {reason!r}"
        if self.open:
            yield f"blocks {sorted(self.open)} are open at Finish"
        if reason == "tool" and not self.calls:
            yield "the model waits for tools that it did not call"
        if reason == "stop" and self.calls:
            yield "the model has called tools and is not said to wait for them"
        self.finished = True


def breaches(events: Iterable[Event], *, whole: bool = True) -> list[str]:
    """What is wrong with a reader's output. ``whole``: it is all of it, so the last event is End or Failed."""
    order = Order()
    found = [f"{number}: {breach}" for number, event in enumerate(events) for breach in order.take(event)]
    if whole and not order.over:
        found.append("neither End nor Failed")
    return found
