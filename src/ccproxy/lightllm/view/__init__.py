"""Requests as pydantic-ai objects, for hooks; read when a hook first asks, written back at the places it changed.

* **messages**: one ``ModelMessage`` for each message, item or content on the wire, in order, but for the system prompt
* **system**: a ``SystemPromptPart`` for each part of the system prompt, wherever the dialect keeps it
* **tools**: a ``ToolDefinition`` for each tool; one that is no function has the type as its name and no schema

What pydantic-ai cannot express (cache marks, unknown blocks and keys) lies in the objects' own dictionaries under
``"ccproxy"`` and comes back when they are written; see ``carry.py``. Objects may be changed in place, moved, copied,
dropped and made anew. Storing compares with a fresh reading of ``raw``: without a change the bytes are the same, and a
change of one message touches only the bytes of that message.

This package alone imports pydantic_ai, and only when one of these functions is called for the first time: that costs
0.6 s and 60 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ccproxy.lightllm.dialect import Dialect

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, SystemPromptPart
    from pydantic_ai.tools import ToolDefinition

    from ccproxy.lightllm.view.adapter import WireAdapter

type Json = dict[str, object]

__all__ = [
    "adapter",
    "load_messages",
    "load_system",
    "load_tools",
    "store_messages",
    "store_system",
    "store_tools",
]


def load_messages(dialect: Dialect, body: Json) -> list[ModelMessage]:
    """The conversation. What is no list of messages gives none."""
    return _body(dialect).load_messages(body)


def load_system(dialect: Dialect, body: Json) -> list[SystemPromptPart]:
    """The system prompt."""
    return _body(dialect).load_system(body)


def load_tools(dialect: Dialect, body: Json) -> list[ToolDefinition]:
    """The tools that the model may call."""
    return _body(dialect).load_tools(body)


def store_messages(dialect: Dialect, raw: bytes, messages: Sequence[ModelMessage]) -> bytes:
    """The body with these messages. Raises BadRequest for what the dialect cannot say, or if ``raw`` is no object."""
    return _body(dialect).store_messages(raw, messages)


def store_system(dialect: Dialect, raw: bytes, parts: Sequence[SystemPromptPart]) -> bytes:
    """The body with this system prompt; none removes it."""
    return _body(dialect).store_system(raw, parts)


def store_tools(dialect: Dialect, raw: bytes, tools: Sequence[ToolDefinition]) -> bytes:
    """The body with these tools."""
    return _body(dialect).store_tools(raw, tools)


def adapter(dialect: Dialect) -> type[WireAdapter]:
    """pydantic-ai's UIAdapter for the dialect."""
    from ccproxy.lightllm.view.anthropic.adapter import AnthropicAdapter  # noqa: PLC0415 (see above)
    from ccproxy.lightllm.view.google.adapter import GoogleAdapter  # noqa: PLC0415
    from ccproxy.lightllm.view.openai_chat.adapter import ChatAdapter  # noqa: PLC0415
    from ccproxy.lightllm.view.openai_responses.adapter import ResponsesAdapter  # noqa: PLC0415

    adapters: Mapping[Dialect, type[WireAdapter]] = {
        Dialect.ANTHROPIC: AnthropicAdapter,
        Dialect.OPENAI: ChatAdapter,
        Dialect.OPENAI_RESPONSES: ResponsesAdapter,
        Dialect.GOOGLE: GoogleAdapter,
    }
    return adapters[dialect]


class _Body(Protocol):
    """What a dialect's ``body.py`` offers."""

    def load_messages(self, body: Json, /) -> list[ModelMessage]: ...
    def load_system(self, body: Json, /) -> list[SystemPromptPart]: ...
    def load_tools(self, body: Json, /) -> list[ToolDefinition]: ...
    def store_messages(self, raw: bytes, messages: Sequence[ModelMessage], /) -> bytes: ...
    def store_system(self, raw: bytes, parts: Sequence[SystemPromptPart], /) -> bytes: ...
    def store_tools(self, raw: bytes, definitions: Sequence[ToolDefinition], /) -> bytes: ...


def _body(dialect: Dialect) -> _Body:
    from ccproxy.lightllm.view.anthropic import body as anthropic  # noqa: PLC0415 (see above)
    from ccproxy.lightllm.view.google import body as google  # noqa: PLC0415
    from ccproxy.lightllm.view.openai_chat import body as openai_chat  # noqa: PLC0415
    from ccproxy.lightllm.view.openai_responses import body as openai_responses  # noqa: PLC0415

    bodies: Mapping[Dialect, _Body] = {
        Dialect.ANTHROPIC: anthropic,
        Dialect.OPENAI: openai_chat,
        Dialect.OPENAI_RESPONSES: openai_responses,
        Dialect.GOOGLE: google,
    }
    return bodies[dialect]
