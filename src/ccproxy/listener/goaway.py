"""An upstream that says goodbye finishes the answers under way (GOAWAY without an error, RFC 9113 §6.8).

Load balancers send it to every long-lived connection. h2 takes the connection for closed then, and mitmproxy ends its
streams. Here the connection is only not used again: who asks next gets a new one. Streams above the last one that the
upstream has taken are ended; it has not begun with them.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from h2.events import Event, StreamReset
from hyperframe.frame import Frame, GoAwayFrame
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy.layers.http._http2 import Http2Client


def install(http2: Http2Client, server: Server) -> None:
    """Do this for one upstream connection, when it has been made."""
    wire = http2.h2_conn
    give_up = wire._frame_dispatch_table[GoAwayFrame]

    def goodbye(frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code != ErrorCodes.NO_ERROR:
            result: tuple[list[Frame], list[Event]] = give_up(frame)
            return result
        server.state &= ~ConnectionState.CAN_READ  # mitmproxy uses open connections only for new requests
        untaken = [sid for sid in http2.streams if sid > frame.last_stream_id]
        return [], [StreamReset(stream_id=sid, error_code=ErrorCodes.REFUSED_STREAM) for sid in untaken]

    wire._frame_dispatch_table[GoAwayFrame] = goodbye
