"""Masks secrets in a stream of bytes whose chunks end anywhere.

An upstream that echoes the credential must not hand it to the client. Each secret becomes as many ``*`` (so a
``content-length`` stays true); every other byte passes unchanged and in the call that brought it, except a tail
that is the beginning of a secret: that waits for the next chunk. A server-sent event ends in a blank line, which begins
no secret, so events are not delayed.

>>> scrubber = StreamScrubber(Needles.of([b"battery-staple"]))
>>> scrubber.feed(b"say battery-st"), scrubber.feed(b"aple, b"), scrubber.flush()
(b'say ', b'**************, ', b'b')

A chunk that may be all of a secret yields ``b""``, which must not reach an HTTP/1.1 writer: it would end the body.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from ccproxy.flows.scan import Scanner


@dataclass(frozen=True, slots=True)
class Needles:
    """Byte strings to look for, made ready."""

    ordered: tuple[bytes, ...]
    """Sorted, so that all that share a beginning are neighbours."""
    scanner: Scanner
    exact: re.Pattern[bytes] | None
    """Longest first. None: there is nothing to look for."""
    starts: re.Pattern[bytes] | None
    """One byte with which a needle begins."""
    inner: frozenset[int]
    """Bytes after which a needle can go on."""
    longest: int

    @classmethod
    def of(cls, needles: Iterable[bytes]) -> Needles:
        """Empty needles are left out."""
        ordered = tuple(sorted({needle for needle in needles if needle}))
        first = bytes(sorted({needle[0] for needle in ordered}))
        return cls(
            ordered=ordered,
            scanner=Scanner.of_literals(ordered),
            exact=re.compile(b"|".join(map(re.escape, sorted(ordered, key=len, reverse=True)))) if ordered else None,
            starts=re.compile(b"[" + re.escape(first) + b"]") if first else None,
            inner=frozenset(byte for needle in ordered for byte in needle[:-1]),
            longest=max(map(len, ordered), default=0),
        )

    def held_from(self, data: bytes) -> int:
        """Where the longest tail starts that is the beginning, but not the whole, of a needle; the length if none."""
        if self.starts is None or not data or data[-1] not in self.inner:
            return len(data)
        for match in self.starts.finditer(data, max(0, len(data) - self.longest + 1)):
            tail = data[match.start() :]
            at = bisect_left(self.ordered, tail)
            if at < len(self.ordered) and self.ordered[at] == tail:
                at += 1
            if at < len(self.ordered) and self.ordered[at].startswith(tail):
                return match.start()
        return len(data)


class StreamScrubber:
    """One direction of one stream."""

    __slots__ = ("_held", "_hits", "_inner", "_needles", "cut")

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._hits = needles.scanner.hits
        self._inner = needles.inner
        self._held = b""
        self.cut = 0
        """How many secrets were masked."""

    def feed(self, chunk: bytes) -> bytes:
        """What may go on now; ``chunk`` itself when there is nothing to hide."""
        data = self._held + chunk if self._held else chunk
        if not data:
            return data
        hold = len(data) if data[-1] not in self._inner else self._needles.held_from(data)
        if self._hits(data):
            data, hold = self._mask(data, hold)
        if hold == len(data):
            self._held = b""
            return data
        self._held = data[hold:]
        return data[:hold]

    def flush(self) -> bytes:
        """What was held back, at the end of the stream."""
        data, self._held = self._held, b""
        return self._mask(data, len(data))[0] if data else data

    def _mask(self, data: bytes, hold: int) -> tuple[bytes, int]:
        """Mask every needle that starts before ``hold``: a later one may be part of a longer needle still to come."""
        assert self._needles.exact is not None, "hits() found something"
        parts: list[bytes] = []
        at = 0
        for match in self._needles.exact.finditer(data):
            start, end = match.span()
            if start >= hold:
                break
            parts += (data[at:start], b"*" * (end - start))
            at = end
            self.cut += 1
        parts.append(data[at:])
        return b"".join(parts), max(hold, at)
