"""What a model's answer is made of, in no dialect's words: every stream is read into these and written from them.

In this order, whatever the provider's own was::

    Begin *( BlockStart *( BlockDelta / BlockSignature / BlockCitation ) BlockStop / Media / Counts / Ping )
        [ Finish ] *Counts ( End / Failed )

Blocks may overlap, as Chat's and Responses' calls do; an index names one block of the answer and is never used twice.
Nothing follows ``End`` or ``Failed``. A whole answer is the same sequence, read at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.status import Failure

type BlockKind = Literal["text", "refusal", "thinking", "redacted", "call"]
"""``refusal``: the model's words for not answering. ``redacted``: thinking of which there is only the signature."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The provider has begun to answer."""

    id: str | None = None
    model: str | None = None
    created_at: int | None = None
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class BlockStart:
    """A block of content begins. A call's ``name`` is known here; readers wait for one that comes late."""

    index: int
    kind: BlockKind
    id: str | None = None
    """Of a call: the provider's own id, if it gives one. Of thinking: the id of a Responses reasoning item."""
    name: str | None = None
    custom: bool = False
    """A call whose argument is free text, not JSON."""


@dataclass(frozen=True, slots=True)
class BlockDelta:
    """More text of a block, or of a call's arguments, which are JSON text cut anywhere. Never empty."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class BlockSignature:
    """What the provider wants back with this block, whole: Anthropic's signature or redacted data, Gemini's
    thoughtSignature, Responses' encrypted_content."""

    index: int
    signature: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that a text block names. ``start`` and ``end`` are characters of the block's text."""

    url: str | None = None
    title: str | None = None
    quoted: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class BlockCitation:
    """A citation of a text block."""

    index: int
    citation: Citation


@dataclass(frozen=True, slots=True)
class BlockStop:
    """The block is whole."""

    index: int


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or other file that the model made, whole. ``data`` is base64."""

    index: int
    mime: str
    data: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens so far. A later one replaces the fields that it knows."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finish:
    """Why the model stopped. The answer is not complete before ``End``: counts may follow."""

    reason: Reason
    sequence: str | None = None
    """The stop sequence that was met, where the provider tells."""


@dataclass(frozen=True, slots=True)
class End:
    """The answer is complete by its dialect's own rule (design rule 3)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider ended the answer with an error, or without completing it."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life, to be passed on so that clients do not time out."""


type Event = (
    Begin
    | BlockStart
    | BlockDelta
    | BlockSignature
    | BlockCitation
    | BlockStop
    | Media
    | Counts
    | Finish
    | End
    | Failed
    | Ping
)
