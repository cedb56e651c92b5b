"""Errors of Chat Completions: the OpenAI error object; in a stream, a ``data`` line that holds it.

No ``data: [DONE]`` follows: it would read as completeness.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ccproxy.lightllm import openai_errors
from ccproxy.lightllm.status import KIND_STATUS, Cut, Failure, dump, error_object

_STATUSES: Final = frozenset(str(status) for status in range(400, 600))


def encode_failure(failure: Failure) -> bytes:
    """The body of an error answer."""
    return dump({"error": openai_errors.error(failure)})


def encode_stream_failure(failure: Failure, cut: Cut) -> bytes:
    """The error as the last chunk. The SDKs raise on a chunk that has an ``error`` key."""
    return (b"\n\n" if cut.mid_event else b"") + b"data: " + encode_failure(failure) + b"\n\n"


def decode_failure(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an error chunk."""
    return openai_errors.decode(status, body)


def decode_stream_failure(data: bytes) -> Failure:
    """Read an error in the middle of a stream: its status is the one that it names, else the usual one of its kind.

    OpenRouter and Groq name it as a number or its digits, in ``code`` or ``status_code`` (seen 2026-11).
    """
    _, error = error_object(data)
    for named in (error.get("code"), error.get("status_code")):
        if isinstance(named, int | str) and str(named) in _STATUSES:
            return decode_failure(int(named), data)
    found = decode_failure(500, data)
    return replace(found, status=KIND_STATUS[found.kind])
