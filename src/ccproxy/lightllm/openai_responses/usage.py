"""How a response ended (OpenAI API reference, "Responses", "Streaming events").

``input_tokens`` includes cached ones, ``output_tokens`` includes reasoning. The last event holds the whole response
object. Its stop reason is the reason of its incompleteness, else its status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ccproxy.lightllm.ending import Ending, Usage, count, mapping, salvage, word

MARKS: Final = {
    "end": re.compile(rb'"type"\s*:\s*"response\.(completed|incomplete|failed)"'),
    "error": re.compile(rb'"type"\s*:\s*"error"'),
}
"""Finds the events that have to be read; of each kind the last one counts."""

_END: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


def read_event(event: Mapping[str, object]) -> Ending:
    """What one event's data says."""
    kind = event.get("type")
    if kind == "error":
        return Ending(failed=True)
    response = mapping(event.get("response"))
    if kind == "response.created":
        return Ending(model=word(response.get("model")))
    return read_body(response) if kind in _END else Ending()


def read_body(body: Mapping[str, object]) -> Ending:
    """What a response object says."""
    status = word(body.get("status"))
    reason = word(mapping(body.get("incomplete_details")).get("reason"))
    counts = body.get("usage")
    return Ending(
        mapping(counts) if counts else None,
        reason or status,
        word(body.get("model")),
        finished=status in ("completed", "incomplete", "failed"),
        failed=status == "failed",
    )


def read_remains(data: bytes) -> Ending:
    """What is left of a last event that was too long to keep: its type from its head, the usage from its tail."""
    match = MARKS["end"].search(data)
    if match is None:
        return Ending(model=word(salvage(data, "model")))
    response = {"status": match[1].decode(), "usage": salvage(data, "usage"), "model": salvage(data, "model")}
    return read_body(response)


def normalise(counts: Mapping[str, object]) -> Usage | None:
    """Counts in the common convention; None if there are none."""
    given, output = count(counts.get("input_tokens")), count(counts.get("output_tokens"))
    if given is None and output is None:
        return None
    details = mapping(counts.get("input_tokens_details"))
    reasoning = count(mapping(counts.get("output_tokens_details")).get("reasoning_tokens"))
    return Usage(
        given, output, count(details.get("cached_tokens")), count(details.get("cache_write_tokens")), reasoning
    )


def counts(usage: Usage) -> dict[str, object]:
    """The usage object of counts in the common convention; the reference wants all of its numbers, always."""
    given, output = usage.input or 0, usage.output or 0
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read or 0,
            "cache_write_tokens": usage.cache_write or 0,
        },
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": given + output,
    }
