"""Streams of the Messages API, written (Anthropic API reference, "Streaming messages"); for the grammar see
``stream_reader``.

Blocks come one after the other, numbered from 0. Where the source's overlap, one is open and the others are held until
it is closed. A text or a thought begins with its first words, so that none is empty; a call begins at once, with an
empty ``input_json_delta`` as in the API's own streams. ``message_start`` goes out at once, with zeros for counts, and
``message_delta`` has them all: clients take it for cumulative.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.answer import merged
from ccproxy.lightllm.anthropic.arguments import Arguments
from ccproxy.lightllm.anthropic.errors import encode_stream_failure
from ccproxy.lightllm.anthropic.response import message_id, stop_reason, write_citation
from ccproxy.lightllm.anthropic.usage import counts
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
    Ping,
)
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Cut, Failure

HELD_LIMIT: Final = 32 << 20
"""Most characters of blocks that are held."""
BLOCKS_LIMIT: Final = 1000
"""Most blocks that overlap."""
_CITATION_SIZE: Final = 1000
_PING: Final = 'event: ping\ndata: {"type": "ping"}\n\n'
_STOP: Final = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Block:
    __slots__ = ("arguments", "held", "prefix", "signature", "start", "stopped")

    def __init__(self, start: BlockStart) -> None:
        self.start = start
        self.prefix = ""
        """What stands before the text of a delta; empty as long as the block has not begun."""
        self.held: list[str | Citation] = []
        self.stopped = False
        self.signature: str | None = None
        """Of thoughts of the client's own provider."""
        self.arguments = Arguments(custom=start.custom) if start.kind == "call" else None


class StreamWriter:
    """Writes one stream; see ``codecs``."""

    __slots__ = (
        "_blocks",
        "_done",
        "_finish",
        "_held",
        "_kinds",
        "_next",
        "_open",
        "_out",
        "_plan",
        "_prefix",
        "_usage",
    )

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._out: list[str] = []
        self._done = False
        self._next = 0
        self._blocks: dict[int, _Block] = {}
        """Those that are not written whole, in the order of their beginning, by the source's numbers."""
        self._open: int | None = None
        """The one that is being written."""
        self._prefix = ""
        """What stands before its text as it comes; empty if that has to be made ready."""
        self._held = 0
        self._kinds: set[BlockKind] = set()
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    def write(self, events: Sequence[Event]) -> bytes:
        """The bytes of some more events."""
        for event in events:
            if type(event) is BlockDelta:
                if self._prefix and event.index == self._open:
                    self._out.append(f"{self._prefix}{quoted(event.text)}}}}}\n\n")
                else:
                    self._delta(event.index, event.text)
            elif not self._done:
                self._other(event)
        if not self._out:
            return b""
        written = "".join(self._out).encode("ascii")
        self._out.clear()
        return written

    def _other(self, event: Event) -> None:
        match event:
            case BlockStart():
                self._start(event)
            case BlockStop(index) if (block := self._blocks.get(index)) is not None:
                block.stopped = True
                self._go_on()
            case BlockCitation(index, citation) if (block := self._blocks.get(index)) is not None:
                self._add(index, block, citation)
            case BlockSignature(index, signature) if self._plan.signed and (block := self._blocks.get(index)):
                block.signature = signature if block.start.kind == "thinking" else None
            case Counts(usage):
                self._usage = usage if self._usage is None else merged(self._usage, usage)
            case Begin():
                self._start_message(event)
            case Ping():
                self._out.append(_PING)
            case Finish():
                self._finish = event
            case End():
                self._end()
            case Failed(failure):
                self._fail(failure)
            case _:  # signatures of another provider; for media there is no block
                pass

    def _start_message(self, begin: Begin) -> None:
        message: dict[str, object] = {
            "id": message_id(begin.id, self._plan),
            "type": "message",
            "role": "assistant",
            "model": begin.model or self._plan.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": counts(None),
        }
        self._send("message_start", {"type": "message_start", "message": message})

    def _start(self, start: BlockStart) -> None:
        if start.kind == "redacted":
            return
        self._kinds.add(start.kind)
        self._blocks[start.index] = _Block(start)
        self._go_on()
        if len(self._blocks) > BLOCKS_LIMIT:
            raise UpstreamError(f"the provider's answer has more than {BLOCKS_LIMIT} blocks that overlap")

    def _delta(self, index: int, text: str) -> None:
        if not self._done and (block := self._blocks.get(index)) is not None:
            self._add(index, block, text)

    def _add(self, index: int, block: _Block, piece: str | Citation) -> None:
        if index == self._open:
            self._piece(block, piece)
            return
        block.held.append(piece)
        self._held += _size(piece)
        if self._held > HELD_LIMIT:
            raise UpstreamError("the provider's answer has too much in blocks that overlap")

    def _go_on(self) -> None:
        """Write what can be written, now that a block has begun or is whole."""
        while self._blocks:
            if self._open is None:
                self._open = next(iter(self._blocks))
                block = self._blocks[self._open]
                if block.start.kind == "call":
                    self._begin_block(block)
                for piece in block.held:
                    self._held -= _size(piece)
                    self._piece(block, piece)
                block.held.clear()
            block = self._blocks[self._open]
            if not block.stopped:
                return
            self._stop_block(block)
            del self._blocks[self._open]
            self._open, self._prefix = None, ""

    def _piece(self, block: _Block, piece: str | Citation) -> None:
        if isinstance(piece, str):
            if not block.prefix:
                self._begin_block(block)
            text = piece if block.arguments is None else block.arguments.take(piece)
            if text:
                self._out.append(f"{block.prefix}{quoted(text)}}}}}\n\n")
        elif block.start.kind == "text" and (citation := write_citation(piece)) is not None:
            if not block.prefix:
                self._begin_block(block)
            self._send_delta({"type": "citations_delta", "citation": citation})

    def _begin_block(self, block: _Block) -> None:
        content: dict[str, object]
        match block.start.kind:
            case "call":
                content = {"type": "tool_use", "id": block.start.id, "name": block.start.name, "input": {}}
                delta = '"input_json_delta","partial_json"'
            case "thinking":
                content = {"type": "thinking", "thinking": "", "signature": ""}
                delta = '"thinking_delta","thinking"'
            case _:
                content = {"type": "text", "text": ""}
                delta = '"text_delta","text"'
        self._send(
            "content_block_start", {"type": "content_block_start", "index": self._next, "content_block": content}
        )
        block.prefix = (
            'event: content_block_delta\ndata: {"type":"content_block_delta","index":'
            f'{self._next},"delta":{{"type":{delta}:'
        )
        if block.arguments is None:
            self._prefix = block.prefix
        else:
            self._out.append(f"{block.prefix}{quoted(block.arguments.opening)}}}}}\n\n")

    def _stop_block(self, block: _Block) -> None:
        if not block.prefix and block.signature is not None:  # thoughts that are not told
            self._begin_block(block)
        if not block.prefix:
            return
        if block.arguments is not None and (rest := block.arguments.end()):
            self._out.append(f"{block.prefix}{quoted(rest)}}}}}\n\n")
        if block.start.kind == "thinking":
            self._send_delta({"type": "signature_delta", "signature": block.signature or FOREIGN})
        self._send("content_block_stop", {"type": "content_block_stop", "index": self._next})
        self._next += 1

    def _end(self) -> None:
        for block in self._blocks.values():
            block.stopped = True
        self._go_on()
        finish = self._finish
        reason, sequence = (finish.reason, finish.sequence) if finish is not None else (None, None)
        word, sequence = stop_reason(reason, sequence, self._kinds)
        delta = {"stop_reason": word, "stop_sequence": sequence}
        self._send("message_delta", {"type": "message_delta", "delta": delta, "usage": counts(self._usage)})
        self._out.append(_STOP)
        self._close()

    def _fail(self, failure: Failure) -> None:
        self._out.append(encode_stream_failure(failure, Cut()).decode("ascii"))
        self._close()

    def _close(self) -> None:
        self._done = True
        self._open, self._prefix = None, ""
        self._blocks.clear()

    def _send_delta(self, delta: dict[str, object]) -> None:
        self._send("content_block_delta", {"type": "content_block_delta", "index": self._next, "delta": delta})

    def _send(self, name: str, data: dict[str, object]) -> None:
        self._out.append(f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n")


def _size(piece: str | Citation) -> int:
    return len(piece) if isinstance(piece, str) else _CITATION_SIZE
