"""Text from strangers, made safe to print.

A captured body may hold terminal escapes: they set titles, move the cursor over other lines, or answer as if the user
had typed (ECMA-48 §5; CVE-2003-0063). Every control character but line feed and tab is spelt out, as are those that
reorder or hide text (Unicode UAX #9 §2) and lone surrogates.

>>> visible("a\\x1b[31mred\\u202e")
'a\\\\x1b[31mred\\\\u202e'
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str) -> str:
    """``text`` with everything spelt out that a terminal would act on; lines stay lines."""
    return _HIDDEN.sub(lambda match: _spell(match[0]), text)


def one_line(text: str, width: int) -> str:
    """The same on one line of at most ``width`` characters; what is cut ends in ``…``."""
    flat = visible(text).replace("\n", "\\n").replace("\t", " ")
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def _spell(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
