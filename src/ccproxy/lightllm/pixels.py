"""How large a picture is, from the first bytes of its file: providers count its tokens by that.

PNG (W3C PNG §11.2.2, IHDR), GIF (GIF89a §18), JPEG (ITU-T T.81 §B.2.2, the frame header).

>>> pixels("iVBORw0KGgoAAAANSUhEUgAAAyAAAAJYCAYAAAA=")
480000
>>> pixels("R0lGODlhAQABAAAAACw=")
1
>>> pixels("no picture") is None
True
"""

from __future__ import annotations

import base64
import struct
from typing import Final

_HEAD: Final = 1 << 15
"""Characters of base64 that are read: a JPEG's camera data and small preview stand before its size."""
_SIZELESS: Final = frozenset({0xC4, 0xC8, 0xCC})
"""Markers in the range of frame headers that are none."""


def pixels(data: str) -> int | None:
    """Width by height of a picture in base64; None if it is of no such type, or damaged."""
    try:
        head = base64.b64decode(data[:_HEAD].encode("ascii"))
        if head.startswith(b"\x89PNG"):
            width, height = struct.unpack_from(">II", head, 16)
        elif head.startswith(b"GIF8"):
            width, height = struct.unpack_from("<HH", head, 6)
        elif head.startswith(b"\xff\xd8"):
            height, width = struct.unpack_from(">HH", head, _frame(head) + 5)
        else:
            return None
    except (ValueError, struct.error):
        return None
    return int(width * height)


def _frame(head: bytes) -> int:
    """Where a JPEG's frame header begins. Raises struct.error if it is further on."""
    at = 2
    while True:
        marker, size = struct.unpack_from(">xBH", head, at)
        if 0xC0 <= marker <= 0xCF and marker not in _SIZELESS:
            return at
        at += 2 + max(size, 2)
