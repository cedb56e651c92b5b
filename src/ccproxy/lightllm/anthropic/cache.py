"""Marks of what is worth caching, within what the API allows (Anthropic documentation, "Prompt caching").

At most four, the top-level one included; one for an hour may not come behind one for five minutes, in the order of the
prompt: tools, system, messages. Of more than four the first is kept, which other conversations share, and the last
three, which this one goes on from. An hour behind five minutes becomes five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ccproxy.lightllm.plan import Warn

MARK_LIMIT: Final = 4
_KEY: Final = "cache_control"


def bound_marks(body: dict[str, object], warn: Warn) -> None:
    """Take away, or shorten, the marks of a body that the API would refuse."""
    marked = list(_marked(body))
    own = [body] if _KEY in body else []
    most = MARK_LIMIT - len(own)
    dropped = marked[1 : max(len(marked) - most + 1, 1)]
    for block in dropped:
        del block[_KEY]
    if dropped:
        warn(f"{_KEY}: of {len(marked) + len(own)} marks the first and the last are kept, {MARK_LIMIT} are allowed")
    short = False
    for block in [each for each in marked if _KEY in each] + own:
        mark = block[_KEY]
        if isinstance(mark, dict):
            if short and mark.get("ttl") == "1h":
                block[_KEY] = {"type": "ephemeral"}
                warn(f"{_KEY}: 5m instead of 1h, a long mark behind a short one is refused")
            short = short or mark.get("ttl") != "1h"


def _marked(body: dict[str, object]) -> Iterator[dict[str, object]]:
    for block in (*_blocks(body.get("tools")), *_blocks(body.get("system"))):
        if _KEY in block:
            yield block
    for message in _blocks(body.get("messages")):
        for block in _blocks(message.get("content")):
            if _KEY in block:
                yield block


def _blocks(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
