"""What a request asks for, whatever its wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ccproxy.echo.tokens import count
from ccproxy.echo.wire import canonical


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client offers."""

    name: str
    schema: Mapping[str, object]
    description: str = ""

    @property
    def text(self) -> str:
        """What of it counts as input."""
        return f"{self.name} {self.description} {canonical(self.schema)}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gave back."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    seed: str
    """Hash of the whole request; every id follows from it."""
    model: str
    said: str
    """The last text of the last user message."""
    texts: tuple[str, ...]
    """Everything that the model would read, but for the tools: each text by itself."""
    stream: bool = False
    with_usage: bool = True
    """A Chat stream tells its usage only to those who ask."""
    tools: tuple[Tool, ...] = ()
    choice: Literal["auto", "any", "none"] = "auto"
    """Whether tools may, must or must not be called."""
    forced: str | None = None
    """The one tool that must be called."""
    results: tuple[Result, ...] = ()
    """Tool results that the conversation ends with."""
    thinking: bool = False
    quiet: bool = False
    """Thinking is counted and signed, but its text is left out."""
    sealed: bool = True
    """Thinking comes with its signature, or its encrypted form."""
    json: bool = False
    """The answer has to be JSON."""
    schema: Mapping[str, object] | None = None
    """What that JSON has to look like."""
    limit: int | None = None
    """Most tokens of output, thinking included."""
    body: Mapping[str, object] = field(default_factory=dict)
    """The request itself: a Responses answer repeats parameters of it."""

    @property
    def input_tokens(self) -> int:
        return count(*self.texts, *(tool.text for tool in self.tools))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that ends in an HTTP error."""

    status: int
    message: str
    param: str | None = None
    """The field that is wrong, in dotted form."""

    @property
    def retry_after_s(self) -> int | None:
        """When to try again, for the errors that pass."""
        return 1 if self.status in {429, 503, 529} else None
