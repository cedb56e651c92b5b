"""Undoes a ``content-encoding``, within a bound: what is compressed can be neither searched for secrets nor read.

>>> import gzip; undo("gzip", gzip.compress(b"hello"), limit=3)
Decoded(data=b'hel', whole=False)

Specification: RFC 9110 §8.4.1 (gzip, deflate), RFC 7932 (br), RFC 8878 and 9659 (zstd).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_MOST_CODINGS = 3
_SLICE = 64 * 1024
"""Compressed bytes given to the brotli decoder at a time."""
_ZSTD_SLICE = 256
"""The same for zstd, which has no bound on its output: 64 blocks of four bytes and 128 KiB each are 8 MiB."""
_ZSTD_WINDOW = 8 * 1024 * 1024
"""What a decoder of this coding must support, and may demand (RFC 9659 §3)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The bytes beneath one or more codings."""

    data: bytes
    whole: bool
    """False: the input ended early, or the limit did."""


def undo(codings: str, data: bytes, *, limit: int) -> Decoded | None:
    """The first ``limit`` bytes of what ``data`` is under ``codings`` (``gzip``, ``gzip, br``); None if that fails.

    Data that break off give what could be decoded, maybe nothing.
    """
    names = [name.strip().lower() for name in codings.split(",")]
    whole = True
    if len(names) > _MOST_CODINGS:
        return None
    for name in reversed(names):
        one = _undo_one(name, data, limit)
        if one is None:
            return None
        data, whole = one.data, whole and one.whole
    return Decoded(data, whole)


def _undo_one(name: str, data: bytes, limit: int) -> Decoded | None:
    match name:
        case "" | "identity":
            return Decoded(data[:limit], len(data) <= limit)
        case "gzip" | "x-gzip":
            return _zlib(data, limit, zlib.MAX_WBITS | 16)
        case "deflate":  # RFC 1950 by the book, bare RFC 1951 in practice
            return _zlib(data, limit, zlib.MAX_WBITS) or _zlib(data, limit, -zlib.MAX_WBITS)
        case "br":
            return _brotli(data, limit)
        case "zstd":
            return _zstd(data, limit)
        case _:
            return None


def _zlib(data: bytes, limit: int, window: int) -> Decoded | None:
    decoder = zlib.decompressobj(window)
    try:
        out = decoder.decompress(data, limit + 1)
    except zlib.error:
        return None
    return Decoded(out[:limit], decoder.eof and not decoder.unused_data and len(out) <= limit)


def _brotli(data: bytes, limit: int) -> Decoded | None:
    import brotli  # noqa: PLC0415 - only where such a body is stored

    decoder = brotli.Decompressor()
    out = bytearray()
    try:
        for at in range(0, len(data), _SLICE):
            out += decoder.process(data[at : at + _SLICE], output_buffer_limit=limit + 1 - len(out))
            while len(out) <= limit and not decoder.can_accept_more_data():
                out += decoder.process(b"", output_buffer_limit=limit + 1 - len(out))
            if len(out) > limit:
                break
    except brotli.error:
        return None
    return Decoded(bytes(out[:limit]), bool(decoder.is_finished()) and len(out) <= limit)


def _zstd(data: bytes, limit: int) -> Decoded | None:
    import zstandard  # noqa: PLC0415 - only where such a body is stored

    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = context.decompressobj()
    out = bytearray()
    try:
        for at in range(0, len(data), _ZSTD_SLICE):
            rest = data[at : at + _ZSTD_SLICE]
            while rest:
                if frame.eof:
                    frame = context.decompressobj()
                out += frame.decompress(rest)
                rest = frame.unused_data if frame.eof else b""
            if len(out) > limit:
                break
    except zstandard.ZstdError:
        return None
    return Decoded(bytes(out[:limit]), frame.eof and len(out) <= limit)
