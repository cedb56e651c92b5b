"""Errors of the Responses API: the OpenAI error object; in a stream, an ``error`` event.

The reference ("Streaming events", ``error``) has ``code``, ``message`` and ``param`` beside ``type``; the official SDKs
raise only where the event has an ``error`` object, which the service sends too. The event has both.
"""

from __future__ import annotations

from ccproxy.lightllm import openai_errors
from ccproxy.lightllm.status import Cut, Failure, dump


def encode_failure(failure: Failure) -> bytes:
    """The body of an error answer."""
    return dump({"error": openai_errors.error(failure)})


def encode_stream_failure(failure: Failure, cut: Cut) -> bytes:
    """The ``error`` event, numbered to follow what was sent."""
    error = openai_errors.error(failure)
    event = {
        "type": "error",
        "sequence_number": cut.sequence_number,
        "code": error["code"],
        "message": error["message"],
        "param": None,
        "error": error,
    }
    return (b"\n\n" if cut.mid_event else b"") + b"event: error\ndata: " + dump(event) + b"\n\n"


def decode_failure(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an ``error`` event."""
    return openai_errors.decode(status, body)
