"""Headers at the border between two APIs: what of a client's is left behind, what of a provider's is told.

A header that belongs to one API means nothing to the other, or something else: it stays here. Of the provider's answer
only that is told which every client understands, in the words of its own API (Anthropic API reference, "Rate limits",
"Errors"; OpenAI API reference, "Rate limits", "Debugging requests").
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from ccproxy.headers import Fields, Headers
from ccproxy.lightllm.dialect import Dialect
from ccproxy.listener.coding import readable_codings
from ccproxy.sentinel import HEADER_SLOTS

LEFT_BEHIND: Final = (
    b"anthropic-",
    b"x-anthropic-",
    b"x-claude-",
    b"openai-",
    b"x-openai-",
    b"x-oai-",
    b"chatgpt-",
    b"x-codex-",
    b"x-responsesapi-",
    b"x-goog-",
    b"x-vertex-",
    b"x-amz-",
    b"x-ms-",
    b"copilot-",
    b"x-stainless-",
)
"""How the names begin."""
KEYS_OF_OTHERS: Final = (b"-authorization", b"-auth", b"-token", b"-key")
"""How names end that carry a key of some service between a client and its own API. Routing judges ``KEY_SLOTS``."""
KEY_SLOTS: Final = frozenset(name.encode() for name in HEADER_SLOTS)
LEFT_BEHIND_NAMES: Final = frozenset(
    b"originator session-id session_id thread-id thread_id conversation-id conversation_id version x-app x-session-id "
    b"x-session-affinity x-client-request-id x-server-timeout idempotency-key http-referer x-title "
    b"accept accept-encoding content-type content-encoding".split()
)
"""Claude Code, Codex, opencode, the vendors' SDKs; the last ones are said anew."""

ANTHROPIC_VERSION: Final = "2023-06-01"
EVENTS: Final = "text/event-stream"
JSON: Final = "application/json"

_STREAM_TYPE: Final = {
    Dialect.ANTHROPIC: "text/event-stream; charset=utf-8",
    Dialect.OPENAI: "text/event-stream; charset=utf-8",
    Dialect.OPENAI_RESPONSES: "text/event-stream; charset=utf-8",
    Dialect.GOOGLE: EVENTS,
}
"""As the vendors' own servers say it (seen 2026-11)."""
_WHOLE_TYPE: Final = dict.fromkeys(Dialect, JSON) | {Dialect.GOOGLE: "application/json; charset=UTF-8"}

_TOLD: Final = frozenset(b"date retry-after retry-after-ms x-should-retry".split())
_REQUEST_ID: Final = {
    Dialect.ANTHROPIC: "request-id",
    Dialect.OPENAI: "x-request-id",
    Dialect.OPENAI_RESPONSES: "x-request-id",
}
REQUEST_IDS: Final = ("request-id", "x-request-id", "x-goog-request-id")
"""Where providers name the request; the first that is there counts."""


_ANTHROPIC_LIMIT: Final = re.compile(rb"anthropic-ratelimit-(requests|tokens)-(limit|remaining|reset)")
_OPENAI_LIMIT: Final = re.compile(rb"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION_LENGTH: Final = 64
"""Longest duration that is read: on digits without a unit the pattern takes the square of their number."""
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RETRY_DELAY: Final = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"')
"""google.rpc.RetryInfo in the details of an error; Google sends no header."""


def toward_provider(headers: Headers, dialect: Dialect, *, streams: bool) -> None:
    """Make a client's headers those of a request to another API. The credential is not among them."""
    codings = headers.get("accept-encoding")
    headers.fields = tuple(field for field in headers.fields if not _is_left_behind(field[0].lower()))
    headers.set("content-type", JSON)
    headers.set("accept", EVENTS if streams else JSON)
    if codings:
        headers.set("accept-encoding", readable_codings(codings))
    if dialect is Dialect.ANTHROPIC:
        headers.set("anthropic-version", ANTHROPIC_VERSION)


def _is_left_behind(name: bytes) -> bool:
    if name in LEFT_BEHIND_NAMES or name.startswith(LEFT_BEHIND):
        return True
    return name.endswith(KEYS_OF_OTHERS) and name not in KEY_SLOTS


def toward_client(given: Headers, client: Dialect, now: float, *, stream: bool, array: bool = False) -> Headers:
    """The headers of a translated answer, without its framing. ``now``: Unix seconds."""
    told = Headers(tuple(field for field in given.fields if field[0].lower() in _TOLD))
    told.set("content-type", _STREAM_TYPE[client] if stream and not array else _WHOLE_TYPE[client])
    if stream:
        told.set("cache-control", "no-cache")
    if (name := _REQUEST_ID.get(client)) and (found := request_id(given)):
        told.set(name, found)
    for name, value in _limits(given.fields, client, now):
        told.set(name, value)
    return told


def request_id(given: Headers) -> str | None:
    """The provider's own name of the request."""
    return next((found for name in REQUEST_IDS if (found := given.get(name))), None)


def retry_after(body: bytes) -> str | None:
    """What Google says in the body of an error, as a value of ``retry-after``: seconds."""
    found = _RETRY_DELAY.search(body)
    return str(math.ceil(float(found[1]))) if found is not None else None


def _limits(fields: Fields, client: Dialect, now: float) -> Iterator[tuple[str, str]]:
    """The provider's rate limits in the words of the client's API, if that has some."""
    if client is Dialect.GOOGLE:
        return
    for field, data in fields:
        name, value = field.lower(), data.decode("latin-1")
        if (match := _ANTHROPIC_LIMIT.fullmatch(name)) is not None:
            what, part = match[1].decode(), match[2].decode()
            left = _left(value, now) if part == "reset" else None
        elif (match := _OPENAI_LIMIT.fullmatch(name)) is not None:
            part, what = match[1].decode(), match[2].decode()
            left = _duration(value) if part == "reset" else None
        else:
            continue
        if part == "reset" and left is None:
            continue
        if client is Dialect.ANTHROPIC:
            yield f"anthropic-ratelimit-{what}-{part}", value if left is None else _moment(now + left)
        else:
            yield f"x-ratelimit-{part}-{what}", value if left is None else f"{left:.3f}".rstrip("0").rstrip(".") + "s"


def _left(moment: str, now: float) -> float | None:
    """Seconds until a moment (RFC 3339)."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() - now)


def _moment(at: float) -> str:
    try:
        return datetime.fromtimestamp(math.ceil(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59Z"


def _duration(text: str) -> float | None:
    """Seconds in ``6m0s``, ``120ms``."""
    if len(text) > _DURATION_LENGTH:
        return None
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return None
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
