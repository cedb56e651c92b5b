"""An agent's run as an answer in a dialect: pydantic-ai's events in, the dialect's stream out.

Tools that the client brought are *external*: the agent does not run them, and the run ends with their calls
(``DeferredToolRequests``), which are written last. What the agent's own tools do is not part of the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic_ai import AgentRunResultEvent, DeferredToolRequests
from pydantic_ai.messages import (
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from pydantic_ai.ui import UIEventStream

from ccproxy.errors import CcproxyError
from ccproxy.lightllm.codecs import STREAM_WRITERS, StreamWriter
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
    Failed,
    Finish,
)
from ccproxy.lightllm.failure import Failure
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.view.carry import Json, arguments_text, json_object

type _Said = Literal["text", "thinking"]


@dataclass(kw_only=True)
class AnswerStream(UIEventStream[Json, bytes, Any, Any]):
    """Writes an agent's events with the dialect's writer. At most one block is open at a time."""

    dialect: Dialect
    model: str
    index: int = field(default=-1, init=False)
    """Of the last block that was begun."""
    open: _Said | None = field(default=None, init=False)
    """What that block is, if it has not ended."""

    @cached_property
    def writer(self) -> StreamWriter:
        """The dialect's."""
        body = self.run_input or {}
        options = json_object(body.get("stream_options"))
        plan = Plan(
            client=self.dialect,
            flavour=FLAVOURS[self.dialect],
            provider="agent",
            model=self.model,
            stream=True,
            seed=self.message_id.replace("-", ""),
            now=0,
            stream_usage=options.get("include_usage") is True,
            signed=True,
            asked=body,
        )
        return STREAM_WRITERS[self.dialect](plan)

    def encode_event(self, event: bytes) -> str:
        """An event is already what is sent."""
        return event.decode()

    async def before_stream(self) -> AsyncIterator[bytes]:
        for wire in self._written(Begin(model=self.model)):
            yield wire

    async def handle_text_start(self, part: TextPart, follows_text: bool = False) -> AsyncIterator[bytes]:
        for wire in self._said("text", part.content):
            yield wire

    async def handle_text_delta(self, delta: TextPartDelta) -> AsyncIterator[bytes]:
        for wire in self._said("text", delta.content_delta):
            yield wire

    async def handle_thinking_start(self, part: ThinkingPart, follows_thinking: bool = False) -> AsyncIterator[bytes]:
        for wire in self._said("thinking", part.content):
            yield wire

    async def handle_thinking_delta(self, delta: ThinkingPartDelta) -> AsyncIterator[bytes]:
        for wire in self._said("thinking", delta.content_delta or ""):
            yield wire

    async def handle_thinking_end(self, part: ThinkingPart, followed_by_thinking: bool = False) -> AsyncIterator[bytes]:
        if part.signature:
            events = [*self._begun("thinking"), BlockSignature(self.index, part.signature), *self._ended()]
            for wire in self._written(*events):
                yield wire

    async def handle_run_result(self, event: AgentRunResultEvent[Any]) -> AsyncIterator[bytes]:
        output = event.result.output
        calls = output.calls if isinstance(output, DeferredToolRequests) else []
        events = [*self._ended(), *(each for call in calls for each in self._called(call))]
        spent = event.result.usage
        usage = Usage(spent.input_tokens, spent.output_tokens, spent.cache_read_tokens, spent.cache_write_tokens)
        for wire in self._written(*events, Finish("tool" if calls else "stop"), Counts(usage), End()):
            yield wire

    async def on_error(self, error: Exception) -> AsyncIterator[bytes]:
        """The dialect's own error event; the stream is not complete."""
        failure = Failure.of(error) if isinstance(error, CcproxyError) else Failure(500, "internal", "the agent failed")
        for wire in self._written(Failed(failure)):
            yield wire

    def _written(self, *events: Event) -> Iterator[bytes]:
        if wire := self.writer.write(events):
            yield wire

    def _said(self, kind: _Said, text: str) -> Iterator[bytes]:
        if text:
            yield from self._written(*self._begun(kind), BlockDelta(self.index, text))

    def _begun(self, kind: _Said) -> list[Event]:
        """What makes the open block one of that kind."""
        if self.open == kind:
            return []
        ended = self._ended()
        self.index += 1
        self.open = kind
        return [*ended, BlockStart(self.index, kind)]

    def _ended(self) -> list[Event]:
        if self.open is None:
            return []
        self.open = None
        return [BlockStop(self.index)]

    def _called(self, call: ToolCallPart) -> list[Event]:
        self.index += 1
        arguments = arguments_text(call)
        return [
            BlockStart(self.index, "call", call.tool_call_id, call.tool_name),
            *([BlockDelta(self.index, arguments)] if arguments else []),
            BlockStop(self.index),
        ]
