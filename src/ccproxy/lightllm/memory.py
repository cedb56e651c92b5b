"""What clients cannot carry back, kept until the conversation's next turn.

Thinking comes with a signature that its provider wants back byte for byte, three turns later, and another provider
must never see. A client of another dialect has no place for it, so it stays here, under a name that the client does
bring back: the id of a tool call, else a hash of the visible text and of its place in the conversation, because models
say the same few words again and again. What was thought before that call or text is kept with it, and so is a signature
of its own.

>>> memory = Memory()
>>> memory.remember("gemini", call_key("call_1"), Kept((), "c2ln"))
>>> memory.recall("gemini", call_key("call_1"))
Kept(thoughts=(), signature='c2ln')
>>> memory.recall("anthropic", call_key("call_1"))
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ccproxy.lightllm.prompt import Thought

FOREIGN: Final = "ccproxyZm9yZWlnbiB0aG91Z2h0"
"""Stands where a client of another dialect expects a signature. Valid base64, which some clients check."""
BYTES_LIMIT: Final = 16 << 20
"""Most bytes of a memory; the entry that was used the longest ago goes first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What belongs to one call or text: the thoughts before it, in order, and its own signature."""

    thoughts: tuple[Thought, ...] = ()
    signature: str | None = None

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        return (
            200
            + len(self.signature or "")
            + sum(len(each.text) + len(each.signature or "") + 200 for each in self.thoughts)
        )


def call_key(call_id: str) -> str:
    """The name of what belongs to a tool call."""
    return f"call:{call_id}"


def text_key(text: str, place: str) -> str:
    """The name of what belongs to a text. White space at its ends, which clients trim, does not matter.

    ``place``: where in its conversation it was said, as ``remember`` has it.
    """
    said = f"{place}\n{text.strip()}"
    return f"text:{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


class Memory:
    """Kept by provider and name. ``changed`` has what was added since it was last cleared, for whoever stores it."""

    __slots__ = ("_entries", "_limit", "_size", "changed")

    def __init__(self, limit: int = BYTES_LIMIT) -> None:
        self._entries: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._limit = limit
        self._size = 0
        self.changed: dict[tuple[str, str], Kept] = {}

    def remember(self, provider: str, key: str, kept: Kept) -> None:
        """Keep something of ``provider``'s under ``key``. Larger than the whole memory: not kept."""
        if kept.size + len(key) > self._limit:
            return
        self._drop((provider, key))
        self._entries[provider, key] = kept
        self.changed[provider, key] = kept
        self._size += kept.size + len(key)
        while self._size > self._limit:
            oldest = next(iter(self._entries))
            self._drop(oldest)
            self.changed.pop(oldest, None)

    def recall(self, provider: str, key: str) -> Kept | None:
        """What ``provider`` gave under ``key``."""
        if (kept := self._entries.get((provider, key))) is not None:
            self._entries.move_to_end((provider, key))
        return kept

    def _drop(self, name: tuple[str, str]) -> None:
        if (old := self._entries.pop(name, None)) is not None:
            self._size -= old.size + len(name[1])


def dump_kept(kept: Kept) -> bytes:
    """One entry as JSON, to be stored."""
    thoughts = [[each.text, each.signature, each.redacted, each.id] for each in kept.thoughts]
    return json.dumps([thoughts, kept.signature], separators=(",", ":")).encode()


def load_kept(data: bytes) -> Kept:
    """What ``dump_kept`` wrote. Raises ValueError for anything else."""
    try:
        thoughts, signature = json.loads(data)
        return Kept(tuple(Thought(text, sig, redacted, id) for text, sig, redacted, id in thoughts), signature)
    except (TypeError, ValueError) as error:
        raise ValueError("this is no entry of the memory") from error
