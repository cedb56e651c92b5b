"""How a Gemini answer ended (Gemini API reference, "GenerateContentResponse").

``promptTokenCount`` includes cached ones but not what tools read in (``toolUsePromptTokenCount``);
``candidatesTokenCount`` does not include thoughts. Zeros are left out (ProtoJSON). Every chunk has the counts so far.
A prompt that was refused has no candidate and no finish reason: its block reason ends the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ccproxy.lightllm.ending import Ending, Usage, count, first, mapping, salvage, total, word

MARKS: Final = {
    "finish": re.compile(rb'"finishReason"\s*:\s*"'),
    "block": re.compile(rb'"blockReason"\s*:\s*"'),
    "usage": re.compile(rb'"promptTokenCount"'),
    "error": re.compile(rb'"error"\s*:\s*\{'),
}
"""Finds the chunks that have to be read; of each kind the last one counts."""


def read_event(event: Mapping[str, object]) -> Ending:
    """What one chunk says."""
    if event.get("error"):
        return Ending(failed=True)
    if "candidates" not in event and "response" in event:  # Code Assist (v1internal) wraps each chunk
        event = mapping(event["response"])
    finish = word(first(event.get("candidates")).get("finishReason"))
    stop = finish or word(mapping(event.get("promptFeedback")).get("blockReason"))
    counts = event.get("usageMetadata")
    return Ending(mapping(counts) if counts else None, stop, word(event.get("modelVersion")), finished=stop is not None)


read_body = read_event
"""A whole answer says it in the same places."""


def read_remains(data: bytes) -> Ending:
    """What is left of a chunk that was too long to keep (pictures come in such), or of an array of chunks."""
    error = mapping(salvage(data, "error"))
    return read_event(
        {
            # A tool's arguments may hold the key, but hardly with google.rpc.Status's own.
            "error": error if "code" in error and "message" in error else None,
            "candidates": [{"finishReason": salvage(data, "finishReason")}],
            "promptFeedback": {"blockReason": salvage(data, "blockReason")},
            "usageMetadata": salvage(data, "usageMetadata"),
            "modelVersion": salvage(data, "modelVersion"),
        }
    )


def normalise(counts: Mapping[str, object]) -> Usage | None:
    """Counts in the common convention; None if there are none."""
    prompt = count(counts.get("promptTokenCount"))
    if prompt is None:
        return None
    thoughts = count(counts.get("thoughtsTokenCount"))
    output = (count(counts.get("candidatesTokenCount")) or 0) + (thoughts or 0)
    tools = count(counts.get("toolUsePromptTokenCount"))
    return Usage(total(prompt, tools), output, count(counts.get("cachedContentTokenCount")), None, thoughts)


def counts(usage: Usage) -> dict[str, int]:
    """The counterpart of ``normalise``.

    >>> counts(Usage(input=9, output=7, cache_read=4, reasoning=5))["candidatesTokenCount"]
    2
    """
    output = usage.output or 0
    thoughts = min(usage.reasoning or 0, output)
    known = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": None if usage.output is None else output - thoughts,
        "totalTokenCount": None if usage.input is None and usage.output is None else (usage.input or 0) + output,
        "cachedContentTokenCount": usage.cache_read or None,
        "thoughtsTokenCount": thoughts or None,
    }
    return {name: value for name, value in known.items() if value is not None}
