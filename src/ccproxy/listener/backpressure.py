"""A client that reads slowly slows its upstream down, over HTTP/2 as well.

mitmproxy stops reading from upstreams while a socket has more to send than it takes. An HTTP/2 client that reads
slowly leaves its socket free and its flow-control window shut (RFC 9113 §5.2): mitmproxy then keeps what does not fit
in queues of its own, without limit. ``install`` has the tasks that read from upstreams wait for these queues as well.

The client's own task never waits here: it reads what opens the window.
"""

from __future__ import annotations

import asyncio
from typing import Final

from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._http2 import Http2Connection
from mitmproxy.proxy.server import ConnectionHandler

QUEUED_BYTES: Final = 1 << 20
"""What may wait for the window of one client connection before its upstreams have to."""


def install(handler: ConnectionHandler, http: HttpLayer) -> None:
    """Do this for one HTTP/2 client connection, once its HTTP layer has been chosen."""
    drain_writers, handle_event = handler.drain_writers, http.handle_event
    room = asyncio.Event()

    def watch(event: events.Event) -> layer.CommandGenerator[None]:
        yield from handle_event(event)
        if isinstance(event, events.ConnectionEvent) and event.connection is handler.client:
            room.set()  # maybe

    async def drain() -> None:
        await drain_writers()  # type: ignore[no-untyped-call]
        client = handler.transports.get(handler.client)
        if client is None or asyncio.current_task() is client.handler:
            return
        while queued(http, QUEUED_BYTES):
            room.clear()
            await room.wait()

    http.handle_event = watch  # type: ignore[method-assign]
    handler.drain_writers = drain  # type: ignore[method-assign]


def queued(http: HttpLayer, limit: int) -> bool:
    """Whether more than ``limit`` bytes wait for the client's window."""
    client = http.connections.get(http.context.client)
    if not isinstance(client, Http2Connection):
        return False
    size = 0
    for queue in client.h2_conn.stream_buffers.values():
        for data, _ in queue:
            size += len(data)
            if size > limit:
                return True
    return False
