from __future__ import annotations

import base64
import struct

import pytest

from ccproxy.lightllm.pixels import pixels

JPEG = b"\xff\xd8\xff\xe0\0\x04JF\xff\xc4\0\x03x\xff\xc2" + struct.pack(">HBHH", 17, 8, 600, 800)
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 800, 600)
GIF = b"GIF89a" + struct.pack("<HH", 800, 600) + b"\0\0\0,"


@pytest.mark.parametrize("head", [JPEG, PNG, GIF])
def test_the_size_is_in_the_head(head: bytes) -> None:
    assert pixels(base64.b64encode(head + b"\xff" * 100_000).decode()) == 480_000


@pytest.mark.parametrize("head", [JPEG, PNG, GIF])
def test_what_is_cut_off_or_damaged_has_no_size(head: bytes) -> None:
    for length in range(len(head)):
        found = pixels(base64.b64encode(head[:length]).decode())
        assert found in (None, 480_000)
        assert found is None or length >= 10


@pytest.mark.parametrize("data", ["", "A", "AAAA", "é", "/9j/AAAA" * 20_000, "/9j/4AAC" + "AAAA" * 20_000, "\ud800"])
def test_what_is_no_picture_has_no_size(data: str) -> None:
    assert pixels(data) is None
