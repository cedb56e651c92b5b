"""Errors of the Responses API: the OpenAI error object; in a stream, an ``error`` event and ``response.failed``.

The service tells a failure twice, and clients need both (seen 2026-11): the official SDKs raise at ``error``, and only
where it has an ``error`` object, though the reference ("Streaming events", ``error``) has ``code``, ``message`` and
``param`` beside ``type``; Codex passes that over and reads ``response.failed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ccproxy.errors import Kind
from ccproxy.lightllm import openai_errors
from ccproxy.lightllm.status import KIND_STATUS, Cut, Failure, dump, error_object

# API reference, "The response object", ``error.code``: none of the others says what is the matter here.
_CODES: Final[dict[Kind, str]] = {
    "rate_limit": "rate_limit_exceeded",
    "invalid_request": "invalid_prompt",
    "authentication": "invalid_prompt",
    "permission": "invalid_prompt",
    "not_found": "invalid_prompt",
    "too_large": "invalid_prompt",
}
_TELLING: Final = frozenset({"context_length_exceeded", "insufficient_quota", "usage_not_included", "invalid_prompt"})
"""Codes that Codex acts on (0.169, seen 2026-11); the service sends them, though its reference has not all of them."""


def encode_failure(failure: Failure) -> bytes:
    """The body of an error answer."""
    return dump({"error": openai_errors.error(failure)})


def encode_stream_failure(failure: Failure, cut: Cut) -> bytes:
    """The end of a stream that failed, numbered to follow what was sent."""
    response = {
        "id": "resp_failed",
        "object": "response",
        "created_at": 0,
        "status": "failed",
        "error": response_error(failure),
        "incomplete_details": None,
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    return (b"\n\n" if cut.mid_event else b"") + failed(failure, response, cut.sequence_number)


def failed(failure: Failure, response: Mapping[str, object], number: int) -> bytes:
    """The two events. ``response`` is the whole object; ``number`` is that of the first event."""
    error = openai_errors.error(failure)
    told = {
        "type": "error",
        "sequence_number": number,
        "code": error["code"],
        "message": error["message"],
        "param": None,
        "error": error,
    }
    last = {"type": "response.failed", "sequence_number": number + 1, "response": response}
    return b"event: error\ndata: " + dump(told) + b"\n\nevent: response.failed\ndata: " + dump(last) + b"\n\n"


def response_error(failure: Failure) -> dict[str, object]:
    """The ``error`` of a response object."""
    code = failure.code if failure.code in _TELLING else _CODES.get(failure.kind, "server_error")
    return {"code": code, "message": failure.message}


def decode_failure(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an ``error`` event."""
    return openai_errors.decode(status, body)


def decode_stream_failure(data: bytes) -> Failure:
    """Read an ``error`` or ``response.failed`` event: its status is the one that it names, else its kind's."""
    _, error = error_object(data)
    for named in (error.get("status"), error.get("status_code"), error.get("code")):
        if isinstance(named, int) and 400 <= named < 600:
            return decode_failure(named, data)
    found = decode_failure(500, data)
    return replace(found, status=KIND_STATUS[found.kind])
