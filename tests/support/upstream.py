"""A provider on loopback that does what a test says: HTTP/1.1, plain or over TLS, and HTTP/2 over TLS.

>>> async with Upstream(json(200, {"ok": True}), tls=True, http2=True) as upstream:    # doctest: +SKIP
...     ...                                    # requests to upstream.origin, trusting upstream.ca_file
...     await upstream.wait_requests(1)
...     assert upstream.requests[0].header("x-api-key") == "the real one"

It lives in the test's own loop, or in a thread of its own (``with Upstream.in_thread(…) as upstream``) for tests that
block. What it recorded, and ``block_until``, may be used from every thread. When the block ends without an
exception, the first exception that a script raised (an assertion about the request, say) or that a client caused by
breaking the protocol is raised there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from tests.support.answers import Gate, body, json, script, silence, sse
from tests.support.certificates import Authority
from tests.support.exchange import Answer, ClientGone, Closed, Connection, Received, Send
from tests.support.h1server import H1Connection
from tests.support.h2server import H2Connection

__all__ = [
    "Answer",
    "ClientGone",
    "Closed",
    "Gate",
    "Received",
    "Send",
    "Upstream",
    "body",
    "json",
    "script",
    "silence",
    "sse",
]

WAIT_S = 10.0


class Upstream:
    """One scripted provider.

    ``http2`` (which implies ``tls``) offers h2 before http/1.1 by ALPN. ``names`` are what the certificate is for;
    ``authority`` signs it (default: a root of its own). ``host`` is the address to bind.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        tls: bool = False,
        http2: bool = False,
        names: Sequence[str] = ("localhost", "127.0.0.1"),
        authority: Authority | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.answer = answer
        """May be replaced at any time; a request takes the one of its moment."""
        self.requests: list[Received] = []
        """Every complete request, in the order in which they came."""
        self.closed: list[Closed] = []
        """Every time a client went away, in order."""
        self.connections = 0
        """How many connections were accepted."""
        self.failures: list[Exception] = []
        """What scripts raised, and protocol errors of clients."""
        self.host = host
        self.port = port
        self._tls = tls or http2
        self._http2 = http2
        self._names = names
        self._authority = authority
        self._changed = threading.Condition()
        self._stack = contextlib.ExitStack()
        self._open: dict[int, Connection] = {}

    # -- where it is ---------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """``http(s)://name:port``: the name is the certificate's first under TLS, otherwise the address."""
        return f"https://{self._names[0]}:{self.port}" if self._tls else f"http://{self.host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The root that signed its certificate, PEM."""
        assert self._authority is not None, "this upstream speaks no TLS"
        return self._authority.ca_file

    # -- waiting for what it saw ---------------------------------------------------------------------------------

    def block_until(self, condition: Callable[[Upstream], bool], timeout: float = WAIT_S) -> None:
        """Block until ``condition`` of its records holds. Raises TimeoutError with what was seen."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout):
                seen = [f"{request.method} {request.path}" for request in self.requests]
                raise TimeoutError(f"not within {timeout} s; requests: {seen}; closed: {len(self.closed)}")

    async def until(self, condition: Callable[[Upstream], bool], timeout: float = WAIT_S) -> None:
        """``block_until`` without blocking the loop."""
        await asyncio.to_thread(self.block_until, condition, timeout)

    async def wait_requests(self, count: int = 1, timeout: float = WAIT_S) -> Received:
        """Until ``count`` requests have come in all. The last of these."""
        await self.until(lambda seen: len(seen.requests) >= count, timeout)
        return self.requests[count - 1]

    async def wait_closed(self, count: int = 1, timeout: float = WAIT_S) -> Closed:
        """Until clients have left while ``count`` answers were under way. The last of these."""
        await self.until(lambda seen: len(seen.broken_off) >= count, timeout)
        return self.broken_off[count - 1]

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def broken_off(self) -> list[Closed]:
        """The events of ``closed`` that hit an answer under way."""
        return [closed for closed in self.closed if closed.request is not None]

    # -- life ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext | None = None
        if self._tls:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="upstream-")))
            self._authority = self._authority or Authority(folder)
            context = self._authority.server_context(self._names, ["h2", "http/1.1"] if self._http2 else ["http/1.1"])
            context.sni_callback = _note_name
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, self.port, ssl=context, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is None and self.failures:
            raise self.failures[0]

    async def stop(self) -> None:
        """Close the socket and every connection (a provider that goes down). Records stay readable."""
        self._server.close()
        for connection in list(self._open.values()):
            connection.ended_here = True
            connection.transport.abort()
        deadline = time.monotonic() + WAIT_S
        while self._open and time.monotonic() < deadline:
            await asyncio.sleep(0.001)
        self._stack.close()

    @classmethod
    @contextlib.contextmanager
    def in_thread(cls, answer: Answer, **options: Any) -> Iterator[Self]:
        """The same, served by a thread of its own."""
        upstream = cls(answer, **options)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="upstream", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(upstream.__aenter__(), loop).result(WAIT_S)
            try:
                yield upstream
            finally:
                asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result(2 * WAIT_S)
            if upstream.failures:
                raise upstream.failures[0]
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(WAIT_S)
            loop.close()

    def _protocol(self) -> asyncio.Protocol:
        return _Chosen(self)

    # -- what connections report (``exchange.Site``) -------------------------------------------------------------

    def connected(self, connection: Connection) -> int:
        with self._changed:
            self.connections += 1
            self._open[self.connections] = connection
            self._changed.notify_all()
            return self.connections

    def disconnected(self, connection: int) -> None:
        with self._changed:
            self._open.pop(connection, None)
            self._changed.notify_all()

    def received(self, request: Received) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def left(self, closed: Closed) -> None:
        with self._changed:
            self.closed.append(closed)
            self._changed.notify_all()

    def failed(self, error: Exception) -> None:
        with self._changed:
            self.failures.append(error)
            self._changed.notify_all()


class _Chosen(asyncio.Protocol):
    """Stands in until ALPN has said which HTTP this is."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        protocol = H2Connection(self._upstream) if http2 else H1Connection(self._upstream)
        cast("asyncio.Transport", transport).set_protocol(protocol)
        protocol.connection_made(transport)


def _note_name(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
    tls.requested_name = name  # type: ignore[union-attr]
