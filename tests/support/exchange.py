"""What passes between a scripted provider and the test that scripts it.

A test writes ``async def answer(request: Received, send: Send) -> None``; the HTTP/1.1 and HTTP/2 servers turn wire
bytes into a ``Received`` and the calls on ``Send`` into wire bytes.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

type Pairs = tuple[tuple[str, str], ...]
type Fields = Iterable[tuple[str, str]]
type Answer = Callable[[Received, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request, complete: its handler starts when the last body byte is here."""

    method: str
    path: str
    """The request target as sent, query included."""
    headers: Pairs
    """In wire order, repeated fields repeated, names as sent (HTTP/2: without the pseudo-header fields)."""
    body: bytes
    """The content, chunked coding removed (content coding is not)."""
    head: bytes
    """HTTP/1.1: request line and header section as they came, with the empty line. HTTP/2: empty."""
    authority: str
    """``Host`` or ``:authority``."""
    connection: int
    """Which connection carried it: 1 for the first that was accepted, 2 for the second …"""
    http_version: Literal["HTTP/1.1", "HTTP/1.0", "HTTP/2"]
    at: float
    """When it was complete, by ``time.monotonic()``."""
    server_name: str | None = None
    """TLS SNI, where there was one."""
    trailers: Pairs = ()
    """HTTP/2: the trailer section."""

    def header(self, name: str, default: str = "") -> str:
        """The first value of a field, by any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), default)

    def header_all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Closed:
    """The client went away: its connection ended, or it reset one HTTP/2 stream."""

    connection: int
    at: float
    """By ``time.monotonic()``."""
    request: Received | None
    """The request whose answer was under way; None: the connection was idle."""
    how: Literal["connection", "stream"]


class Send(ABC):
    """The answer to one request. Every call raises ``ClientGone`` once nobody listens any more.

    An answer that returns without ``end`` is ended for it.
    """

    @abstractmethod
    async def head(self, status: int, headers: Fields = (), *, until_close: bool = False) -> None:
        """Send the status and header section.

        HTTP/1.1 without Content-Length or Transfer-Encoding is sent chunked, or with ``until_close`` up to the end
        of the connection.
        """

    @abstractmethod
    async def data(self, data: bytes) -> None:
        """Send body bytes now, as one chunk. Returns when the transport takes more."""

    @abstractmethod
    async def end(self) -> None: ...

    @abstractmethod
    async def trailers(self, headers: Fields) -> None:
        """End the body with a trailer section."""

    @abstractmethod
    async def abort(self) -> None:
        """Break off: TCP RST, or RST_STREAM(INTERNAL_ERROR) under HTTP/2."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Close the connection in order (FIN; TLS close_notify; GOAWAY), wherever the answer is."""

    @abstractmethod
    async def raw(self, data: bytes) -> None:
        """HTTP/1.1 only: bytes as they are, instead of ``head``. The connection is closed after the answer."""


class Connection(Protocol):
    """What a server keeps of a client connection."""

    transport: asyncio.Transport
    ended_here: bool
    """It is being closed by this side: no news about the client."""


class ClientGone(ConnectionError):
    """The client left while its answer was being sent."""


class Site(Protocol):
    """What a connection tells its server."""

    answer: Answer

    def connected(self, connection: Connection) -> int:
        """A connection was accepted. Its number."""

    def disconnected(self, connection: int) -> None: ...

    def received(self, request: Received) -> None: ...

    def left(self, closed: Closed) -> None: ...

    def failed(self, error: Exception) -> None:
        """A handler raised, or a client broke the protocol."""
