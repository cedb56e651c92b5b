"""Where the events of a passing stream begin and end, without taking it apart.

Two framings carry the events of the four dialects: server-sent events, and Google's JSON array (``[{…},\\n{…}]``,
without ``alt=sse``). Of either only so much is held as may still be needed: the event that is not finished, or the
array's tail, and of an event that is longer than HELD_LIMIT its head and its tail.
"""

from __future__ import annotations

import re
from typing import Final

from ccproxy.lightllm.sse import BOM, BOUNDARIES, parse_event

HELD_LIMIT: Final = 1 << 20
"""Most bytes of a stream that are kept."""
HEAD: Final = 4096
TAIL: Final = 65536


class EventFraming:
    """Server-sent events; see ``sse.py``.

    ``feed`` hands out *regions*: runs of bytes in which every event is whole, as large as a chunk allows, so that one
    search goes over many events.
    """

    __slots__ = ("_boundaries", "_held")

    def __init__(self) -> None:
        self._held = bytearray()
        self._boundaries: tuple[bytes, ...] = (
            BOUNDARIES  # the one that the stream uses first, so that the others are sought in little
        )

    def feed(self, chunk: bytes) -> bytes:
        """The region that ``chunk`` completes; empty if it ends no event."""
        held = self._held
        if not held:
            end = self._last_boundary(chunk, 0)
            region = chunk[:end] if end < len(chunk) else chunk
            held += chunk[end:]
        else:
            known = len(held) - 1
            held += chunk
            end = self._last_boundary(held, known)
            region = bytes(held[:end])
            del held[:end]
        _shorten(held)
        return region

    def bounds(self, region: bytes, position: int) -> tuple[int, int]:
        """Where the event that a byte of a region belongs to begins and ends."""
        start, end = 0, len(region)
        for boundary in self._boundaries:
            if (found := region.find(boundary, position, end)) >= 0:
                end = found
            if (found := region.rfind(boundary, start, position)) >= 0:
                start = found + 2
        return start, end

    @property
    def rest(self) -> bytes | None:
        """The data of the event that has begun and not ended; None between events."""
        data = data_of(bytes(self._held))
        if data is not None:
            return data
        lines = self._held.splitlines()
        return None if all(not line or line.startswith(b":") for line in lines) else b""

    def _last_boundary(self, data: bytes | bytearray, start: int) -> int:
        """Where the last event that is whole ends, or 0."""
        last = -1
        for boundary in self._boundaries:
            if (found := data.rfind(boundary, start)) >= 0:
                last, start = found, found + 1
                if boundary is not self._boundaries[0]:
                    self._boundaries = (boundary, *(other for other in BOUNDARIES if other is not boundary))
        return last + 2 if last >= 0 else 0


def data_of(event: bytes) -> bytes | None:
    """The data of one event's bytes; None if it has none."""
    parsed = parse_event(event.removeprefix(BOM))
    return parsed.data if parsed is not None else None


# RFC 8259 §7. Possessive throughout: no byte is looked at twice.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STRINGS: Final = re.compile(rb'[^"]*+(?:' + _STRING.pattern + rb'[^"]*+)*+', re.DOTALL)
_STRING_END: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class ArrayFraming:
    """One JSON array whose elements are the events. Its brackets are counted, its tail is kept."""

    __slots__ = ("_depth", "_escape", "_in_string", "_started", "tail")

    def __init__(self) -> None:
        self.tail = bytearray()
        self._depth = 0
        self._started = False
        self._in_string = False
        self._escape = b""  # a backslash whose second half is in the next chunk

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.tail += chunk
        if len(self.tail) > HELD_LIMIT:
            del self.tail[:-TAIL]
        data, self._escape = self._escape + chunk, b""
        position = 0
        if self._in_string:
            if (end := _STRING_END.match(data)) is None:
                self._open_string(data)
                return
            position, self._in_string = end.end(), False
        whole = _STRINGS.match(data, position)
        assert whole is not None
        if whole.end() < len(data):
            self._open_string(data[whole.end() + 1 :])
        bare = _STRING.sub(b"", data[position : whole.end()])
        self._depth += bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
        self._started = self._started or b"[" in bare

    @property
    def mid_event(self) -> bool:
        """Whether an element has begun and not ended."""
        return self._depth > 1 or self._in_string

    @property
    def closed(self) -> bool:
        """Whether the array has ended."""
        return self._started and self._depth == 0

    def _open_string(self, text: bytes) -> None:
        self._in_string = True
        if (len(text) - len(text.rstrip(b"\\"))) % 2:
            self._escape = b"\\"


def _shorten(held: bytearray) -> None:
    if len(held) > HELD_LIMIT:
        del held[HEAD:-TAIL]
