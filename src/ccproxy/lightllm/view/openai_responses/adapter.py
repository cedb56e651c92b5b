"""An agent that answers the Responses API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic_ai.messages import ModelMessage

from ccproxy.lightllm.view.adapter import Body, WireAdapter
from ccproxy.lightllm.view.carry import Json
from ccproxy.lightllm.view.openai_responses import body as where
from ccproxy.lightllm.view.openai_responses import dump, load
from ccproxy.lightllm.view.openai_responses.stream import Writer
from ccproxy.lightllm.view.stream import AnswerStream


class ResponsesAdapter(WireAdapter):
    """OpenAI's newer format."""

    body: ClassVar[Body] = where

    @classmethod
    def load_messages(cls, messages: Sequence[Json]) -> list[ModelMessage]:
        """``input`` as pydantic-ai's messages."""
        return load.load_messages(messages)

    @classmethod
    def dump_messages(cls, messages: Sequence[ModelMessage]) -> list[Json]:
        """The counterpart."""
        return dump.dump_messages(messages)

    def build_event_stream(self) -> AnswerStream:
        """What writes the agent's events."""
        writer = Writer(self.model)
        return AnswerStream(self.run_input, self.accept, writer=writer)
