"""What a translation needs to know beside the request: of its path, of the answer, of whom to tell what is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.names import Names

type Warn = Callable[[str], None]
"""Takes what a request writer changed or left out: ``FIELD: what was done, and why``, by the client's field."""


def untold(warning: str) -> None:
    """A ``Warn`` for whoever wants to know nothing of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request stands in its path: Google's model and stream."""

    model: str | None = None
    stream: bool | None = None
    """None: the body says it."""
    array: bool = False
    """A Google stream as a JSON array (no ``alt=sse``)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One exchange, seen from its answer."""

    client: Dialect
    """The format that the client reads."""
    flavour: Flavour
    """The provider's."""
    provider: str
    """Its name; what ``Memory`` keeps is kept under it."""
    model: str
    """The model that the client asked for. An answer names the one that the provider says it used."""
    stream: bool
    """Whether the client reads events."""
    seed: str
    """Makes ids where the provider gives none: letters and digits, another one for each exchange."""
    now: int
    """Unix seconds; when the answer was made, where the provider does not say."""
    array: bool = False
    stream_usage: bool = True
    """Chat: whether the usage chunk was asked for."""
    custom: frozenset[str] = frozenset()
    """Custom tools that the provider knows as functions with one string, ``input``, by the client's name."""
    names: Names = field(default_factory=lambda: Names(Dialect.GOOGLE))
    signed: bool = False
    """The client's own provider answers (``echo``, an agent): its signatures are shown, and thoughts of which there is
    nothing else. Otherwise signatures are another provider's, and ``memory.FOREIGN`` stands where one is expected."""
    place: str = ""
    """Where in the conversation the answer stands (``remember``)."""
    asked: Mapping[str, object] = field(default_factory=dict)
    """The client's body; a Responses answer repeats settings of it."""
