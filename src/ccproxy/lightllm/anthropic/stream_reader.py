"""Streams of the Messages API, read (Anthropic API reference, "Streaming messages").

::

    stream = message_start *( block / ping / other ) 1*message_delta message_stop
    block  = content_block_start *content_block_delta content_block_stop

``error`` may come anywhere and ends it. Counts are cumulative: what ``message_delta`` does not name is as
``message_start`` said. Events and blocks of unknown types are passed over, as the reference demands of clients; blocks
are numbered anew, so that those of Anthropic's own tools leave no gap. A ``message_start`` may hold whole blocks, where
an answer goes on with calls that code in a container makes (seen 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from pydantic_core import from_json

from ccproxy.lightllm import sse
from ccproxy.lightllm.anthropic.response import (
    block_kind,
    broken,
    provider_failure,
    read_block,
    read_citation,
    read_reason,
)
from ccproxy.lightllm.anthropic.usage import normalise
from ccproxy.lightllm.ending import mapping, word
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockKind,
    BlockSignature,
    BlockStop,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Ping,
)

OPEN_LIMIT: Final = 1000
"""Most blocks that may be open at once; the service has one."""
_COUNTED: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens_details",
)


class _Open:
    """A block that has begun."""

    __slots__ = ("arguments", "index", "kind", "signature")

    def __init__(self, index: int, kind: BlockKind | None) -> None:
        self.index = index
        self.kind = kind
        """None: of a type that is passed over."""
        self.arguments = ""
        """Those that came with the call's start; any that follow take their place."""
        self.signature = ""


class StreamReader:
    """Reads one stream; see ``codecs``."""

    __slots__ = ("_begun", "_called", "_counts", "_done", "_finished", "_next", "_open", "_reason")

    def __init__(self) -> None:
        self._begun = False
        self._finished = False
        self._done = False
        self._called = False
        self._next = 0
        self._open: dict[int, _Open] = {}
        """By the stream's own numbers."""
        self._counts: dict[str, object] = {}
        self._reason: str | None = None
        """A stop reason that ``message_start`` had."""

    def feed(self, event: sse.Event) -> list[Event]:
        """The events that one server-sent event amounts to."""
        if self._done:
            return []
        try:
            document = from_json(event.data)
        except ValueError:
            document = _lenient(event.data)
        if type(document) is not dict:
            return [] if event.data.strip() == b"[DONE]" else self._fail("sent an event that is no JSON object")
        kind = document.get("type")
        if kind == "content_block_delta":
            return self._delta(document)
        if kind == "error" or event.event == "error" or (kind is None and "error" in document):
            self._done = True
            return [Failed(provider_failure(event.data))]
        return self._other(kind, document)

    def end(self) -> list[Event]:
        """Nothing: an answer is complete by ``message_stop`` only."""
        return []

    def _other(self, kind: object, document: Mapping[str, object]) -> list[Event]:
        events: list[Event] = []
        match kind:
            case "content_block_start":
                events = self._start(document)
            case "content_block_stop":
                if (block := self._open.pop(_number(document), None)) is not None:
                    events = self._stopped(block)
            case "ping":
                events = [Ping()] if self._begun and not self._finished else []
            case "message_start":
                events = self._message(mapping(document.get("message")))
            case "message_delta":
                events = self._ending(document)
            case "message_stop":
                self._done = True
                events = [*self._begin(), *self._finish(self._reason, None), End()]
            case _:
                pass
        return events

    def _begin(self, message: Mapping[str, object] | None = None) -> list[Event]:
        if self._begun:
            return []
        self._begun = True
        message = message or {}
        return [Begin(word(message.get("id")), word(message.get("model")))]

    def _message(self, message: Mapping[str, object]) -> list[Event]:
        if self._begun:
            return []
        events = self._begin(message)
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            if found := read_block(mapping(block), self._next):
                events += found
                self._called = self._called or block_kind(mapping(block)) == "call"
                self._next += 1
        self._reason = word(message.get("stop_reason"))
        return events + self._count(message.get("usage"))

    def _start(self, document: Mapping[str, object]) -> list[Event]:
        number, block = _number(document), mapping(document.get("content_block"))
        if number < 0:
            return self._fail("began a block without a number")
        if len(self._open) >= OPEN_LIMIT:
            return self._fail(f"has {OPEN_LIMIT} blocks open at once")
        if self._finished:
            return []
        events = self._begin()
        if (left := self._open.pop(number, None)) is not None:
            events += self._stopped(left)
        kind = block_kind(block)
        if kind is None and block.get("type") == "tool_use":
            return [*events, *self._fail("called a tool without a name")]
        opened = self._open[number] = _Open(self._next, kind)
        if kind is None:
            return events
        self._next += 1
        self._called = self._called or kind == "call"
        for event in read_block(block, opened.index)[:-1]:  # what it holds at its start; its end is to come
            match event:
                case BlockSignature(_, signature):
                    opened.signature = signature
                case BlockDelta(_, text) if kind == "call":
                    opened.arguments = text if text != "{}" else ""
                case _:
                    events.append(event)
        return events

    def _delta(self, document: Mapping[str, object]) -> list[Event]:
        delta = document.get("delta")
        number = document.get("index")
        block = self._open.get(number) if type(number) is int else None
        if block is None or type(delta) is not dict:
            return [] if self._finished else self._fail("sent a part of a block that has not begun")
        kind = delta.get("type")
        if kind == "text_delta":
            text = delta.get("text") if block.kind == "text" else None
        elif kind == "input_json_delta":
            text = delta.get("partial_json") if block.kind == "call" else None
            if text:
                block.arguments = ""
        elif kind == "thinking_delta":
            text = delta.get("thinking") if block.kind == "thinking" else None
        else:
            return self._mark(block, kind, delta)
        if not text:
            return []
        if type(text) is not str:
            return self._fail("sent a text that is none")
        return [BlockDelta(block.index, text)]

    def _mark(self, block: _Open, kind: object, delta: Mapping[str, object]) -> list[Event]:
        if kind == "signature_delta" and block.kind == "thinking":
            signature = delta.get("signature")
            block.signature = signature if isinstance(signature, str) else ""
            return []
        if kind == "citations_delta" and block.kind == "text":
            return [BlockCitation(block.index, read_citation(mapping(delta.get("citation"))))]
        return []

    def _stopped(self, block: _Open) -> list[Event]:
        if block.kind is None:
            return []
        events: list[Event] = [BlockDelta(block.index, block.arguments)] if block.arguments else []
        if block.signature:
            events.append(BlockSignature(block.index, block.signature))
        return [*events, BlockStop(block.index)]

    def _ending(self, document: Mapping[str, object]) -> list[Event]:
        delta = mapping(document.get("delta"))
        return [
            *self._begin(),
            *self._count(document.get("usage")),
            *self._finish(word(delta.get("stop_reason")), word(delta.get("stop_sequence"))),
        ]

    def _finish(self, reason: str | None, sequence: str | None) -> list[Event]:
        if self._finished or (reason is None and not self._done):
            return []
        self._finished = True
        events = [event for block in self._open.values() for event in self._stopped(block)]
        self._open.clear()
        if reason is not None:
            events.append(Finish(read_reason(reason, called=self._called), sequence))
        return events

    def _count(self, usage: object) -> list[Event]:
        told = mapping(usage)
        self._counts |= {key: told[key] for key in _COUNTED if told.get(key) is not None}
        counted = normalise(self._counts)
        return [Counts(counted)] if counted is not None else []

    def _fail(self, message: str) -> list[Event]:
        self._done = True
        return [Failed(broken(f"the provider {message}"))]


def _lenient(data: bytes) -> object:
    """As Python's own parser reads it: halves of surrogate pairs are text to it."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _number(document: Mapping[str, object]) -> int:
    """The number of a block, or -1."""
    number = document.get("index")
    return number if type(number) is int else -1
