"""Errors of the Gemini API: ``{"error": {"code", "message", "status"}}`` (google.rpc.Status in JSON, AIP-193).

``status`` is a name of google.rpc.Code, ``code`` the HTTP status.
"""

from __future__ import annotations

from typing import Final

from ccproxy.errors import Kind
from ccproxy.lightllm.status import Cut, Failure, dump, error_object, kind_of_status, message_of, text

# google/rpc/code.proto, with the HTTP mapping that its comments give.
STATUSES: Final[dict[Kind, str]] = {
    "invalid_request": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "too_large": "INVALID_ARGUMENT",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "overloaded": "UNAVAILABLE",
    "timeout": "DEADLINE_EXCEEDED",
    "upstream": "UNAVAILABLE",
    "not_implemented": "UNIMPLEMENTED",
    "internal": "INTERNAL",
}
KINDS: Final[dict[str, Kind]] = {
    "INVALID_ARGUMENT": "invalid_request",
    "FAILED_PRECONDITION": "invalid_request",
    "OUT_OF_RANGE": "invalid_request",
    "ALREADY_EXISTS": "invalid_request",
    "ABORTED": "invalid_request",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "CANCELLED": "timeout",
    "UNIMPLEMENTED": "not_implemented",
    "INTERNAL": "internal",
    "UNKNOWN": "internal",
    "DATA_LOSS": "internal",
}


def encode_failure(failure: Failure) -> bytes:
    """The body of an error answer."""
    return dump({"error": {"code": failure.status, "message": failure.message, "status": STATUSES[failure.kind]}})


def encode_stream_failure(failure: Failure, cut: Cut) -> bytes:
    """The end of a stream that failed.

    In a JSON array it is the last element. As server-sent events it is sent twice, because the vendor's two SDKs look
    in different places (google-genai 3.4 for Python, @google/genai as of August 2026): Python raises at a ``data``
    line with an ``error``; JavaScript takes that for an answer without candidates, but raises when bare JSON follows.
    To the rules of the format the second is a line that was never ended, which parsers drop.
    """
    document = encode_failure(failure)
    if cut.array:
        return b"[" + document + b"]" if cut.empty else b",\n" + document + b"\n]"
    return (b"\n\n" if cut.mid_event else b"") + b"data: " + document + b"\n\n" + document


def decode_failure(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an error event."""
    _, error = error_object(body)
    kind = KINDS.get(text(error.get("status")) or "") if status not in (413, 502) else None
    return Failure(status, kind or kind_of_status(status), message_of(status, body, error))
