"""HTTP/1.1 requests out of the bytes that a tap kept (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

type Fields = tuple[tuple[str, str], ...]

CREDENTIALS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""The header slots that a key can stand in."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    target: str
    """Path and query as sent."""
    headers: Fields
    """In wire order, names as sent."""
    body: bytes
    """The content, chunked coding removed."""

    def header(self, name: str) -> str | None:
        """The first value."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def credentials(self) -> Fields:
        """The header fields that can hold a key, names in lower case."""
        return tuple((key.lower(), value) for key, value in self.headers if key.lower() in CREDENTIALS)


def requests_in(data: bytes) -> Iterator[Request]:
    """Every request in what one client sent on one connection. Raises ValueError if it ends in the middle of one."""
    at = 0
    while at < len(data):
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            raise ValueError(f"a head without an end: {data[at : at + 80]!r}")
        line, *fields = data[at:end].decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        headers = tuple(_field(field) for field in fields)
        known = {name.lower(): value for name, value in headers}
        at = end + 4
        if known.get("transfer-encoding", "").lower() == "chunked":
            body, at = _chunked(data, at)
        else:
            body, at = data[at : at + (size := int(known.get("content-length", 0)))], at + size
        if at > len(data):
            raise ValueError(f"{method} {target}: the body ends {at - len(data)} bytes early")
        yield Request(method, target, headers, body)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


def _chunked(data: bytes, at: int) -> tuple[bytes, int]:
    body = bytearray()
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16)
        at = end + 2
        body += data[at : at + size]
        at += size + 2
        if size == 0:
            return bytes(body), at
