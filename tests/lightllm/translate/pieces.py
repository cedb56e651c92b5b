"""Streams in pieces, as networks and other servers' line ends cut them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise


def cuts(data: bytes, at: Iterable[int]) -> list[bytes]:
    """The data in pieces."""
    return [data[start:end] for start, end in pairwise([0, *sorted(set(at)), len(data)]) if start < end]


def events(stream: bytes) -> list[bytes]:
    """A stream's events, each with its empty line, whatever its line ends."""
    found: list[bytes] = []
    held: list[bytes] = []
    for line in stream.splitlines(keepends=True):
        held.append(line)
        if not line.strip(b"\r\n"):
            found.append(b"".join(held))
            held = []
    return [*found, b"".join(held)] if held else found
