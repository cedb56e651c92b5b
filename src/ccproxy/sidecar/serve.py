"""The sidecar process: a loopback server that sends the listener's requests on with a browser's TLS fingerprint.

It is a process of its own because curl-cffi and its certificates cost memory that most requests never need, and
because a crash of foreign native code must not take the listener along.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

from ccproxy.config.instance import Instance
from ccproxy.config.model import Config

if TYPE_CHECKING:
    from ccproxy.control.process import ProcessControl

KEEP_ALIVE_S: Final = 600
"""Idle connections of the listener stay open: closing one just when it is used again would fail a request."""
CONTRACT_BYTES: Final = 16 * 1024
"""What the contract headers may add to the header block that the listener let in."""


async def serve(
    sockets: Mapping[str, list[socket.socket]], config: Config, instance: Instance, control: ProcessControl
) -> None:
    """Serve on the sockets named ``sidecar`` until ``control`` says stop; then drain for ``shutdown_timeout_s``."""
    # httpx would import its command line, and with it rich and pygments: 4 MB of a process that should be small.
    sys.modules.setdefault("httpx._main", cast(ModuleType, None))
    # Imported here: libcurl looks for SSLKEYLOGFILE when it is loaded, and the caller has seen to that variable.
    import uvicorn  # noqa: PLC0415

    from ccproxy.sidecar.admission import Admission  # noqa: PLC0415
    from ccproxy.sidecar.app import Sidecar  # noqa: PLC0415
    from ccproxy.sidecar.authorities import with_own  # noqa: PLC0415
    from ccproxy.sidecar.clients import Clients  # noqa: PLC0415
    from ccproxy.sidecar.order import Policy  # noqa: PLC0415
    from ccproxy.sidecar.transport import SafeTransport  # noqa: PLC0415

    class Server(uvicorn.Server):
        """Leaves signals to the process, and says when it listens."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            control.ready()

    own_folder = instance.runtime_dir / "sidecar"
    clients = Clients(SafeTransport, with_own(config.upstream_ca_file, own_folder))
    app = Sidecar(
        Policy.of(config), Admission(instance.sidecar_token_path), clients, body_limit=config.limits.body_bytes
    )
    server = Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            # A peer is who it is: X-Forwarded-For would let a request choose its own address.
            proxy_headers=False,
            server_header=False,
            date_header=False,
            access_log=False,
            log_config=None,
            # It calls every answer that is cut on purpose an error.
            log_level="critical",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(config.shutdown_timeout_s),
            h11_max_incomplete_event_size=config.limits.header_bytes + CONTRACT_BYTES,
        )
    )

    def use(new: Config) -> None:
        authorities = with_own(new.upstream_ca_file, own_folder)
        app.policy, app.body_limit = Policy.of(new), new.limits.body_bytes
        server.config.timeout_graceful_shutdown = math.ceil(new.shutdown_timeout_s)
        clients.replace_authorities(authorities)

    control.on_reload(use, takes=("upstream_ca_file",))
    serving = asyncio.create_task(server.serve(sockets=sockets["sidecar"]), name="sidecar server")
    stopping = asyncio.create_task(control.stopping.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        await clients.aclose()
