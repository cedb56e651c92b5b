"""Between ``Memory`` and the two halves of a translation: what an answer leaves there, what a request gets back.

A thought with a signature belongs to the next call or text after it; that is found again by the call's id, or by the
text and its place: what the user had said before it, or which calls had been answered, and what the assistant had said
before that. So nothing is asked of the client but to bring back what it was shown.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import BlockDelta, BlockKind, BlockSignature, BlockStart, BlockStop, Event
from ccproxy.lightllm.memory import BYTES_LIMIT, Kept, Memory, call_key, text_key
from ccproxy.lightllm.names import restore_id
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.prompt import Call, Part, Prompt, Result, Text, Thought, Turn

_PIECE: Final = 60
"""Bytes that a piece of text takes beside its characters."""
_BLOCK: Final = 500
"""Bytes of a block without its text."""
_SIGNING: Final = frozenset({Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE})


@dataclass(slots=True)
class _Open:
    kind: BlockKind
    id: str | None
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    signature: str | None = None


class Remembering:
    """Watches the events of one answer, in the client's ids.

    Of an answer in which more waits than the memory could take, the rest is not remembered.
    """

    __slots__ = ("_active", "_memory", "_open", "_plan", "_size", "_thoughts", "_thoughts_size")

    def __init__(self, plan: Plan, memory: Memory) -> None:
        self._plan = plan
        self._memory = memory
        self._active = plan.flavour.dialect in _SIGNING
        self._open: dict[int, _Open] = {}
        self._thoughts: list[Thought] = []
        self._thoughts_size = 0
        self._size = 0
        """About the bytes of what is open and of the thoughts."""

    def delta(self, event: BlockDelta) -> None:
        """More text. Called for every event of this kind: the quick way in."""
        if self._active and (block := self._open.get(event.index)) is not None and block.kind != "call":
            block.pieces.append(event.text)
            self._grow(block, len(event.text) + _PIECE)

    def take(self, event: Event) -> None:
        """Any other event."""
        if not self._active:
            return
        match event:
            case BlockStart():
                self._open[event.index] = _Open(event.kind, event.id)
                self._grow(self._open[event.index], _BLOCK)
            case BlockSignature(index, signature) if index in self._open:
                self._open[index].signature = signature
                self._grow(self._open[index], len(signature))
            case BlockStop(index) if (block := self._open.pop(index, None)) is not None:
                self._close(block)
            case _:
                pass

    def _grow(self, block: _Open, size: int) -> None:
        block.size += size
        self._size += size
        if self._size > BYTES_LIMIT:
            self._active = False
            self._open.clear()
            self._thoughts.clear()

    def _close(self, block: _Open) -> None:
        self._size -= block.size
        match block.kind:
            case "thinking" | "redacted":
                if block.signature is not None:
                    text = "".join(block.pieces)
                    self._thoughts.append(Thought(text, block.signature, block.kind == "redacted", block.id))
                    self._thoughts_size += block.size
                    self._size += block.size
            case "call":
                assert block.id is not None
                self._keep(call_key(restore_id(block.id)), block.signature)
            case "text":
                if text := "".join(block.pieces).strip():
                    self._keep(text_key(text, self._plan.place), block.signature)
            case "refusal":
                pass

    def _keep(self, key: str, signature: str | None) -> None:
        if self._thoughts or signature is not None:
            self._memory.remember(self._plan.provider, key, Kept(tuple(self._thoughts), signature))
            self._thoughts.clear()
            self._size -= self._thoughts_size
            self._thoughts_size = 0


class _Places:
    """The places of a conversation's answers, named turn by turn.

    What results say is no part of a name, nor what the system says: clients shorten the ones and move the others.
    """

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._said = ""
        self._place = ""
        self._times: Counter[str] = Counter()

    def hear(self, turn: Turn) -> None:
        """The user speaks."""
        if turn.role == "user":
            self._heard += (part.call_id for part in turn.parts if isinstance(part, Result))
            self._heard += (part.text.strip() if isinstance(part, Text) else "" for part in turn.parts)

    def place(self) -> str:
        """Where the next turn stands if it is the assistant's."""
        if self._heard or not self._place:
            around = "\n".join((self._said, *self._heard)).encode("utf-8", "surrogatepass")
            name = hashlib.sha256(around).hexdigest()[:32]
            self._times[name] += 1
            self._place = f"{name} {self._times[name]}"
            self._heard = []
        return self._place

    def say(self, parts: Iterable[Part]) -> None:
        """The assistant does."""
        for part in parts:
            match part:
                case Call():
                    self._said = part.id
                case Text(text) if text.strip():
                    self._said = text.strip()
                case _:
                    pass


def recalled(prompt: Prompt, provider: str, memory: Memory) -> tuple[Prompt, str]:
    """The prompt with what ``provider`` gave, byte for byte, in the place of what the client could bring back of it.

    Signatures that came with the client's own body are of its dialect, and so of another provider: they are dropped.
    The place of the answer to it is for ``Plan``.
    """
    places = _Places()
    turns: list[Turn] = []
    for turn in prompt.turns:
        if turn.role == "assistant":
            parts = tuple(_restored(turn, places.place(), provider, memory))
            turns.append(Turn(turn.role, parts, turn.at))
            places.say(turn.parts)
        else:
            turns.append(turn)
            places.hear(turn)
    return replace(prompt, turns=tuple(turns)), places.place()


def _restored(turn: Turn, place: str, provider: str, memory: Memory) -> list[Part]:
    parts: list[Part] = []
    pending: list[Thought] = []
    for part in turn.parts:
        key = ""
        match part:
            case Thought():
                if not part.redacted and part.text:
                    pending.append(replace(part, signature=None, id=None))
                continue
            case Call():
                key = call_key(part.id)
            case Text() if part.text.strip():
                key = text_key(part.text, place)
            case _:
                pass
        kept = memory.recall(provider, key) if key else None
        parts += kept.thoughts if kept is not None and kept.thoughts else pending
        pending = []
        signed = kept.signature if kept is not None else None
        if isinstance(part, Call | Text) and part.signature != signed:
            parts.append(replace(part, signature=signed))
        else:
            parts.append(part)
    return parts + pending
