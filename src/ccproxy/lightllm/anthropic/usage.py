"""How a Messages answer ended (Anthropic API reference, "Messages" and "Streaming messages").

``input_tokens`` counts neither cache reads nor cache writes; ``output_tokens`` includes thinking. ``message_start``
has the input's counts, ``message_delta`` the output's, cumulatively, and some servers correct the input's in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ccproxy.lightllm.ending import Ending, Usage, count, mapping, salvage, total, word

MARKS: Final = {
    "start": re.compile(rb'"type"\s*:\s*"message_start"'),
    "delta": re.compile(rb'"type"\s*:\s*"message_delta"'),
    "stop": re.compile(rb'"type"\s*:\s*"message_stop"'),
    "error": re.compile(rb'"type"\s*:\s*"error"'),
}
"""Finds the events that have to be read; of each kind the last one counts."""


def read_event(event: Mapping[str, object]) -> Ending:
    """What one event's data says."""
    match event.get("type"):
        case "message_start":
            message = mapping(event.get("message"))
            return Ending(mapping(message.get("usage")), model=word(message.get("model")))
        case "message_delta":
            delta = mapping(event.get("delta"))
            return Ending(mapping(event.get("usage")), word(delta.get("stop_reason")))
        case "message_stop":
            return Ending(finished=True)
        case "error":
            return Ending(failed=True)
        case _:
            return Ending()


def read_body(body: Mapping[str, object]) -> Ending:
    """What a whole answer says."""
    if body.get("type") == "error":
        return Ending(failed=True)
    stop = word(body.get("stop_reason"))
    counts = body.get("usage")
    return Ending(mapping(counts) if counts else None, stop, word(body.get("model")), finished=stop is not None)


def read_remains(data: bytes) -> Ending:
    """What is left of an event that was too long to keep: none of those that matter is long."""
    return Ending(model=word(salvage(data, "model")))


def normalise(counts: Mapping[str, object]) -> Usage | None:
    """Counts in the common convention; None if there are none."""
    read = count(counts.get("cache_read_input_tokens"))
    write = count(counts.get("cache_creation_input_tokens"))
    fresh = count(counts.get("input_tokens"))
    output = count(counts.get("output_tokens"))
    if fresh is None and output is None:
        return None
    thinking = count(mapping(counts.get("output_tokens_details")).get("thinking_tokens"))
    return Usage(total(fresh, read, write), output, read, write, thinking)


def counts(usage: Usage | None) -> dict[str, object]:
    """The counterpart of ``normalise``. What is not known is 0, as in the ``message_start`` of every stream."""
    usage = usage or Usage()
    read, write = usage.cache_read or 0, usage.cache_write or 0
    document: dict[str, object] = {
        "input_tokens": max((usage.input or 0) - read - write, 0),
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output or 0,
    }
    if usage.reasoning is not None:
        document["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return document
