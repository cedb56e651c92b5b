"""OpenAI's error object, which both of its APIs use: ``{"error": {"message", "type", "param", "code"}}``.

The API reference ("Error codes") lists statuses, not types; the words are those that the service was seen to answer
with. Clients go by the status and by ``code``.
"""

from __future__ import annotations

from typing import Final

from ccproxy.errors import Kind
from ccproxy.lightllm.status import Failure, error_object, kind_of_status, message_of, text

WORDS: Final[dict[Kind, tuple[str, str | None]]] = {
    "invalid_request": ("invalid_request_error", None),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "permission": ("invalid_request_error", "permission_denied"),
    "not_found": ("invalid_request_error", "not_found"),
    "too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "overloaded": ("server_error", "server_is_overloaded"),
    "timeout": ("server_error", "timeout"),
    "upstream": ("server_error", "upstream_error"),
    "not_implemented": ("not_implemented_error", "not_implemented"),
    "internal": ("server_error", "server_error"),
}
"""Type and code of each kind."""

KINDS: Final[dict[str, Kind]] = {
    **{code: kind for kind, (_, code) in WORDS.items() if code},
    "rate_limit_error": "rate_limit",
    "insufficient_quota": "rate_limit",
    "model_not_found": "not_found",
    "slow_down": "overloaded",
    "invalid_prompt": "invalid_request",
    "context_length_exceeded": "invalid_request",
    "authentication_error": "authentication",
}
"""Kind of each code, or of each type that says more than the status."""


def error(failure: Failure) -> dict[str, object]:
    """The ``error`` object."""
    word, code = WORDS[failure.kind]
    return {"message": failure.message, "type": word, "param": None, "code": failure.code or code}


def decode(status: int, body: bytes) -> Failure:
    """Read an error answer, or the data of an event that holds an ``error`` object."""
    _, found = error_object(body)
    number = found.get("code")
    code = text(number) or (str(number) if isinstance(number, int) else None)
    kind = KINDS.get(code or "") or KINDS.get(text(found.get("type")) or "")
    return Failure(status, kind or kind_of_status(status), message_of(status, body, found), code=code)
