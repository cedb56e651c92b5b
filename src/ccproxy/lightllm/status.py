"""What went wrong, independent of any wire format: the value that every dialect's ``errors.py`` writes and reads.

>>> Failure(429, "rate_limit", "too many requests")
Failure(status=429, kind='rate_limit', message='too many requests', request_id=None, code=None)
>>> kind_of_status(529)
'overloaded'
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ccproxy.errors import CcproxyError, Kind, RequestError

MESSAGE_LIMIT: Final = 4096
"""Longest message, in characters, that is read out of a provider's answer."""
_PARSE_LIMIT: Final = 1 << 20
"""Longest error body, in bytes, that is parsed."""

# RFC 9110 §15.5, §15.6; 422 and 429 are RFC 9110 §15.5.21 and RFC 6585 §4; 499 and 529 are in use, not registered.
STATUS_KIND: Final[dict[int, Kind]] = {
    400: "invalid_request",
    401: "authentication",
    402: "permission",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    422: "invalid_request",
    429: "rate_limit",
    499: "timeout",
    500: "internal",
    501: "not_implemented",
    502: "upstream",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

KIND_STATUS: Final[dict[Kind, int]] = {
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "too_large": 413,
    "rate_limit": 429,
    "overloaded": 503,
    "timeout": 504,
    "upstream": 502,
    "not_implemented": 501,
    "internal": 500,
}
"""The usual status of a kind."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a client is told it."""

    status: int
    """HTTP status. In the middle of a stream it is what the status would have been."""
    kind: Kind
    message: str
    """For people; never holds a secret."""
    request_id: str | None = None
    """The provider's id of the request, where the answer names one."""
    code: str | None = None
    """The provider's own word for the cause, ``context_length_exceeded``; only the OpenAI formats have room for it."""

    @classmethod
    def of(cls, error: CcproxyError, request_id: str | None = None) -> Failure:
        """The failure that an exception of ours stands for."""
        message = str(error) if isinstance(error, RequestError) else "ccproxy failed; its log says why"
        return cls(error.status, error.kind, message, request_id)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a stream was broken off: what an error event has to know to join on to it."""

    mid_event: bool = False
    """The last event is not closed."""
    sequence_number: int = 0
    """The number that the next event has (openai_responses)."""
    array: bool = False
    """The stream is a JSON array, not server-sent events (google without ``alt=sse``)."""
    empty: bool = False
    """Nothing has been sent yet."""


def kind_of_status(status: int) -> Kind:
    """The kind of a status that came with no usable body."""
    return STATUS_KIND.get(status) or ("invalid_request" if status < 500 else "internal")


def dump(value: object) -> bytes:
    """JSON in ASCII, so that no half of a surrogate pair in a provider's message can break the encoding."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def error_object(body: bytes) -> tuple[dict[str, object], dict[str, object]]:
    """The document and its ``error`` object, both empty where there is none.

    Finds it in Google's one-element array and in the response of a ``response.failed`` event. Takes what gateways send
    in place of their vendor's shape, too: ``{"error": "text"}``, ``{"message": "text"}``, ``{"detail": "text"}``.
    """
    document = _document(body)
    response = document.get("response")
    for inner in (document.get("error"), response.get("error") if isinstance(response, dict) else None, document):
        if isinstance(inner, str):
            return document, {"message": inner}
        if isinstance(inner, dict) and "message" in inner:
            return document, inner
        if isinstance(inner, dict) and isinstance(inner.get("detail"), str):
            return document, {**inner, "message": inner["detail"]}
    return document, {}


def _document(body: bytes) -> dict[str, object]:
    if len(body) > _PARSE_LIMIT:
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    return document if isinstance(document, dict) else {}


def text(value: object) -> str | None:
    """A string that says something, or None; never longer than MESSAGE_LIMIT."""
    return value[:MESSAGE_LIMIT] if isinstance(value, str) and value.strip() else None


def message_of(status: int, body: bytes, error: dict[str, object]) -> str:
    """The message of an error object, else what can be read in the body, else the status."""
    found = text(error.get("message"))
    if found is not None:
        return found
    said = " ".join(body[:MESSAGE_LIMIT].decode("utf-8", "replace").split())
    if said.startswith("<"):
        start, end = said.lower().find("<title>"), said.lower().find("</title>")
        said = said[start + 7 : end].strip() if 0 <= start < end else ""
    return f"HTTP {status}: {said[:500]}" if said else f"the provider answered with HTTP {status} and no message"
