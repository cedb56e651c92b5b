"""Server-sent events: an incremental parser and its counterpart (WHATWG HTML §9.2, "Server-sent events").

::

    stream  = [BOM] *event          event = *(comment / field) end-of-line
    field   = name [":" [" "] value] end-of-line
    comment = ":" text end-of-line  end-of-line = CRLF / LF / CR

An event is what stands between two empty lines. One without ``data`` is none (a comment sent to keep a connection
alive). ``id`` and ``retry`` serve reconnection, which no provider's stream knows, and are dropped. An event that the
stream's end cut is not dispatched by the standard; ``SseParser.rest`` has its bytes.

>>> parser = SseParser()
>>> parser.feed(b'event: ping\\r\\ndata: {"a"')
[]
>>> parser.feed(b': 1}\\r\\n\\r\\n: alive\\n\\n')
[Event(event='ping', data=b'{"a": 1}', raw=b'event: ping\\r\\ndata: {"a": 1}\\r\\n\\r')]
>>> encode_event(b'{"a": 1}', "ping")
b'event: ping\\ndata: {"a": 1}\\n\\n'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ccproxy.errors import UpstreamError

EVENT_LIMIT: Final = 32 << 20
"""Longest event, and so longest line, in bytes. A picture in base64 has room; an endless line has not."""

BOM: Final = b"\xef\xbb\xbf"
BOUNDARIES: Final = (b"\n\n", b"\n\r", b"\r\r")
"""The last byte of a line's end and the first byte of the empty line's. In ``\\n\\r\\n`` the last byte is left over:
it is read as one more empty line before the next event, which means nothing."""


class EventTooLarge(UpstreamError):
    """An event is longer than the limit. The stream cannot be followed any further."""


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event."""

    event: str
    """Its type; empty where the stream does not say (``message`` to a browser)."""
    data: bytes
    """The ``data`` lines, joined by LF."""
    raw: bytes
    """The bytes that it was read from, its boundary included."""


class SseParser:
    """Bytes in, at any cuts; events out. Holds no more than one unfinished event."""

    __slots__ = ("_boundary", "_first", "_held", "_limit", "_scanned")

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()
        self._scanned = 0  # so many bytes of _held are known to hold no boundary
        self._boundary = BOUNDARIES[0]
        self._first = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes. Raises EventTooLarge; nothing can be fed after that."""
        data: bytes | bytearray
        if self._held:
            self._held += chunk
            data = self._held
        else:
            data = chunk
        events: list[Event] = []
        start, scan = 0, self._scanned
        while (end := self._find(data, scan)) >= 0:
            if end - start > self._limit:
                raise self._too_large(end - start)
            block = bytes(data[start:end])
            if self._first:
                self._first = False
                block = block.removeprefix(BOM)
            if (event := parse_event(block)) is not None:
                events.append(event)
            start = scan = end
        if len(data) - start > self._limit:
            raise self._too_large(len(data) - start)
        if data is self._held:
            del self._held[:start]
        else:
            self._held += data[start:]
        self._scanned = max(len(self._held) - 1, 0)
        return events

    @property
    def rest(self) -> bytes:
        """The bytes of the event that is not finished yet."""
        return bytes(self._held)

    def _find(self, data: bytes | bytearray, start: int) -> int:
        """Where the first boundary from ``start`` on ends, or -1.

        The kind that the stream has used so far is looked for first, so that the others are sought in one event only.
        """
        best = data.find(self._boundary, start)
        limit = len(data) if best < 0 else best + 1
        for boundary in BOUNDARIES:
            if boundary is not self._boundary and (found := data.find(boundary, start, limit)) >= 0:
                best, limit, self._boundary = found, found + 1, boundary
        return best + 2 if best >= 0 else -1

    def _too_large(self, size: int) -> EventTooLarge:
        self._held.clear()
        return EventTooLarge(f"the provider's stream has an event of more than {size - 1:,} bytes; it is cut off here")


def parse_event(block: bytes) -> Event | None:
    """The event in the lines up to an empty one, or None if they have no ``data``."""
    name = ""
    data: list[bytes] = []
    for line in block.splitlines():
        if line.startswith(b"data: "):
            data.append(line[6:])
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    if not data:
        return None
    return Event(name, data[0] if len(data) == 1 else b"\n".join(data), block)


def encode_event(data: bytes, event: str = "") -> bytes:
    """One event as bytes; data of several lines becomes several ``data`` fields. ``event`` is a single line."""
    if "\n" in event or "\r" in event:
        raise ValueError(f"an event's type is one line: {event!r}")
    head = b"event: " + event.encode() + b"\n" if event else b""
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"
    return head + b"data: " + data + b"\n\n"
