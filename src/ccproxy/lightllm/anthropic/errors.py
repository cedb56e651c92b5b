"""Errors of the Messages API: ``{"type": "error", "error": {"type", "message"}, "request_id"}``.

In a stream the same document is an event named ``error`` (Anthropic API reference, "Errors" and "Streaming messages").
"""

from __future__ import annotations

from typing import Final

from ccproxy.errors import Kind
from ccproxy.lightllm.status import Cut, Failure, dump, error_object, kind_of_status, message_of, text

# Anthropic API reference, "Errors": the statuses are 400, 401, 403, 404, 413, 429, 500, 504 and 529.
TYPES: Final[dict[Kind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "upstream": "api_error",
    "not_implemented": "api_error",
    "internal": "api_error",
}
KINDS: Final[dict[str, Kind]] = {
    **{word: kind for kind, word in TYPES.items()},
    "api_error": "internal",
    "billing_error": "permission",
    "conflict_error": "invalid_request",
}


def encode_failure(failure: Failure) -> bytes:
    """The body of an error answer."""
    document: dict[str, object] = {
        "type": "error",
        "error": {"type": TYPES[failure.kind], "message": failure.message},
    }
    if failure.request_id is not None:
        document["request_id"] = failure.request_id
    return dump(document)


def encode_stream_failure(failure: Failure, cut: Cut) -> bytes:
    """The ``error`` event.

    An event that was cut is not closed but taken over: the last ``event`` field of an event is its name (WHATWG HTML
    §9.2.6), so that clients see an error event, and not a delta with half of its JSON.
    """
    return (b"\n" if cut.mid_event else b"") + b"event: error\ndata: " + encode_failure(failure) + b"\n\n"


def decode_failure(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an ``error`` event."""
    document, error = error_object(body)
    word = text(error.get("type"))
    kind = KINDS.get(word or "") if status not in (501, 502) else None
    return Failure(
        status, kind or kind_of_status(status), message_of(status, body, error), text(document.get("request_id"))
    )
