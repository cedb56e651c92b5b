"""The MCP process: tools over the flow store, for agents that want to know what they and others asked.

It is a process of its own because the SDK takes 60 MB that only who uses it should pay, and it reads the store's file,
so it works whether the listener runs or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ccproxy import __version__
from ccproxy.auth.sources import read_secret
from ccproxy.errors import ConfigError, CredentialError, Problem
from ccproxy.flows.reader import FlowReader
from ccproxy.flows.redact import Redactor
from ccproxy.mcp.door import Door, Policy

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance
    from ccproxy.config.model import Config
    from ccproxy.control.process import ProcessControl


async def serve(
    sockets: Mapping[str, list[socket.socket]], config: Config, instance: Instance, control: ProcessControl
) -> None:
    """Serve on the sockets named ``mcp`` until ``control`` says stop; then drain for ``shutdown_timeout_s``."""
    import uvicorn  # noqa: PLC0415 - the SDK takes 0.6 s: what can be refused before is refused at once

    from ccproxy.mcp.app import make_app  # noqa: PLC0415

    class Server(uvicorn.Server):
        """Leaves signals to the process, and says when it listens."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            control.ready()

    secrets: set[str] = set()
    redactor = Redactor(lambda: frozenset(secrets))
    control.scrub_logs(redactor.scrub)

    async def policy_of(config: Config) -> Policy:
        source = config.mcp.http.auth
        if source is None:
            return Policy.of(config, None)
        token = await read_secret("mcp.http.auth", source, config, environ=os.environ)
        secrets.add(token)
        return Policy.of(config, token)

    door = Door(make_app(FlowReader(instance.store_path), __version__), await policy_of(config))
    server = Server(
        uvicorn.Config(
            door,
            http="h11",
            ws="none",
            lifespan="on",
            # A peer is who it is: X-Forwarded-For would let a request choose its own address.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=math.ceil(config.shutdown_timeout_s),
            h11_max_incomplete_event_size=config.limits.header_bytes,
        )
    )

    async def use(new: Config) -> None:
        try:
            door.policy = await policy_of(new)
        except CredentialError as error:
            raise ConfigError(Problem("mcp.http.auth", str(error))) from None
        server.config.timeout_graceful_shutdown = math.ceil(new.shutdown_timeout_s)

    control.on_reload(use)
    serving = asyncio.create_task(server.serve(sockets=sockets["mcp"]), name="mcp server")
    stopping = asyncio.create_task(control.stopping.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
