"""The keys that a client sent of its own, in the places where keys are sent.

This process did not resolve them, so the redactor does not know them; a provider that refuses one likes to quote it.

>>> own_keys(((b"Authorization", b"Bearer their-own-0123456789"),), "http://h/v1?key=another-0123456789") == {
...     "their-own-0123456789", "another-0123456789"}
True
"""

from __future__ import annotations

from urllib.parse import unquote_plus, urlsplit

from ccproxy.flows import patterns
from ccproxy.headers import Fields

LEAST = 12
"""Characters. What is shorter (``dummy``, ``none``) opens no account, and would be cut out of ordinary text."""
MOST = 8


def own_keys(headers: Fields, url: str) -> frozenset[str]:
    """Values of headers and query parameters whose names say that they are secret. A sentinel is none, its token is."""
    found = [
        part
        for name, value in headers
        if patterns.is_secret_header(name)
        for part in _parts(name, value.decode("latin-1"))
    ]
    if "?" in url:
        found += _in_query(url)
    keys = [_token(key) if key.startswith(patterns.SENTINEL) else key for key in found]
    return frozenset([key for key in keys if len(key) >= LEAST][:MOST])


def _token(sentinel: str) -> str:
    return sentinel.removeprefix(patterns.SENTINEL).partition(".")[2]


def _parts(name: bytes, value: str) -> list[str]:
    if name.lower() in (b"cookie", b"set-cookie"):
        return [pair.partition("=")[2].strip() for pair in value.split(";")]
    return value.split()[-1:]  # behind the scheme, if there is one


def _in_query(url: str) -> list[str]:
    try:
        query = urlsplit(url).query
    except ValueError:
        query = url.partition("?")[2]
    pairs = (pair.partition("=") for pair in query.split("&"))
    return [unquote_plus(value) for name, _, value in pairs if name.lower() in patterns.QUERY_NAMES]
