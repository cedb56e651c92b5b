"""Content codings (RFC 9110 §8.4.1): decode a body whole or as it streams, never more than asked for.

>>> coder = decoder("gzip")
>>> b"".join(coder.feed(chunk))          # pieces of at most PIECE bytes, however well the chunk compresses
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

import brotli
import zstandard

from ccproxy.errors import BadRequest, PayloadTooLarge

PIECE: Final = 1 << 20
"""Most bytes that one step of a decoder makes, so that a decompression bomb cannot fill the memory at once."""
SLICE: Final = 256
"""Bytes fed at a time to a decoder that cannot limit its output: 256 zstd bytes make 8 MiB at most."""
GZIP_OR_ZLIB, RAW = 47, -15
"""``wbits`` of zlib.decompressobj."""
READABLE: Final = ("gzip", "x-gzip", "deflate", "br", "zstd")


class Undecodable(Exception):
    """The bytes are not of the coding that the header names."""


class Decoder(Protocol):
    """One direction of one body."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` decodes to, in pieces. Raises Undecodable."""

    @property
    def ended(self) -> bool:
        """Whether what was fed so far is whole."""


class Zlib:
    """gzip, zlib and (as some servers mean by "deflate") raw deflate: the first two bytes tell."""

    def __init__(self) -> None:
        self.inner = zlib.decompressobj(GZIP_OR_ZLIB)
        self.head: bytes | None = b""
        """The first byte, while there is only one. None: it is known what this is."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self.head is not None:
            data = self.head + data
            self.head = data[:1] if len(data) < 2 else None
            if self.head is not None:
                return
            if not (data.startswith(b"\x1f\x8b") or (data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0)):
                self.inner = zlib.decompressobj(RAW)
        full = False
        while data or full:
            try:
                piece = self.inner.decompress(data, PIECE)
            except zlib.error as err:
                raise Undecodable(str(err)) from None
            if piece:
                yield piece
            data, full = self.inner.unconsumed_tail, len(piece) == PIECE
            if self.inner.eof and self.inner.unused_data:  # the next member of a gzip file
                data, self.inner = self.inner.unused_data, zlib.decompressobj(GZIP_OR_ZLIB)

    @property
    def ended(self) -> bool:
        return self.inner.eof or self.head == b""


class Brotli:
    def __init__(self) -> None:
        self.inner = brotli.Decompressor()
        self.started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.started = True
        try:
            piece = self.inner.process(data, output_buffer_limit=PIECE)
            while piece:
                yield piece
                if self.inner.is_finished():
                    return
                piece = self.inner.process(b"", output_buffer_limit=PIECE)  # there may be more, whatever it accepts
        except brotli.error as err:
            raise Undecodable(str(err)) from None

    @property
    def ended(self) -> bool:
        return not self.started or bool(self.inner.is_finished())


class Zstd:
    def __init__(self) -> None:
        self.inner = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()
        self.started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.started = True
        try:
            for start in range(0, len(data), SLICE):
                if piece := self.inner.decompress(data[start : start + SLICE]):
                    yield piece
        except zstandard.ZstdError as err:
            raise Undecodable(str(err)) from None

    @property
    def ended(self) -> bool:
        return not self.started or self.inner.eof


def decoder(coding: str) -> Decoder | None:
    """The decoder for a ``Content-Encoding`` value; None if it is unknown or a list of several."""
    match coding.strip().lower():
        case "gzip" | "x-gzip" | "deflate":
            return Zlib()
        case "br":
            return Brotli()
        case "zstd":
            return Zstd()
        case _:
            return None


def decode_whole(data: bytes, coding: str, limit: int) -> bytes:
    """A request body as its client meant it.

    Raises BadRequest for an unknown coding or broken data, PayloadTooLarge past ``limit`` bytes.
    """
    if not coding or coding.strip().lower() == "identity":
        return data
    inner = decoder(coding)
    if inner is None:
        raise BadRequest(f"content-encoding {coding!r} cannot be read; send one of {', '.join(READABLE)} or none")
    out = bytearray()
    try:
        for piece in inner.feed(data):
            out += piece
            if len(out) > limit:
                raise PayloadTooLarge(f"it decompresses to more than {limit} bytes (limits.parse_bytes)")
    except Undecodable as err:
        raise BadRequest(f"the body is not valid {coding}: {err}") from None
    return bytes(out)


def readable_codings(accept: str) -> str:
    """An ``Accept-Encoding`` value without the codings that could not be searched for a reflected credential."""
    kept = [part for part in accept.split(",") if part.split(";")[0].strip().lower() in (*READABLE, "identity")]
    return ",".join(kept).strip() or "identity"
