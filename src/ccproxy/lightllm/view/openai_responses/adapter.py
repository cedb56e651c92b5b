"""An agent that answers the Responses API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic_ai.messages import ModelMessage

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.view.adapter import Body, WireAdapter
from ccproxy.lightllm.view.carry import Json
from ccproxy.lightllm.view.openai_responses import body as where
from ccproxy.lightllm.view.openai_responses import dump, load


class ResponsesAdapter(WireAdapter):
    """OpenAI's newer format."""

    dialect: ClassVar[Dialect] = Dialect.OPENAI_RESPONSES
    body: ClassVar[Body] = where

    @classmethod
    def load_messages(cls, messages: Sequence[Json]) -> list[ModelMessage]:
        """``input`` as pydantic-ai's messages."""
        return load.load_messages(messages)

    @classmethod
    def dump_messages(cls, messages: Sequence[ModelMessage]) -> list[Json]:
        """The counterpart."""
        return dump.dump_messages(messages)
