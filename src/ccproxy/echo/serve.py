"""Echo on a private loopback socket, inside the process that wants it (the listener).

>>> echo = await start()          # doctest: +SKIP
>>> echo.port                     # doctest: +SKIP
41873
>>> await echo.stop()             # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

_DRAIN_S = 1
"""What a stream in flight is given when echo stops."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A running provider."""

    port: int
    """On 127.0.0.1; requests may be sent at once."""
    stop: Callable[[], Awaitable[None]]
    """Close the socket and wait until the server has ended."""


async def start() -> Echo:
    """Serve on a free port of 127.0.0.1, in this event loop, until ``stop`` is awaited.

    Signals stay with the caller, nothing is logged. uvicorn and the dialects are imported here, not before.
    """
    import uvicorn  # noqa: PLC0415 - 0.15 s that only a process with an echo provider pays

    from ccproxy.echo.app import app  # noqa: PLC0415

    class Server(uvicorn.Server):
        """A server that leaves signals alone."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    # The protocol is named: asyncio sets TCP_NODELAY only on sockets that know theirs.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="echo")

    async def stop() -> None:
        server.should_exit = True
        await task

    return Echo(listening.getsockname()[1], stop)
