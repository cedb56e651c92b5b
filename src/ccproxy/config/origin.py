"""Hosts, ``host:port`` and base URLs as a configuration spells them (RFC 3986 §3.2, RFC 6454).

The grammar is narrower than the RFC on purpose: what could be read as two different hosts by two programs (user
information, a trailing dot, numbers that are shorthand for an address, letters outside ASCII) is refused.

>>> parse_url("http://127.0.0.1:8080/v1/")
(Origin(scheme='http', host='127.0.0.1', port=8080), '/v1')
>>> parse_authority("Api.DeepSeek.com")
('api.deepseek.com', None)
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Origin(NamedTuple):
    """Where a connection goes."""

    scheme: Literal["http", "https"]
    host: str
    """Lower case; an IPv6 address without brackets."""
    port: int


def parse_host(text: str) -> str:
    """A host name or address, without port, in lower case. Raises ValueError."""
    if (address := _address(text)) is not None:
        return address
    host = text.lower()
    labels = host.split(".")
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError('should be a bare host name or address, such as "api.example.com"')
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("looks like a number, and programs disagree on which address that is; write it in full")
    return host


def parse_authority(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port`` or ``[ipv6]:port``. Raises ValueError."""
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", text)
    if match is None:
        if _address(text) is not None:
            return parse_host(text), None
        raise ValueError('should be "host" or "host:port"; a scheme or a path belongs into base_url')
    host = match[1]
    if host.startswith("["):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError("has brackets around something that is no IPv6 address")
    port = int(match[2]) if match[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("has a port outside 1 to 65535")
    return parse_host(host), port


def parse_url(text: str) -> tuple[Origin, str]:
    """The origin of an http or https URL and its path without a final slash. Raises ValueError.

    User information, a query and a fragment are refused.
    """
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise ValueError("has white space or a backslash in it")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("has brackets around something that is no IPv6 address") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("should be a URL that starts with http:// or https://")
    scheme: Literal["http", "https"] = "http" if parts.scheme == "http" else "https"
    if "@" in parts.netloc:
        raise ValueError("has a user or password in it; credentials belong into auth")
    if "?" in text or "#" in text:
        raise ValueError("has a query or a fragment, which a base URL cannot have")
    host, port = parse_authority(parts.netloc)
    return Origin(scheme, host, port or (80 if scheme == "http" else 443)), parts.path.rstrip("/")


def is_loopback_literal(host: str) -> bool:
    """Whether this is an address of this machine, written as an address: a name can be made to point elsewhere."""
    address = _address(host)
    return address is not None and ipaddress.ip_address(address).is_loopback


def _address(text: str) -> str | None:
    if "%" in text:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
