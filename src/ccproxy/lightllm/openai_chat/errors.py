"""Errors of Chat Completions: the OpenAI error object; in a stream, a ``data`` line that holds it.

No ``data: [DONE]`` follows: it would read as completeness.
"""

from __future__ import annotations

from ccproxy.lightllm import openai_errors
from ccproxy.lightllm.status import Cut, Failure, dump


def encode_failure(failure: Failure) -> bytes:
    """The body of an error answer."""
    return dump({"error": openai_errors.error(failure)})


def encode_stream_failure(failure: Failure, cut: Cut) -> bytes:
    """The error as the last chunk. The SDKs raise on a chunk that has an ``error`` key."""
    return (b"\n\n" if cut.mid_event else b"") + b"data: " + encode_failure(failure) + b"\n\n"


def decode_failure(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an error chunk."""
    return openai_errors.decode(status, body)
