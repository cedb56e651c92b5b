"""How a chat completion ended (OpenAI API reference, "Chat Completions", "The chat completion chunk object").

``prompt_tokens`` includes cached ones, ``completion_tokens`` includes reasoning. The usage comes with
``stream_options.include_usage``, in a chunk of its own after the one with the finish reason; compatible providers
send it elsewhere: Groq in ``x_groq``, Moonshot in the choice, DeepSeek with ``prompt_cache_hit_tokens``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ccproxy.lightllm.ending import Ending, Usage, count, first, mapping, salvage, word

MARKS: Final = {
    "finish": re.compile(rb'"finish_reason"\s*:\s*"'),
    "usage": re.compile(rb'"usage"\s*:\s*\{'),
    "error": re.compile(rb'"error"\s*:\s*["{]'),
    "done": re.compile(rb"data: ?\[DONE\]"),
}
"""Finds the events that have to be read; of each kind the last one counts."""


def read_event(event: Mapping[str, object]) -> Ending:
    """What one chunk says."""
    if event.get("error"):
        return Ending(failed=True)
    choices = event.get("choices")
    finish = (
        next((reason for reason in map(_finish_reason, choices) if reason), None) if isinstance(choices, list) else None
    )
    counts = event.get("usage") or mapping(event.get("x_groq")).get("usage") or first(choices).get("usage")
    return Ending(mapping(counts) if counts else None, finish, word(event.get("model")), finished=finish is not None)


read_body = read_event
"""A whole answer says it in the same places."""


def read_remains(data: bytes) -> Ending:
    """What is left of a chunk that was too long to keep (pictures come in such)."""
    return read_event(
        {
            "choices": [{"finish_reason": salvage(data, "finish_reason")}],
            "usage": salvage(data, "usage"),
            "model": salvage(data, "model"),
        }
    )


def normalise(counts: Mapping[str, object]) -> Usage | None:
    """Counts in the common convention; None if there are none."""
    prompt, completion = count(counts.get("prompt_tokens")), count(counts.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    details = mapping(counts.get("prompt_tokens_details"))
    cached = count(details.get("cached_tokens"))
    if cached is None:
        cached = count(counts.get("prompt_cache_hit_tokens"))
    reasoning = count(mapping(counts.get("completion_tokens_details")).get("reasoning_tokens"))
    return Usage(prompt, completion, cached, count(details.get("cache_write_tokens")), reasoning)


def counts(usage: Usage) -> dict[str, object]:
    """The usage object of counts in the common convention; the reference wants its first three numbers always."""
    prompt, completion = usage.input or 0, usage.output or 0
    written: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    cache = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    if known := {name: tokens for name, tokens in cache.items() if tokens is not None}:
        written["prompt_tokens_details"] = known
    if usage.reasoning is not None:
        written["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return written


def _finish_reason(choice: object) -> str | None:
    return word(mapping(choice).get("finish_reason"))
