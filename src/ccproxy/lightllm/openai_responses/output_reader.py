"""The items of a response's ``output``, told in pieces, whole, or both, read into events.

An item is told by its place: ``output_index``, and in it ``content_index``. Its id is no use, some servers give it
another one in every event (GitHub Copilot, seen 2026-08). Whatever was not told in deltas is taken from what follows:
the part, the item, the response. What the provider's own tools do is not told to the client, nor are calls that this
API alone knows, for which no other dialect's client can have asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ccproxy.lightllm.events import (
    BlockCitation,
    BlockDelta,
    BlockKind,
    BlockSignature,
    BlockStart,
    BlockStop,
    Event,
    Media,
)
from ccproxy.lightllm.openai_responses.thinking import PARTS
from ccproxy.lightllm.openai_responses.told import Fields, Malformed, array, citation_of, string

type Place = tuple[int, int]
type Part = Literal["text", "refusal"]

ITEMS_LIMIT: Final = 10_000
"""Most items of one response, and most blocks."""
HELD_LIMIT: Final = 4 << 20
"""Most characters of the calls' arguments that are kept to be compared, or until a call's name is there."""
_CUSTOM: Final = {"function_call": False, "custom_tool_call": True}
_KEYS: Final[dict[str, tuple[Part, str]]] = {"output_text": ("text", "text"), "refusal": ("refusal", "refusal")}


@dataclass(slots=True)
class Told:
    """A text or refusal that is being told."""

    index: int
    size: int = 0
    cited: int = 0
    """Annotations so far."""
    whole: bool = False


@dataclass(slots=True)
class _Thought:
    id: str | None = None
    index: int | None = None
    raw: bool | None = None
    """Whether it is the raw reasoning that is told, not the summary. Never both: they say the same."""
    part: int = -1
    """The last one of which something was told."""
    signature: str | None = None


@dataclass(slots=True)
class _Call:
    custom: bool
    id: str | None = None
    name: str | None = None
    index: int | None = None
    pieces: list[str] | None = field(default_factory=list)
    """None: they are too long to be kept."""
    size: int = 0
    given: str = ""
    """What the item began with: it counts if nothing else comes."""


class OutputReader:
    """One response's output. What its methods find is added to ``events``."""

    __slots__ = (
        "_calls",
        "_count",
        "_done",
        "_held",
        "_names",
        "_next",
        "_open",
        "_parts",
        "_thoughts",
        "called",
        "events",
        "refused",
        "told",
    )

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.told: dict[Part, dict[Place, Told]] = {"text": {}, "refusal": {}}
        self.called = False
        """A tool of the client's was."""
        self.refused = False
        """There were the words of a refusal."""
        self._parts: dict[int, list[tuple[Part, Place]]] = {}
        """Those of an item, in order; at most the last one is not whole."""
        self._thoughts: dict[int, _Thought] = {}
        self._calls: dict[int, _Call] = {}
        self._open: dict[int, object] = {}
        """The types of the items that have begun."""
        self._done: set[int] = set()
        self._names: set[str] = set()
        """Ids of items, and of calls, that are done."""
        self._count = 0
        self._held = 0
        """Characters in the pieces of calls."""
        self._next = 0

    def taken(self) -> list[Event]:
        """What was found since the last time."""
        events, self.events = self.events, []
        return events

    # ------------------------------------------------------------------ items

    def added(self, place: int, item: Fields) -> None:
        """An item begins. One whose number is taken has not told its end."""
        if place in self._open:
            self.close(place)
        self._done.discard(place)
        self._item(place, item.get("type"))
        match item.get("type"):
            case "function_call" | "custom_tool_call" as kind:
                call = self._calls[place] = _Call(_CUSTOM[str(kind)])
                call.given = string(item.get("input" if call.custom else "arguments")) or ""
                self._name(call, item)
            case "reasoning":
                own, signature = string(item.get("id")) or None, string(item.get("encrypted_content"))
                self._thoughts[place] = _Thought(own, signature=signature)
            case _:
                pass

    def done(self, place: int, item: Fields) -> None:
        """An item is whole."""
        if not self._item(place, item.get("type")):
            return
        match item.get("type"):
            case "message":
                for number, part in enumerate(array(item.get("content"))):
                    self.part_done((place, number), part)
            case "function_call" | "custom_tool_call" as kind:
                call = self._calls.setdefault(place, _Call(_CUSTOM[str(kind)]))
                self._name(call, item)
                self.arguments_done(place, string(item.get("input" if call.custom else "arguments")) or "")
            case "reasoning":
                self._thought_done(place, item)
            case "image_generation_call":
                self._picture(item)
            case _:
                pass
        self.close(place)
        self._names |= {name for key in ("id", "call_id") if isinstance(name := item.get(key), str)}

    def rest(self, output: Sequence[Fields]) -> None:
        """The response is whole: what of its items was not told, and the end of all.

        Of items that were not told at all there are more in the response than were; numbers are not to be relied on.
        """
        for place, item in enumerate(output):
            if place in self._open:
                if self._open[place] == item.get("type"):
                    self.done(place, item)
            elif place not in self._done and len(output) > self._count and not self._knows(item):
                self.done(place, item)
        for place in list(self._open):
            self.close(place)

    def _knows(self, item: Fields) -> bool:
        return any(isinstance(name := item.get(key), str) and name in self._names for key in ("id", "call_id"))

    def close(self, place: int) -> None:
        """End the blocks of an item."""
        for kind, at in self._parts.pop(place, ()):
            self._end_part(self.told[kind].pop(at))
        if (thought := self._thoughts.pop(place, None)) is not None:
            self._end_thought(thought)
        if (call := self._calls.get(place)) is not None:
            if call.index is None:
                raise Malformed("a call has no name")
            if not call.size:
                self.arguments(place, call.given, custom=call.custom)
            self.events.append(BlockStop(call.index))
            self._forget(call)
            del self._calls[place]
        self._open.pop(place, None)
        self._done.add(place)

    def _item(self, place: int, kind: object) -> bool:
        """Whether there is an item that is not done; one that nothing told of before begins."""
        if place not in self._open:
            if place in self._done:
                return False
            self._count += 1
            if self._count > ITEMS_LIMIT:
                raise Malformed(f"the response has more than {ITEMS_LIMIT} items")
            self._open[place] = kind
        return True

    def _begin(self, kind: BlockKind, id: str | None = None, name: str | None = None, *, custom: bool = False) -> int:
        index = self._next
        self._next += 1
        if index >= ITEMS_LIMIT:
            raise Malformed(f"the response has more than {ITEMS_LIMIT} blocks")
        self.events.append(BlockStart(index, kind, id, name, custom))
        return index

    # ------------------------------------------------------------------ text

    def text(self, kind: Part, place: Place, text: str) -> None:
        """More of a text or refusal."""
        told = self.told[kind].get(place)
        if told is None:
            if not text or not self._item(place[0], "message"):
                return
            before = self._parts.setdefault(place[0], [])
            if before:
                self._end_part(self.told[before[-1][0]][before[-1][1]])
            before.append((kind, place))
            told = self.told[kind][place] = Told(self._begin(kind))
            self.refused = self.refused or kind == "refusal"
        if text and not told.whole:
            told.size += len(text)
            self.events.append(BlockDelta(told.index, text))

    def text_done(self, kind: Part, place: Place, text: str) -> None:
        """The whole of it, which counts if nothing was told before."""
        told = self.told[kind].get(place)
        if told is None or not told.size:
            self.text(kind, place, text)

    def part_done(self, place: Place, part: Fields) -> None:
        """A part is whole, and says so."""
        if (found := _KEYS.get(str(part.get("type")))) is None:
            return
        kind, key = found
        self.text_done(kind, place, string(part.get(key)) or "")
        if (told := self.told[kind].get(place)) is not None:
            for annotation in array(part.get("annotations"))[told.cited :]:
                self.annotation(place, annotation)
            self._end_part(told)

    def annotation(self, place: Place, annotation: Fields) -> None:
        """A source that a text names."""
        told = self.told["text"].get(place)
        if told is None or told.whole:
            return
        told.cited += 1
        if (citation := citation_of(annotation)) is not None:
            self.events.append(BlockCitation(told.index, citation))

    def _end_part(self, told: Told) -> None:
        if not told.whole:
            told.whole = True
            self.events.append(BlockStop(told.index))

    # ------------------------------------------------------------------ reasoning

    def thought(self, place: int, part: int, text: str, *, raw: bool, id: str | None = None) -> None:
        """More of a summary, or of the raw reasoning."""
        if not self._item(place, "reasoning"):
            return
        thought = self._thoughts.setdefault(place, _Thought(id))
        if thought.raw is None:
            thought.raw = raw
        if not text or thought.raw is not raw:
            return
        if thought.index is None:
            thought.index = self._begin("thinking", thought.id)
        elif part != thought.part:
            text = PARTS + text
        thought.part = part
        self.events.append(BlockDelta(thought.index, text))

    def thought_part_done(self, place: int, part: int, text: str, *, raw: bool, id: str | None = None) -> None:
        """A part is whole, which counts if nothing of it was told before."""
        thought = self._thoughts.get(place)
        if thought is None or part > thought.part:
            self.thought(place, part, text, raw=raw, id=id)

    def _thought_done(self, place: int, item: Fields) -> None:
        thought = self._thoughts.setdefault(place, _Thought(string(item.get("id")) or None))
        thought.signature = string(item.get("encrypted_content")) or thought.signature
        if thought.index is None:
            thought.raw = not any(part.get("text") for part in array(item.get("summary")))
        for number, part in enumerate(array(item.get("content" if thought.raw else "summary"))):
            self.thought_part_done(place, number, string(part.get("text")) or "", raw=thought.raw is True)

    def _end_thought(self, thought: _Thought) -> None:
        index = thought.index
        if thought.signature:
            if index is None:
                index = self._begin("redacted", thought.id)
            self.events.append(BlockSignature(index, thought.signature))
        if index is not None:
            self.events.append(BlockStop(index))

    # ------------------------------------------------------------------ calls

    def arguments(self, place: int, text: str, *, custom: bool) -> None:
        """More of a call's arguments."""
        if not self._item(place, "custom_tool_call" if custom else "function_call"):
            return
        call = self._calls.setdefault(place, _Call(custom))
        call.size += len(text)
        if call.pieces is not None:
            call.pieces.append(text)
            self._held += len(text)
            if self._held > HELD_LIMIT:
                self._forget(call)
        if text and call.index is not None:
            self.events.append(BlockDelta(call.index, text))
        elif call.pieces is None:
            raise Malformed("a call does not tell its name")

    def arguments_done(self, place: int, whole: str) -> None:
        """The whole of them: what is still missing is added."""
        call = self._calls.get(place)
        if call is None or call.pieces is None:
            return
        told = "".join(call.pieces)
        if len(whole) > len(told) and whole.startswith(told):
            self.arguments(place, whole[len(told) :], custom=call.custom)

    def _forget(self, call: _Call) -> None:
        if call.pieces is not None:
            self._held -= sum(map(len, call.pieces))
            call.pieces = None

    def _name(self, call: _Call, fields: Fields) -> None:
        if call.index is not None or not (name := string(fields.get("name"))):
            return
        call.name, call.id = name, string(fields.get("call_id")) or string(fields.get("id")) or None
        call.index = self._begin("call", call.id, name, custom=call.custom)
        self.called = True
        if held := "".join(call.pieces or ()):
            self.events.append(BlockDelta(call.index, held))

    # ------------------------------------------------------------------ pictures

    def _picture(self, item: Fields) -> None:
        if data := string(item.get("result")):
            self.events.append(Media(self._next, f"image/{string(item.get('output_format')) or 'png'}", data))
            self._next += 1
