"""An agent that answers the Gemini API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic_ai.messages import ModelMessage

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.view.adapter import Body, WireAdapter
from ccproxy.lightllm.view.carry import Json
from ccproxy.lightllm.view.google import body as where
from ccproxy.lightllm.view.google import dump, load


class GoogleAdapter(WireAdapter):
    """Gemini's format. Its body does not name the model: the path does."""

    dialect: ClassVar[Dialect] = Dialect.GOOGLE
    body: ClassVar[Body] = where

    @classmethod
    def load_messages(cls, messages: Sequence[Json]) -> list[ModelMessage]:
        """``contents`` as pydantic-ai's messages."""
        return load.load_messages(messages)

    @classmethod
    def dump_messages(cls, messages: Sequence[ModelMessage]) -> list[Json]:
        """The counterpart."""
        return dump.dump_messages(messages)
