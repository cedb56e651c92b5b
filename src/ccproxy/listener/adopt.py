"""Serve a socket that somebody else bound (systemd, the activator) as a mitmproxy mode.

mitmproxy binds its own sockets. ``listen()`` is the one place where an instance does so; an instance of its own gets
another one, and the specification stays ``reverse:…``, so that saved flows can be read by stock mitmproxy.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from mitmproxy.master import Master
from mitmproxy.proxy import mode_servers, mode_specs

PLACEHOLDER = "reverse:http://127.0.0.1:1"
"""Upstream of the reverse mode: port 1, never dialled; the route of each request replaces it."""


class AdoptedListener:
    """The listening sockets of the reverse proxy inside a running mitmproxy."""

    def __init__(
        self, instance: mode_servers.ServerInstance[mode_specs.ProxyMode], servers: list[asyncio.Server]
    ) -> None:
        self.instance = instance
        self.servers = servers

    def stop_accepting(self) -> None:
        """Take no more connections; those in the kernel's queue wait for the next process that holds the socket."""
        for server in self.servers:
            server.close()


async def adopt(master: Master, sockets: Sequence[socket.socket]) -> AdoptedListener:
    """Serve ``sockets``. Call after the master is made and before ``run``.

    The sockets must come from ``socket.socket(fileno=fd)``, which finds out that they are TCP: asyncio then sets
    TCP_NODELAY, without which every answer waits 40 ms for a delayed acknowledgement.
    """
    host, port = sockets[0].getsockname()[:2]
    spec = f"{PLACEHOLDER}@{host}:{port}"
    master.options.update(mode=[spec])
    proxyserver = master.addons.get("proxyserver")
    mode = mode_specs.ProxyMode.parse(spec)
    instance: mode_servers.ServerInstance[mode_specs.ProxyMode] = mode_servers.ServerInstance.make(mode, proxyserver)
    servers: list[asyncio.Server] = []

    async def listen(_host: str, _port: int) -> list[asyncio.Server]:
        servers.extend([await asyncio.start_server(instance.handle_stream, sock=sock) for sock in sockets])
        return servers

    instance.listen = listen  # type: ignore[attr-defined]
    await instance.start()
    proxyserver.servers._instances[mode] = instance  # Servers.update() keeps the specifications that it already has
    return AdoptedListener(instance, servers)
