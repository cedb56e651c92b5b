"""Events to the stream that a Gemini client reads, as server-sent events or, without ``alt=sse``, as a JSON array.

::

    data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"modelVersion":"m",…}

A chunk for each piece of text or thought; a call is told whole, at its end, in the order of the calls' beginnings. The
last chunk has finishReason and usageMetadata. Signs of life are not passed on: google-genai takes a comment line for
the beginning of an error document (3.4.0).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.answer import merged
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
)
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.google.answer_parts import (
    Part,
    answer,
    call_part,
    candidate,
    media_part,
    signed,
    text_part,
)
from ccproxy.lightllm.google.citations import Grounding
from ccproxy.lightllm.google.envelope import is_wrapped
from ccproxy.lightllm.google.errors import encode_stream_failure
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Cut, Failure

ARGUMENTS_LIMIT: Final = 8 << 20
"""Longest arguments of calls, in characters, that are held until they are whole."""
_CALL_SIZE: Final = 200
"""What a call without arguments counts."""
_TEXT_LIMIT: Final = 1 << 18
"""Characters of a text whose cited segments are told by their bytes."""


@dataclass(slots=True)
class _Block:
    kind: BlockKind
    name: str | None = None
    id: str | None = None
    custom: bool = False
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    whole: bool = False
    signature: str | None = None
    """Of a call."""
    citations: list[Citation] = field(default_factory=list)


class StreamWriter:
    """One stream."""

    __slots__ = (
        "_array",
        "_blocks",
        "_calls",
        "_grounding",
        "_head",
        "_held",
        "_id",
        "_model",
        "_over",
        "_plan",
        "_reason",
        "_spoke",
        "_started",
        "_tail",
        "_text_bytes",
        "_usage",
        "_wrapped",
    )

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._array = plan.array
        self._wrapped = is_wrapped(plan.asked)
        self._id: str | None = None
        self._model: str | None = None
        self._usage: Usage | None = None
        self._reason: Reason | None = None
        self._blocks: dict[int, _Block] = {}
        """Those that are open, and calls that wait for an earlier one."""
        self._calls: deque[int] = deque()
        """Calls that are not yet told, in order."""
        self._held = 0
        self._grounding = Grounding()
        self._text_bytes: int | None = 0
        """Of the text of blocks that are closed; None once a text was too long to be kept."""
        self._spoke = False
        self._started = False
        self._over = False
        self._head = self._tail = ""
        self._frame()

    def write(self, events: Sequence[Event]) -> bytes:
        """The bytes of the next events; empty if nothing is to be sent."""
        out: list[str] = []
        last = b""
        for event in events:
            if self._over:
                break
            try:
                if type(event) is BlockDelta:
                    self._delta(event.index, event.text, out)
                else:
                    last = self._take(event, out)
            except UpstreamError as error:
                last = self._fail(Failure.of(error))
        return "".join(out).encode("ascii") + last

    def _delta(self, index: int, text: str, out: list[str]) -> None:
        block = self._blocks[index]
        kind = block.kind
        if kind == "thinking":
            self._send(f'{self._head}{{"text":{encode_basestring_ascii(text)},"thought":true}}{self._tail}', out)
            return
        if kind == "call":
            self._hold(block, len(text))
            block.pieces.append(text)
            return
        block.size += len(text)
        if block.size <= _TEXT_LIMIT:
            block.pieces.append(text)
        self._send(f'{self._head}{{"text":{encode_basestring_ascii(text)}}}{self._tail}', out)

    def _hold(self, call: _Block, size: int) -> None:
        call.size += size
        self._held += size
        if self._held > ARGUMENTS_LIMIT:
            raise UpstreamError(f"the arguments of the model's calls are longer than {ARGUMENTS_LIMIT} characters")

    def _take(self, event: Event, out: list[str]) -> bytes:
        match event:
            case BlockStart():
                self._blocks[event.index] = _Block(event.kind, event.name, event.id, event.custom)
                if event.kind == "call":
                    self._calls.append(event.index)
                    self._hold(self._blocks[event.index], _CALL_SIZE)
            case BlockStop(index):
                self._stop(index, out)
            case BlockSignature(index, signature) if self._plan.signed:
                self._sign(self._blocks[index], signature, out)
            case BlockCitation(index, citation):
                self._blocks[index].citations.append(citation)
            case Media(_, mime, data):
                self._part(media_part(mime, data), out)
            case Begin():
                self._id, self._model = event.id, event.model
                self._frame()
            case Counts(usage):
                self._usage = usage if self._usage is None else merged(self._usage, usage)
            case Finish(reason):
                self._reason = reason
            case End():
                self._end(out)
            case Failed(failure):
                return self._fail(failure)
            case _:  # signatures of another provider, and signs of life
                pass
        return b""

    def _stop(self, index: int, out: list[str]) -> None:
        block = self._blocks[index]
        if block.kind != "call":
            del self._blocks[index]
            if block.kind == "text":
                self._cite(block)
            return
        block.whole = True
        while self._calls and self._blocks[self._calls[0]].whole:
            call = self._blocks.pop(self._calls.popleft())
            self._held -= call.size
            part = call_part(call.name, call.id, "".join(call.pieces), custom=call.custom)
            self._part(signed(part, call.signature), out)

    def _sign(self, block: _Block, signature: str, out: list[str]) -> None:
        if block.kind == "call":
            block.signature = signature
        else:
            self._part(signed(text_part("", thought=block.kind == "thinking"), signature), out)

    def _cite(self, block: _Block) -> None:
        if self._text_bytes is None or block.size > _TEXT_LIMIT:
            self._text_bytes = None
            return
        text = "".join(block.pieces)
        self._grounding.cite(text, block.citations, offset=self._text_bytes)
        self._text_bytes += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def _end(self, out: list[str]) -> None:
        self._over = True
        reason = self._reason or "stop"
        parts: list[Part] = [{"text": ""}] if self._spoke else []
        ends = candidate(parts, reason, self._grounding.metadata())
        document = answer(ends, self._usage, self._model, self._id, self._plan)
        self._send(_dumped({"response": document} if self._wrapped else document), out)
        if self._array:
            out.append("]")

    def _fail(self, failure: Failure) -> bytes:
        self._over = True
        return encode_stream_failure(failure, Cut(array=self._array, empty=not self._started))

    def _part(self, part: Part, out: list[str]) -> None:
        self._send(f"{self._head}{_dumped(part)}{self._tail}", out)

    def _send(self, chunk: str, out: list[str]) -> None:
        self._spoke = True
        if not self._array:
            out.append(f"data: {chunk}\n\n")
        else:
            out.append(",\r\n" if self._started else "[")
            out.append(chunk)
        self._started = True

    def _frame(self) -> None:
        """What stands before and behind a part."""
        named = {"modelVersion": self._model or self._plan.model, "responseId": self._id or self._plan.seed}
        self._head = ('{"response":' if self._wrapped else "") + '{"candidates":[{"content":{"parts":['
        self._tail = f'],"role":"model"}},"index":0}}],{_dumped(named)[1:]}' + ("}" if self._wrapped else "")


def _dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
