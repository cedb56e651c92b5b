"""pydantic-ai's UIAdapter for a wire format: run an agent where a client expects a provider.

::

    adapter = AnthropicAdapter(agent, AnthropicAdapter.build_run_input(body), manage_system_prompt="client")
    async for chunk in adapter.encode_stream(adapter.run_stream()): ...

The class methods ``build_run_input``, ``load_messages`` and ``dump_messages`` need no agent.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Protocol

from pydantic_ai.messages import ModelMessage, ModelRequest, SystemPromptPart
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset
from pydantic_ai.ui import UIAdapter

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.view.carry import Json, block
from ccproxy.lightllm.view.store import read
from ccproxy.lightllm.view.stream import AnswerStream


class Body(Protocol):
    """Where the view's parts are in a request of the dialect: its ``body.py``."""

    def load_messages(self, body: Json, /) -> list[ModelMessage]: ...
    def load_system(self, body: Json, /) -> list[SystemPromptPart]: ...
    def load_tools(self, body: Json, /) -> list[ToolDefinition]: ...


class WireAdapter(UIAdapter[Json, Json, bytes, Any, Any]):
    """What the adapters of all dialects have in common. The run input is the request's body."""

    dialect: ClassVar[Dialect]
    body: ClassVar[Body]
    """The dialect's."""

    @classmethod
    def build_run_input(cls, body: bytes) -> Json:
        """The parsed body. Raises BadRequest for anything but a JSON object."""
        return read(body)

    @cached_property
    def messages(self) -> list[ModelMessage]:
        """The system prompt and the conversation."""
        system = self.body.load_system(self.run_input)
        first: list[ModelMessage] = [ModelRequest(list(system))] if system else []
        return [*first, *self.body.load_messages(self.run_input)]

    @cached_property
    def toolset(self) -> AbstractToolset[Any] | None:
        """The client's functions, which the client runs."""
        tools = [tool for tool in self.body.load_tools(self.run_input) if block(tool.metadata) is None]
        return ExternalToolset(tools) if tools else None

    def build_event_stream(self) -> AnswerStream:
        """What writes the agent's events."""
        return AnswerStream(self.run_input, self.accept, dialect=self.dialect, model=self.model)

    @property
    def model(self) -> str:
        """The model that the request names."""
        return str(self.run_input.get("model") or "")
