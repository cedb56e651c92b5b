"""The control socket's HTTP server, inside the listener: JSON in, JSON out, for processes of the same user only.

The socket is 0600 in a folder that is 0700; the peer's uid is asked all the same (SO_PEERCRED, unix(7)), since systemd
may have made the socket. Root may ask, too: it can read this process's memory anyway.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
from collections.abc import Iterable, Mapping

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler

from ccproxy.control.protocol import Route
from ccproxy.errors import RequestError

MAX_BODY_BYTES = 1024 * 1024
UCRED = struct.Struct("=iII")
"""struct ucred: pid, uid, gid."""

log = logging.getLogger(__name__)


class ControlServer:
    """Answers ``routes`` on sockets that somebody else bound. ``routes`` may be added to while it serves."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        application = Application([(r"/.*", _Exchange, {"routes": routes})], log_function=lambda _: None)
        self._server = _SameUserServer(application, max_body_size=MAX_BODY_BYTES, max_buffer_size=2 * MAX_BODY_BYTES)

    def adopt(self, listening: Iterable[socket.socket]) -> None:
        """Accept connections on these sockets; they belong to this server from now on."""
        for each in listening:
            each.setblocking(False)
            self._server.add_socket(each)

    async def close(self) -> None:
        """Accept no more, and end the connections that are open."""
        self._server.stop()
        await self._server.close_all_connections()


def socket_peer_uid(connection: socket.socket) -> int | None:
    """The uid at the other end of a Unix socket; None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None  # macOS: the folder's mode keeps others out
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    uid: int = UCRED.unpack(credentials)[1]
    return uid


class _SameUserServer(HTTPServer):
    def handle_stream(self, stream: IOStream, address: object) -> None:
        uid = socket_peer_uid(stream.socket)
        if uid not in (None, os.geteuid(), 0):
            log.warning("control socket: a connection of user %s was refused", uid)
            stream.close()
            return
        super().handle_stream(stream, address)  # type: ignore[arg-type]


class _Exchange(RequestHandler):
    """One request: found in the table, decoded, answered."""

    request: HTTPServerRequest

    def initialize(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes

    async def prepare(self) -> None:
        name = f"{self.request.method} {self.request.path}"
        route = self._routes.get(name)
        if route is None:
            self._finish(404, {"error": f"this ccproxy does not know {name!r}: is it older than the command?"})
            return
        try:
            message = json.loads(self.request.body or b"{}")
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._finish(400, {"error": "the body must be a JSON object"})
            return
        try:
            answer = await route(message)
        except RequestError as error:
            self._finish(error.status, {"error": str(error)})
        except Exception as error:  # the error edge of the control socket: the caller gets the name, the log the rest
            log.exception("control request %s failed", name)
            self._finish(500, {"error": f"{type(error).__name__} in the listener; its log says more"})
        else:
            self._finish(200, dict(answer))

    def _finish(self, status: int, answer: dict[str, object]) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(answer))
