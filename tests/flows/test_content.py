"""Content-encodings are undone whole, in part, or not at all, and never beyond the limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from ccproxy.flows.content import Decoded, undo

TEXT = b'data: {"text":"the quick brown fox"}\n\n' * 400


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


def zstd_stream(data: bytes) -> bytes:
    encoder = zstandard.ZstdCompressor().compressobj()
    return encoder.compress(data) + encoder.flush()


CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    " deflate ": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "Zstd": zstd_stream,
    "identity": bytes,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_whole_body_comes_back(coding):
    assert undo(coding, CODINGS[coding](TEXT), limit=len(TEXT)) == Decoded(TEXT, whole=True)


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_holds(coding):
    assert undo(coding, CODINGS[coding](TEXT), limit=100) in (Decoded(TEXT[:100], whole=False), None)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_breaks_off_gives_its_beginning(coding):
    encoded = CODINGS[coding](TEXT + bytes(range(256)) * 40)
    decoded = undo(coding, encoded[: len(encoded) - 5], limit=1 << 20)

    assert decoded is not None
    assert not decoded.whole
    assert decoded.data == b"" or TEXT.startswith(decoded.data[: len(TEXT)])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress", "gzip, gzip, gzip, gzip"])
def test_what_is_not_in_the_coding_gives_nothing(coding):
    assert undo(coding, b'{"plain": "json, not compressed at all"}', limit=1000) in (None, Decoded(b"", whole=False))


def test_two_zstd_frames_are_one_body():
    frame = zstandard.ZstdCompressor().compress
    assert undo("zstd", frame(b"one ") + frame(b"two"), limit=100) == Decoded(b"one two", whole=True)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_stays_small(coding):
    bomb = CODINGS[coding](bytes(100 * 1024 * 1024))
    tracemalloc.start()
    try:
        decoded = undo(coding, bomb, limit=1024 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert decoded == Decoded(bytes(1024 * 1024), whole=False)
    assert peak < 20 * 1024 * 1024
