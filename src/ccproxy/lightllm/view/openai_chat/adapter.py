"""An agent that answers chat completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic_ai.messages import ModelMessage

from ccproxy.lightllm.view.adapter import Body, WireAdapter
from ccproxy.lightllm.view.carry import Json, json_object
from ccproxy.lightllm.view.openai_chat import body as where
from ccproxy.lightllm.view.openai_chat import dump, load
from ccproxy.lightllm.view.openai_chat.stream import Writer
from ccproxy.lightllm.view.stream import AnswerStream


class ChatAdapter(WireAdapter):
    """OpenAI's older format."""

    body: ClassVar[Body] = where

    @classmethod
    def load_messages(cls, messages: Sequence[Json]) -> list[ModelMessage]:
        """``messages`` as pydantic-ai's messages."""
        return load.load_messages(messages)

    @classmethod
    def dump_messages(cls, messages: Sequence[ModelMessage]) -> list[Json]:
        """The counterpart."""
        return dump.dump_messages(messages)

    def build_event_stream(self) -> AnswerStream:
        """What writes the agent's events."""
        writer = Writer(self.model, self._include_usage)
        return AnswerStream(self.run_input, self.accept, writer=writer)

    @property
    def _include_usage(self) -> bool:
        return json_object(self.run_input.get("stream_options")).get("include_usage") is True
