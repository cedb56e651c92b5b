"""The choice of an answer, piece by piece: what deltas say becomes blocks. A whole message is one large delta.

Text, refusal and thinking follow one another. Calls may be open beside them and beside one another; a call is whole
once its arguments are and something else begins, at the latest at the end.

Thoughts come as ``reasoning_content`` or ``reasoning``. ``reasoning_details``, in which OpenRouter says the same again,
are not read: to the official SDKs they are nothing, and what those make of an answer is what its translation must say.

Servers number calls in ways of their own (all seen by 2026-11)::

    index 0 for every call, with another id each       a new id and a name begin a new call
    no index at all                                    likewise; a piece without either belongs to the last call
    another id with every piece of one call            only with a name is it a new call
    the name after the id, or after some arguments     the call begins when the name is known
    the arguments as an object                         they are written out
    ``function_call``                                  a call without id
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from pydantic_core import from_json

from ccproxy.lightllm.events import (
    BlockCitation,
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Citation,
    Event,
    Media,
)
from ccproxy.lightllm.openai_chat.content import thinking_text
from ccproxy.lightllm.openai_files import split_data_url

_KEPT: Final = 1 << 20
"""Most characters of a call's arguments that are kept: to see whether they are whole, or until its name is known."""
_MOST_CALLS: Final = 1024
_LEGACY: Final = "function_call"
_USUAL: Final = frozenset({"role", "content", "tool_calls", "reasoning_content", "reasoning", "reasoning_details"})


@dataclass(slots=True)
class _Call:
    custom: bool
    id: str | None = None
    name: str | None = None
    block: int = -1
    """-1: it has not begun."""
    closed: bool = False
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    checked: int = 0
    """The size at which the arguments were found not to be whole."""

    def whole(self) -> bool:
        """Whether the arguments are a JSON document. Free text never tells."""
        if self.custom or self.checked == self.size or self.size > _KEPT:
            return False
        self.pieces[:] = ["".join(self.pieces)]
        try:
            from_json(self.pieces[0].encode("utf-8", "surrogatepass"))
        except ValueError:
            self.checked = self.size
            return False
        return True


class Choice:
    """Takes the deltas of one choice, in order, and adds what they say to a list of events."""

    __slots__ = (
        "_annotated",
        "_chars",
        "_key",
        "_keyed",
        "_kind",
        "_last",
        "_next",
        "_offset",
        "_open",
        "_pending",
        "_seen",
        "_unsure",
        "broken",
        "called",
    )

    def __init__(self) -> None:
        self._next = 0
        self._kind: BlockKind | None = None
        """Of the block of words that is open."""
        self._open = 0
        """Its index."""
        self._chars = 0
        """Characters of text so far, in all blocks; ``_offset`` is where the last one began."""
        self._offset = 0
        self._key = "reasoning_content"
        """The key under which thoughts came first. Under the other one they come again."""
        self._unsure = True
        self._pending: list[_Call] = []
        """The calls that are not closed."""
        self._keyed: dict[object, _Call] = {}
        self._last: _Call | None = None
        self._seen = 0
        """So many calls."""
        self._annotated = False
        self.called = False
        """A call has begun."""
        self.broken: str | None = None
        """Why no sense can be made of it."""

    def take(self, delta: dict[str, object], out: list[Event]) -> None:
        """One delta, or a whole message."""
        thought = delta.get(self._key)
        if not thought and self._unsure:
            thought = delta.get("reasoning")
        if thought and isinstance(thought, str):
            if self._unsure:
                self._unsure = False
                self._key = "reasoning_content" if delta.get("reasoning_content") else "reasoning"
            self._say("thinking", thought, out)
        if content := delta.get("content"):
            if isinstance(content, str):
                self._say("text", content, out)
            else:
                self._parts(content, out)
        if not delta.keys() <= _USUAL:
            self._rest(delta, out)
        if entries := delta.get("tool_calls"):
            self._tool_calls(entries, out)

    def cite(self, sources: object, out: list[Event]) -> None:
        """Sources of the text that is open: annotations, or the bare URLs that Perplexity and xAI list."""
        if self._kind != "text" or not isinstance(sources, list):
            return
        for each in sources:
            if isinstance(each, str):
                if not self._annotated:
                    out.append(BlockCitation(self._open, Citation(each)))
            elif isinstance(each, dict) and isinstance(cited := each.get("url_citation"), dict):
                self._annotated = True
                out.append(BlockCitation(self._open, self._citation(cited)))

    def close(self, out: list[Event], *, cut: bool = False) -> None:
        """End what is open. ``cut``: the answer was cut off, so the last call may lack its name."""
        self._hush(out)
        for call in self._pending:
            if call.block < 0:
                self._start(call, out)
            if call.block >= 0:
                out.append(BlockStop(call.block))
            elif not cut:
                self.broken = "a tool call without a name"
        self._pending.clear()

    def _rest(self, delta: dict[str, object], out: list[Event]) -> None:
        """What is seldom there."""
        if isinstance(refusal := delta.get("refusal"), str):
            self._say("refusal", refusal, out)
        if isinstance(audio := delta.get("audio"), dict) and isinstance(spoken := audio.get("transcript"), str):
            self._say("text", spoken, out)
        if images := delta.get("images"):
            self._parts(images, out)
        if annotations := delta.get("annotations"):
            self.cite(annotations, out)
        if isinstance(function := delta.get(_LEGACY), dict):
            self._piece(self._keyed.get(_LEGACY), {"function": function}, _LEGACY, out)

    def _say(self, kind: BlockKind, text: str, out: list[Event]) -> None:
        if not text:
            return
        if self._kind != kind:
            self._hush(out)
            self._settle(out)
            self._kind, self._open, self._offset = kind, self._next, self._chars
            self._next += 1
            out.append(BlockStart(self._open, kind))
        if kind == "text":
            self._chars += len(text)
        out.append(BlockDelta(self._open, text))

    def _parts(self, parts: object, out: list[Event]) -> None:
        """Content as a list of parts, as Mistral sends it; pictures."""
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, str):
                self._say("text", part, out)
            elif isinstance(part, dict):
                self._part(part, out)

    def _part(self, part: dict[str, object], out: list[Event]) -> None:
        match part.get("type"):
            case "text" | "output_text" if isinstance(text := part.get("text"), str):
                self._say("text", text, out)
            case "thinking":
                self._say("thinking", thinking_text(part.get("thinking")), out)
            case "refusal" if isinstance(text := part.get("refusal"), str):
                self._say("refusal", text, out)
            case "image_url":
                link = part.get("image_url")
                url = link.get("url") if isinstance(link, dict) else link
                if isinstance(url, str):
                    self._picture(url, out)
            case _:
                pass

    def _picture(self, url: str, out: list[Event]) -> None:
        if url[:5].lower() != "data:":
            self._say("text", f"![image]({url})", out)
            return
        mime, data = split_data_url(url)
        self._hush(out)
        out.append(Media(self._next, mime or "image/png", data))
        self._next += 1

    def _citation(self, cited: dict[str, object]) -> Citation:
        url, title, quoted = (
            value if isinstance(value := cited.get(key), str) and value else None for key in ("url", "title", "content")
        )
        start, end = (
            max(value - self._offset, 0) if isinstance(value := cited.get(key), int) else None
            for key in ("start_index", "end_index")
        )
        return Citation(url, title, quoted, start, end)

    def _hush(self, out: list[Event]) -> None:
        """End the words that are open."""
        if self._kind is not None:
            self._kind = None
            out.append(BlockStop(self._open))

    def _settle(self, out: list[Event]) -> None:
        """End the calls that are whole, as something else begins."""
        for call in self._pending:
            if call.block >= 0 and call.whole():
                call.closed = True
                call.pieces.clear()
                out.append(BlockStop(call.block))
        self._pending = [call for call in self._pending if not call.closed]

    def _tool_calls(self, entries: object, out: list[Event]) -> None:
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            key = entry.get("index")
            if isinstance(key, int):
                self._piece(self._keyed.get(key), entry, key, out)
            else:
                self._unnumbered(entry, out)

    def _unnumbered(self, entry: dict[str, object], out: list[Event]) -> None:
        key, function, last = entry.get("id"), entry.get("function"), self._last
        named = isinstance(function, dict) and bool(function.get("name"))
        if isinstance(key, str) and key:
            if key not in self._keyed and not named and last is not None and last.id is None:
                self._keyed[key] = last  # its id comes late
            self._piece(self._keyed.get(key), entry, key, out)
        else:
            fresh = named and not (last is not None and last.name is None)
            self._piece(None if fresh else last, entry, (len(self._keyed),), out)

    def _piece(self, call: _Call | None, entry: dict[str, object], key: object, out: list[Event]) -> None:
        """A piece of ``call``, or of a new one (None), which is known by ``key``."""
        inner, field_name = entry.get("function"), "arguments"
        if not isinstance(inner, dict):
            inner, field_name = entry.get("custom"), "input"
            if not isinstance(inner, dict):
                inner = {}
        name, given, call_id = inner.get("name"), inner.get(field_name), entry.get("id")
        if call is None or (name and _another(call, call_id, given)):
            if not (name or call_id or given):
                return
            call = _Call(custom=entry.get("type") == "custom" or "input" in inner)
            self._pending.append(call)
            self._keyed[key] = call
            self._seen += 1
            if self._seen > _MOST_CALLS:
                self.broken = f"more than {_MOST_CALLS} tool calls"
        self._last = call
        if call_id and call.id is None and isinstance(call_id, str):
            call.id = call_id
        if name and call.name is None and isinstance(name, str):
            call.name = name
        if (given or isinstance(given, dict)) and not call.closed:
            self._argue(call, given if isinstance(given, str) else _dumped(given), out)
        if call.block < 0 and call.id is not None:
            self._begin(call, out)

    def _argue(self, call: _Call, text: str, out: list[Event]) -> None:
        call.size += len(text)
        if call.size <= _KEPT:
            call.pieces.append(text)
        elif call.block < 0:
            self.broken = "a tool call without a name"
        else:
            call.pieces.clear()
        if call.block >= 0:
            out.append(BlockDelta(call.block, text))
        else:
            self._begin(call, out)

    def _begin(self, call: _Call, out: list[Event]) -> None:
        """Begin a call if its name is known, and before it those that waited for an id."""
        if call.name is None:
            return
        self._hush(out)
        self._settle(out)
        for waiting in self._pending:
            self._start(waiting, out)
            if waiting is call:
                break

    def _start(self, call: _Call, out: list[Event]) -> None:
        if call.name is None or call.block >= 0:
            return
        call.block = self._next
        self._next += 1
        self.called = True
        out.append(BlockStart(call.block, "call", call.id, call.name, call.custom))
        if call.pieces:
            call.pieces[:] = ["".join(call.pieces)]
            out.append(BlockDelta(call.block, call.pieces[0]))


def _another(call: _Call, call_id: object, given: object) -> bool:
    """Whether a piece that has a name, and stands where ``call`` does, is of another call."""
    if call_id and call.id:
        return call_id != call.id
    return call.closed or (bool(given) and call.size > 0 and call.whole())


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""
