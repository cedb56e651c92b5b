"""Sentinel keys: what a client sends in place of a credential.

::

    sentinel = "sk-ant-oat-ccproxy-" provider [ "." token ]      provider: [A-Za-z0-9_-]+   token: the listener's own

A sentinel is no secret: it names the provider whose credential the edge will write. It is looked for wherever a
vendor's SDK puts a key: ``x-api-key``, ``authorization: Bearer``, ``x-goog-api-key``, ``api-key`` and ``?key=``. The
last needs no preflight in a browser, so it counts only where a page cannot have sent it: with a JSON body, or none.

>>> find(Headers(((b"x-api-key", b"sk-ant-oat-ccproxy-deepseek"),)), "/v1/messages", has_body=True)
Sentinel(provider='deepseek', slot='x-api-key')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Literal
from urllib.parse import unquote_plus, unquote_to_bytes

from ccproxy.errors import BadRequest, CredentialError, Forbidden
from ccproxy.headers import Headers

PREFIX: Final = "sk-ant-oat-ccproxy-"

type Slot = Literal["x-api-key", "authorization", "x-goog-api-key", "api-key", "key"]
"""Where a client puts its key: a header of that name, or the query parameter ``key``."""

HEADER_SLOTS: Final[tuple[Literal["x-api-key", "authorization", "x-goog-api-key", "api-key"], ...]] = (
    "x-api-key",
    "authorization",
    "x-goog-api-key",
    "api-key",
)
QUERY_SLOT: Final = "key"

_SENTINEL: Final = re.compile(re.escape(PREFIX) + r"([A-Za-z0-9_-]+)(?:\.([!-~]+))?")
_PREFIX_BYTES: Final = PREFIX.encode()
_JSON: Final = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A sentinel key as found in one request."""

    provider: str
    slot: Slot
    token: str | None = field(default=None, repr=False)
    """The listener's token, for clients that cannot be told by their uid."""


def find(headers: Headers, path: str, *, has_body: bool) -> Sentinel | None:
    """The sentinel of a request; ``path`` is the request target with its query.

    Raises BadRequest for two that differ, CredentialError for one that is misspelt, Forbidden for one in ``?key=``
    with a body that is not declared as JSON.
    """
    found: Sentinel | None = None
    for slot, value in _keys(headers, path):
        if not value.startswith(PREFIX):
            continue
        one = parse(value, slot)
        if slot == QUERY_SLOT and has_body and not is_json(headers.get("content-type")):
            raise Forbidden(
                "a sentinel key in ?key= counts only with `content-type: application/json`, since any web page "
                "could send it otherwise; set that header, or send the key in one"
            )
        if found is not None and (found.provider, found.token) != (one.provider, one.token):
            raise BadRequest(f"two different sentinel keys in one request ({found.slot} and {one.slot}); send one")
        found = found or one
    return found


def parse(value: str, slot: Slot) -> Sentinel:
    """The parts of a key that begins with the prefix. Raises CredentialError if the rest is no provider name."""
    match = _SENTINEL.fullmatch(value)
    if match is None:
        raise CredentialError(
            f"the key in {slot} begins like a sentinel key but names no provider; write {PREFIX}NAME, where NAME is "
            "a key of `providers` in ccproxy.yaml"
        )
    return Sentinel(match[1], slot, match[2])


def remove(headers: Headers, path: str) -> str:
    """Empty every slot, the client's own real keys included, and give the path without its ``?key=``.

    Where a sentinel speaks, nothing else that the client sent may act as a credential.
    """
    headers.remove(*HEADER_SLOTS)
    bare, mark, query = path.partition("?")
    if not mark or not _has_key(query):
        return path
    kept = [pair for pair in query.split("&") if not _is_key(pair)]
    return f"{bare}?{'&'.join(kept)}" if kept else bare


def is_left_in(headers: Headers, path: str) -> bool:
    """Whether a sentinel is anywhere in headers or URL, percent-encoded or not: it must not leave the machine."""
    text = b"\n".join([part for field in headers.fields for part in field] + [path.encode()]).lower()
    return _PREFIX_BYTES in text or (b"%" in text and _PREFIX_BYTES in unquote_to_bytes(text))


def is_json(content_type: str) -> bool:
    """Whether a content type is JSON, which a web page cannot send to another origin without asking first."""
    return _JSON.fullmatch(content_type.strip()) is not None


def unknown_provider(name: str, configured: Iterable[str]) -> CredentialError:
    """The error for a sentinel that names no configured provider."""
    names = sorted(configured)
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {PREFIX}{close[0]}? " if close else ""
    known = ", ".join(names) or "none"
    return CredentialError(
        f"the sentinel key names the provider {name!r}, which is not configured; {hint}Configured: {known}"
    )


def _keys(headers: Headers, path: str) -> Iterator[tuple[Slot, str]]:
    for slot in HEADER_SLOTS:
        for value in headers.get_all(slot):
            yield slot, _bearer(value) if slot == "authorization" else value.strip()
    query = path.partition("?")[2]
    if _has_key(query):
        for pair in query.split("&"):
            if _is_key(pair):
                yield QUERY_SLOT, unquote_plus(pair.partition("=")[2])


def _bearer(value: str) -> str:
    scheme, _, key = value.strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _has_key(query: str) -> bool:
    """A cheap first look: nothing that could spell ``key`` means that nothing is split or decoded."""
    return "key" in query or "%" in query


def _is_key(pair: str) -> bool:
    return unquote_plus(pair.partition("=")[0]) == QUERY_SLOT
