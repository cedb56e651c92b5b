"""How echo counts tokens: a run of up to four characters that are not white space, with the space before it, is one.

The same text costs the same in every wire format, so usage can be compared across dialects.

>>> pieces("say pong")
['say', ' pong']
>>> count("say", "pong!")
3
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"\s*\S{1,4}|\s+")


def pieces(text: str) -> list[str]:
    """The tokens of a text in order; joined they are the text."""
    return _PIECE.findall(text)


def count(*texts: str) -> int:
    """How many tokens these texts have, each counted by itself."""
    return sum(1 for text in texts for _ in _PIECE.finditer(text))


def fragments(text: str, most: int = 256) -> list[str]:
    """The text cut at token borders for streaming: a token each, longer ones if there were more than ``most``."""
    tokens = pieces(text)
    width = -(-len(tokens) // most) or 1
    return ["".join(tokens[i : i + width]) for i in range(0, len(tokens), width)]
