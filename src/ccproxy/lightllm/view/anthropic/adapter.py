"""An agent that answers the Messages API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic_ai.messages import ModelMessage

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.view.adapter import Body, WireAdapter
from ccproxy.lightllm.view.anthropic import body as where
from ccproxy.lightllm.view.anthropic import dump, load
from ccproxy.lightllm.view.carry import Json


class AnthropicAdapter(WireAdapter):
    """Anthropic's format."""

    dialect: ClassVar[Dialect] = Dialect.ANTHROPIC
    body: ClassVar[Body] = where

    @classmethod
    def load_messages(cls, messages: Sequence[Json]) -> list[ModelMessage]:
        """``messages`` as pydantic-ai's messages."""
        return load.load_messages(messages)

    @classmethod
    def dump_messages(cls, messages: Sequence[ModelMessage]) -> list[Json]:
        """The counterpart."""
        return dump.dump_messages(messages)
