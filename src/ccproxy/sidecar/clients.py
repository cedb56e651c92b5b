"""One transport for each host and profile, kept while it is of use: connections are opened once for many requests.

At most ``most`` are kept, and each for ``idle_s`` after its last request. One that serves a request is never closed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from ccproxy.config.origin import Origin

type Key = tuple[Origin, str]

MOST = 16
IDLE_S = 60.0


class Closable(Protocol):
    """What a transport must be able to do here."""

    async def aclose(self) -> None:
        """Close every connection."""


class Clients[T: Closable]:
    """Transports by (origin, profile), made by ``make(profile, authorities)``."""

    def __init__(
        self, make: Callable[[str, Path], T], authorities: Path, *, most: int = MOST, idle_s: float = IDLE_S
    ) -> None:
        self._make, self._authorities = make, authorities
        self._most, self._idle_s = most, idle_s
        self._kept: OrderedDict[Key, _Client[T]] = OrderedDict()
        """The least recently used first."""
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._kept)

    @asynccontextmanager
    async def use(self, key: Key) -> AsyncIterator[T]:
        """The transport for ``key``, kept open at least until the block ends."""
        client = self._kept.get(key)
        if client is None:
            client = self._kept[key] = _Client(self._make(key[1], self._authorities))
        self._kept.move_to_end(key)
        client.hold()
        self._shrink()
        try:
            yield client.transport
        finally:
            client.users -= 1
            if not client.users:
                if self._kept.get(key) is client:
                    loop = asyncio.get_running_loop()
                    client.timer = loop.call_later(self._idle_s, self._let_go, key, client)
                    self._shrink()
                else:
                    self._close(client)

    def replace_authorities(self, authorities: Path) -> None:
        """Trust others from now on. Requests under way end as they began."""
        self._authorities = authorities
        for key, client in list(self._kept.items()):
            self._let_go(key, client)

    async def aclose(self) -> None:
        """Close all, also those in use."""
        for client in self._kept.values():
            self._close(client)
        self._kept.clear()
        await asyncio.gather(*self._closing)

    def _shrink(self) -> None:
        surplus = len(self._kept) - self._most
        idle = [(key, client) for key, client in self._kept.items() if not client.users] if surplus > 0 else []
        for key, client in idle[: max(surplus, 0)]:
            self._let_go(key, client)

    def _let_go(self, key: Key, client: _Client[T]) -> None:
        if self._kept.get(key) is client:
            del self._kept[key]
        if not client.users:
            self._close(client)

    def _close(self, client: _Client[T]) -> None:
        if client.timer is not None:
            client.timer.cancel()
        task = asyncio.ensure_future(client.transport.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Client[T: Closable]:
    def __init__(self, transport: T) -> None:
        self.transport = transport
        self.users = 0
        self.timer: asyncio.TimerHandle | None = None
        """Runs while it is idle."""

    def hold(self) -> None:
        self.users += 1
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
