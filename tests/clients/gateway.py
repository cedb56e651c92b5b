"""The daemon under test, however its processes are started, or nothing in its place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.clients.providers import PROVIDERS
from tests.support.daemon import Daemon, Via

DIRECT: Final = os.environ.get("CCPROXY_CLIENTS_DIRECT") == "1"
"""The clients talk to the mock, without a daemon."""
HOW: Final[tuple[Via | None, ...]] = (None,) if DIRECT else ("ccproxy start", "systemd-socket-activate")
"""What starts the processes of the daemon; None: there is no daemon."""


@contextlib.contextmanager
def gateway(how: Via | None, upstream: int, folder: Path, *, wait: bool) -> Iterator[Daemon | None]:
    """Start a daemon whose providers are all at this port; with ``wait``, come back when it answers."""
    if how is None:
        yield None
        return
    providers = {provider.name: provider.configuration(upstream, folder) for provider in PROVIDERS}
    environ = {provider.variable: provider.key for provider in PROVIDERS if provider.source == "env"}
    with contextlib.ExitStack() as stack:
        daemon = Daemon({"providers": providers}, environ=environ, via=how)
        stack.push(daemon)
        yield daemon.start(wait=wait)
