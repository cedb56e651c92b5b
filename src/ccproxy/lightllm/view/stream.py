"""An agent's run as an answer in a dialect: pydantic-ai's events in, the dialect's stream out.

Tools that the client brought are *external*: the agent does not run them, and the run ends with their calls
(``DeferredToolRequests``), which are written last. What the agent's own tools do is not part of the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, assert_never

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
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.failure import Failure
from ccproxy.lightllm.view.carry import Json

type Stop = Literal["stop", "tool_call"]


class Writer(Protocol):
    """What a dialect's ``stream.py`` offers. Each method gives bytes to send, in the order of the calls."""

    def start(self, answer_id: str) -> bytes: ...
    def text(self, text: str) -> bytes: ...
    def thinking(self, text: str) -> bytes: ...
    def signature(self, signature: str) -> bytes: ...
    def tool_call(self, part: ToolCallPart) -> bytes: ...
    def finish(self, stop: Stop, usage: Usage) -> bytes: ...
    def fail(self, failure: Failure) -> bytes: ...


@dataclass(kw_only=True)
class AnswerStream(UIEventStream[Json, bytes, Any, Any]):
    """Writes an agent's events with the dialect's writer."""

    writer: Writer = field()

    def encode_event(self, event: bytes) -> str:
        """An event is already what is sent."""
        return event.decode()

    async def before_stream(self) -> AsyncIterator[bytes]:
        if wire := self.writer.start(self.message_id):
            yield wire

    async def handle_text_start(self, part: TextPart, follows_text: bool = False) -> AsyncIterator[bytes]:
        if part.content:
            yield self.writer.text(part.content)

    async def handle_text_delta(self, delta: TextPartDelta) -> AsyncIterator[bytes]:
        if delta.content_delta:
            yield self.writer.text(delta.content_delta)

    async def handle_thinking_start(self, part: ThinkingPart, follows_thinking: bool = False) -> AsyncIterator[bytes]:
        if part.content:
            yield self.writer.thinking(part.content)

    async def handle_thinking_delta(self, delta: ThinkingPartDelta) -> AsyncIterator[bytes]:
        if delta.content_delta:
            yield self.writer.thinking(delta.content_delta)

    async def handle_thinking_end(self, part: ThinkingPart, followed_by_thinking: bool = False) -> AsyncIterator[bytes]:
        if part.signature and (wire := self.writer.signature(part.signature)):
            yield wire

    async def handle_run_result(self, event: AgentRunResultEvent[Any]) -> AsyncIterator[bytes]:
        output = event.result.output
        calls = output.calls if isinstance(output, DeferredToolRequests) else []
        for call in calls:
            yield self.writer.tool_call(call)
        spent = event.result.usage
        usage = Usage(spent.input_tokens, spent.output_tokens, spent.cache_read_tokens, spent.cache_write_tokens)
        yield self.writer.finish("tool_call" if calls else "stop", usage)

    async def on_error(self, error: Exception) -> AsyncIterator[bytes]:
        """The dialect's own error event; the stream is not complete."""
        failure = Failure.of(error) if isinstance(error, CcproxyError) else Failure(500, "internal", "the agent failed")
        yield self.writer.fail(failure)


def stop_word(stop: Stop, *, end: str, call: str) -> str:
    """The dialect's word for why the answer stopped."""
    match stop:
        case "stop":
            return end
        case "tool_call":
            return call
    assert_never(stop)
