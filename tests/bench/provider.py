"""The provider behind every contender, as a process: ``python -m tests.bench.provider`` prints its port.

As little work as possible for each request. It ends when its standard input does, so it never outlives the benchmark.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import time
from functools import cache
from typing import cast

from tests.bench.traffic import (
    BURST_EVENTS,
    PACED_EVENTS,
    PACED_GAP_S,
    STREAM_EVENTS,
    STREAM_GAP_S,
    VOLLEY_EVENTS,
    event,
    message,
)

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KIND = re.compile(rb"\r\nx-bench: *(\w+)", re.IGNORECASE)
_STAMP = b"1234567890123456789"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_BURST_SLICE = 100


def whole() -> bytes:
    body = message()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@cache
def chunk(index: int, last: int) -> bytes:
    """One event in its chunk, with a stamp of constant width to put the clock in."""
    data = event(index, last, int(_STAMP))
    return b"%x\r\n%b\r\n" % (len(data), data)


def stamped(index: int, last: int) -> bytes:
    return chunk(index, last).replace(_STAMP, b"%019d" % (10**18 + time.monotonic_ns()))


class Conversation(asyncio.Protocol):
    """One connection: requests one after the other."""

    answer = whole()

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._writable = True
        self._position = 0
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        total = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < total:
            return
        found = _KIND.search(self._buffer, 0, end)
        kind = bytes(found[1]) if found else b"json"
        del self._buffer[:total]  # after the last look at a match: it reads from the buffer
        match kind:
            case b"sse" | b"paced":
                count, gap_s = (STREAM_EVENTS, STREAM_GAP_S) if kind == b"sse" else (PACED_EVENTS, PACED_GAP_S)
                self._transport.write(_STREAM_HEAD + stamped(0, count - 1))
                loop = asyncio.get_running_loop()
                loop.call_at(loop.time() + gap_s, self._next_event, 1, count, gap_s, loop.time())
            case b"burst" | b"volley":
                self._transport.write(_STREAM_HEAD)
                self._position, self._count = 0, BURST_EVENTS if kind == b"burst" else VOLLEY_EVENTS
                self._next_slice()
            case _:
                self._transport.write(self.answer)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._position:
            self._next_slice()

    def _next_event(self, index: int, count: int, gap_s: float, begun: float) -> None:
        if self._transport.is_closing():
            return
        last = count - 1
        self._transport.write(stamped(index, last) + (b"0\r\n\r\n" if index == last else b""))
        if index < last:
            # From the beginning, not from the last event: a late timer must not stretch the stream.
            when = begun + gap_s * (index + 1)
            asyncio.get_running_loop().call_at(when, self._next_event, index + 1, count, gap_s, begun)

    def _next_slice(self) -> None:
        if not self._writable or self._transport.is_closing():
            return
        first, end = self._position, min(self._position + _BURST_SLICE, self._count)
        parts = [stamped(index, self._count - 1) for index in range(first, end)]
        self._position = end % self._count
        if not self._position:
            parts.append(b"0\r\n\r\n")
        self._transport.write(b"".join(parts))
        if self._position:
            asyncio.get_running_loop().call_soon(self._next_slice)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Conversation, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.freeze()
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(main())
