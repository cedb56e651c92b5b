"""Content codings, fed whole and in pieces."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from ccproxy.errors import BadRequest, PayloadTooLarge
from ccproxy.listener.coding import PIECE, Undecodable, decode_whole, decoder, readable_codings


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-Gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
}
NOISE = random.Random(7).randbytes(5000)
BODIES = {"nothing": b"", "a byte": b"x", "text": b"compressible " * 500, "noise": NOISE}


def decoded(coding: str, pieces: list[bytes]) -> bytes:
    inner = decoder(coding)
    assert inner is not None
    out = b"".join(part for piece in pieces for part in inner.feed(piece))
    assert inner.ended
    return out


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("kind", BODIES)
def test_whole_and_byte_by_byte(name: str, kind: str) -> None:
    coding, encode = CODERS[name]
    packed = encode(BODIES[kind])
    assert decoded(coding, [packed]) == BODIES[kind]
    assert decoded(coding, [packed[at : at + 1] for at in range(len(packed))]) == BODIES[kind]
    assert decode_whole(packed, coding, 10_000) == BODIES[kind]


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("size", [PIECE, PIECE + 1, 2 * PIECE - 105])
@pytest.mark.parametrize("rest", [0, 1])
def test_no_byte_is_lost_where_pieces_end(name: str, size: int, rest: int) -> None:
    """The last ``rest`` bytes come by themselves."""
    coding, encode = CODERS[name]
    packed = encode(b"a" * size)
    assert len(decoded(coding, [packed[: len(packed) - rest], packed[len(packed) - rest :]])) == size


@pytest.mark.parametrize("name", CODERS)
def test_pieces_are_bounded(name: str) -> None:
    coding, encode = CODERS[name]
    inner = decoder(coding)
    assert inner is not None
    assert max(map(len, inner.feed(encode(b"a" * (12 << 20))))) <= 8 << 20


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("missing", [1, 5])
def test_a_cut_body_has_not_ended(name: str, missing: int) -> None:
    coding, encode = CODERS[name]
    inner = decoder(coding)
    assert inner is not None
    assert inner.ended, "nothing is not cut"
    for _ in inner.feed(encode(BODIES["text"])[:-missing]):
        pass
    assert not inner.ended


def test_the_members_of_a_gzip_file_are_one_body() -> None:
    assert decoded("gzip", [gzip.compress(b"one ") + gzip.compress(b"two")]) == b"one two"


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_what_is_not_of_the_coding_is_said(name: str) -> None:
    inner = decoder(name)
    assert inner is not None
    with pytest.raises(Undecodable):
        list(inner.feed(b"\xff\xfe plain text that is of no coding"))
    with pytest.raises(BadRequest, match=f"not valid {name}"):
        decode_whole(b"\xff\xfe plain text that is of no coding", name, 1000)


@pytest.mark.parametrize("name", CODERS)
def test_a_bomb_is_refused(name: str) -> None:
    coding, encode = CODERS[name]
    with pytest.raises(PayloadTooLarge, match="more than 1000 bytes"):
        decode_whole(encode(b"a" * 1001), coding, 1000)


def test_unknown_codings() -> None:
    assert decoder("compress") is None
    assert decoder("gzip, br") is None
    assert decode_whole(b"as it is", "identity", 1) == b"as it is"
    with pytest.raises(BadRequest, match="send one of gzip"):
        decode_whole(b"x", "compress", 10)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
        ("gzip;q=1.0, compress;q=0.5, *;q=0.1", "gzip;q=1.0"),
        ("dcb", "identity"),
        ("identity", "identity"),
    ],
)
def test_only_what_can_be_searched_is_asked_for(asked: str, sent: str) -> None:
    assert readable_codings(asked) == sent
