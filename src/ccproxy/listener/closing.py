"""Close what mitmproxy forgets: a connection that is to be closed while its task waits for its turn.

mitmproxy (12.2.3) closes a connection by cancelling the task that reads from it, and handles events one at a time,
under a lock. A task that is cancelled while it waits for that lock, with bytes that it has just read, ends without
closing its socket and without telling anybody: the other side hangs. It happens when an answer, such as 413, ends the
connection of a client that is still sending.
"""

from __future__ import annotations

import asyncio

from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.proxy import events
from mitmproxy.proxy.server import ConnectionHandler


def install(handler: ConnectionHandler) -> None:
    """Do this for a client connection, and for the upstream connections that will be made for it."""
    handle_connection = handler.handle_connection

    async def handle(connection: Connection) -> None:
        try:
            await handle_connection(connection)
        except asyncio.CancelledError:
            forgotten = handler.transports.pop(connection, None)
            if forgotten is not None and isinstance(forgotten.writer, asyncio.StreamWriter):
                forgotten.writer.close()
                connection.state = ConnectionState.CLOSED
                await handler.server_event(events.ConnectionClosed(connection))
            raise

    handler.handle_connection = handle  # type: ignore[method-assign]
