"""A whole answer, folded from the events of one: what a buffered answer is written from.

>>> from ccproxy.lightllm.events import Begin, BlockDelta, BlockStart, BlockStop, End, Finish
>>> answer = fold([Begin("1", "m"), BlockStart(0, "text"), BlockDelta(0, "ok"), BlockStop(0), Finish("stop"), End()])
>>> answer.blocks[0].text, answer.reason
('ok', 'stop')
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockKind,
    BlockSignature,
    BlockStart,
    BlockStop,
    Citation,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Media,
    Ping,
)
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.status import Failure

SIZE_LIMIT: Final = 32 << 20
"""Most bytes, about, that are held of an answer."""
_OVERHEAD: Final = 60
"""Bytes that a piece of text takes beside its characters."""
_BLOCK_SIZE: Final = 1000
"""Bytes of a block, or a citation."""


@dataclass(slots=True)
class Block:
    """A block with all that has come for it."""

    index: int
    kind: BlockKind
    id: str | None = None
    name: str | None = None
    custom: bool = False
    pieces: list[str] = field(default_factory=list)
    signature: str | None = None
    citations: list[Citation] = field(default_factory=list)
    whole: bool = False

    @property
    def text(self) -> str:
        """The text, or a call's arguments, so far."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


@dataclass(slots=True)
class Answer:
    """What has come so far. Blocks are in the order of their beginning."""

    id: str | None = None
    model: str | None = None
    created_at: int | None = None
    blocks: list[Block | Media] = field(default_factory=list)
    reason: Reason | None = None
    sequence: str | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    complete: bool = False
    open: dict[int, Block] = field(default_factory=dict)
    size: int = 0
    """About the bytes that it takes."""

    def take(self, event: Event) -> None:
        """Add one event. Raises UpstreamError where the answer becomes too large to be held."""
        match event:
            case BlockDelta(index, text):
                self._grow(len(text) + _OVERHEAD)
                self.open[index].pieces.append(text)
            case BlockStart():
                self._grow(_BLOCK_SIZE)
                block = Block(event.index, event.kind, event.id, event.name, event.custom)
                self.open[event.index] = block
                self.blocks.append(block)
            case BlockStop(index):
                self.open.pop(index).whole = True
            case BlockSignature(index, signature):
                self._grow(len(signature))
                self.open[index].signature = signature
            case BlockCitation(index, citation):
                self._grow(_BLOCK_SIZE)
                self.open[index].citations.append(citation)
            case Media():
                self._grow(len(event.data) + _BLOCK_SIZE)
                self.blocks.append(event)
            case Begin():
                self.id, self.model, self.created_at = event.id, event.model, event.created_at
            case Counts(usage):
                self.usage = usage if self.usage is None else merged(self.usage, usage)
            case Finish(reason, sequence):
                self.reason, self.sequence = reason, sequence
            case End():
                self.complete = True
            case Failed(failure):
                self.failure = failure
            case Ping():
                pass

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > SIZE_LIMIT:
            raise UpstreamError(f"the provider's answer is larger than {SIZE_LIMIT} bytes")


def fold(events: Iterable[Event]) -> Answer:
    """The answer that a sequence of events amounts to."""
    answer = Answer()
    for event in events:
        answer.take(event)
    return answer


def merged(known: Usage, later: Usage) -> Usage:
    """Both; a number of the later one replaces, None does not."""
    values = {each.name: getattr(later, each.name) for each in fields(Usage)}
    return Usage(**{name: getattr(known, name) if value is None else value for name, value in values.items()})
