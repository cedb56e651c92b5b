"""A request to a model, as far as more than one dialect can express it: what readers make and writers write.

What only one dialect knows is kept beside it by name: a ``Knob`` is a setting, an ``Opaque`` is content. ``loss.py``
decides what becomes of either toward another dialect, so a writer meets only what it can write.

``at`` is where a value stood in the client's body, ``messages.3.content.0``, for errors and warnings; it takes no part
in comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ccproxy.lightllm.dialect import Dialect

type Role = Literal["system", "user", "assistant"]
type Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class CacheMark:
    """The prefix up to here is worth caching (Anthropic ``cache_control``)."""

    ttl: Literal["5m", "1h"] | None = None
    """None: the provider's default."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text. ``signature``: Gemini's thoughtSignature of an assistant's text."""

    text: str
    cache: CacheMark | None = None
    signature: str | None = None
    refusal: bool = False
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class File:
    """A picture, recording, film or document: exactly one of ``data``, ``url``, ``file_id`` and ``text`` is set."""

    kind: Literal["image", "audio", "video", "document"]
    mime: str | None = None
    data: str | None = None
    """base64."""
    url: str | None = None
    file_id: str | None = None
    """The provider's own name of an uploaded file: of no use to another provider."""
    text: str | None = None
    """A document that is plain text."""
    name: str | None = None
    detail: str | None = None
    """OpenAI's ``low``, ``high``, ``auto``, ``original``."""
    cache: CacheMark | None = None
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Thought:
    """What the assistant thought. Without a signature it is only text."""

    text: str
    signature: str | None = None
    redacted: bool = False
    """There is a signature only."""
    id: str | None = None
    """Of a Responses reasoning item."""
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """The assistant calls a tool of the client's. ``arguments``: JSON text, or any text where ``custom``."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    signature: str | None = None
    """Gemini's thoughtSignature."""
    cache: CacheMark | None = None
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What the client's tool gave back; in a user turn."""

    call_id: str
    name: str | None
    """The tool's; Google wants it. Readers take it from the call."""
    content: tuple[Text | File | Opaque, ...]
    is_error: bool = False
    custom: bool = False
    cache: CacheMark | None = None
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Content of a type that only ``dialect`` knows, as it was: a server tool's result, a compaction."""

    dialect: Dialect
    type: str
    value: Mapping[str, object]
    at: str = field(default="", compare=False)


type Part = Text | File | Thought | Call | Result | Opaque


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's parts. Neighbours may have the same role; writers whose dialect forbids that join them."""

    role: Role
    parts: tuple[Part, ...]
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client runs."""

    name: str
    description: str | None = None
    schema: Mapping[str, object] | None = None
    """JSON schema of the arguments. None: it takes none."""
    strict: bool | None = None
    cache: CacheMark | None = None
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CustomTool:
    """A tool whose argument is free text (OpenAI ``custom``). Elsewhere it is a function with one string, ``input``."""

    name: str
    description: str | None = None
    format: Mapping[str, object] | None = None
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool that the provider runs: ``web_search``, ``web_fetch``, ``code_execution``, else the dialect's own word."""

    kind: str
    dialect: Dialect
    value: Mapping[str, object]
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``auto``, ``none``, ``any`` (some tool), ``one`` (the tool ``names[0]``), ``some`` (one of ``names``, or, with
    ``must`` false, none of them)."""

    mode: Literal["auto", "none", "any", "one", "some"]
    names: tuple[str, ...] = ()
    must: bool = True
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The answer's text is to be JSON; ``schema`` None: of any shape."""

    schema: Mapping[str, object] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model is to think, and whether its thoughts are told. None: not said."""

    enabled: bool | None = None
    """False: not at all. True with neither effort nor budget: as much as the model sees fit."""
    effort: Effort | None = None
    budget: int | None = None
    """Tokens."""
    shown: bool | None = None
    """Whether thoughts, or summaries of them, are in the answer."""
    detail: str | None = None
    """Responses' ``auto``, ``concise``, ``detailed``."""
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Sampling:
    """None: not said."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting that has no field here: ``name`` is its row in ``loss.LOSS``, or ``unknown``."""

    name: str
    value: object
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request."""

    model: str
    turns: tuple[Turn, ...]
    """System turns stand where they stood: those before everything else first."""
    tools: tuple[Tool | CustomTool | ServerTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_calls: bool | None = None
    output: OutputFormat | None = None
    reasoning: Reasoning | None = None
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    stream_usage: bool = True
    """Chat: whether the usage chunk was asked for."""
    user: str | None = None
    """The end user, as the client names them."""
    cache_key: str | None = None
    cache: CacheMark | None = None
    """Anthropic's top-level mark: cache up to the last block."""
    knobs: tuple[Knob, ...] = ()
