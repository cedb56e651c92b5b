"""mitmproxy's addon manager with an index: which addons have which hook is found once, not at every event.

Each request triggers some ten events; asking every addon in the chain for each of them takes 55 % of mitmproxy's time
(seen 2026-11, 12.2.3). What an event does stays the same: addons in the order of the chain, awaitables awaited,
``AddonHalt`` ends the event, any other exception is logged and the next addon runs.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, traverse

log = logging.getLogger(__name__)


class IndexedAddons(AddonManager):
    """Made from a plain AddonManager by ``index_addons``."""

    table: dict[str, tuple[Callable[..., Any], ...]]
    """Event name → the functions that take it. Emptied whenever an addon comes or goes."""
    watched: Callable[[], bool]
    """Whether a browser looks on. Without one, nobody needs the "update" that follows each event of a flow: the view
    sorts and filters by it, and a browser that comes later loads the view anew."""

    def add(self, *addons: object) -> None:
        super().add(*addons)  # type: ignore[no-untyped-call]
        self.table.clear()

    def remove(self, addon: object) -> None:
        super().remove(addon)  # type: ignore[no-untyped-call]
        self.table.clear()

    def clear(self) -> None:
        super().clear()  # type: ignore[no-untyped-call]
        self.table.clear()

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        [message] = event.args()
        await self.call(event.name, (message,))
        if isinstance(message, flow.Flow) and self.watched():
            await self.call("update", ([message],))

    async def trigger_event(self, event: hooks.Hook) -> None:
        await self.call(event.name, tuple(event.args()))

    async def call(self, name: str, args: tuple[Any, ...]) -> None:
        functions = self.table.get(name)
        if functions is None:
            functions = self.table[name] = self.find(name)
        for function in functions:
            try:
                pending = function(*args)
                if pending is not None and inspect.isawaitable(pending):
                    await pending
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                log.exception("the addon function %s failed", getattr(function, "__qualname__", name))

    def find(self, name: str) -> tuple[Callable[..., Any], ...]:
        found = (getattr(addon, name, None) for addon in traverse(self.chain))
        return tuple(function for function in found if callable(function))


def index_addons(addons: AddonManager, watched: Callable[[], bool]) -> None:
    """Give an addon manager its index. It stays the same object: its master and its addons hold it."""
    addons.__class__ = IndexedAddons
    assert isinstance(addons, IndexedAddons)
    addons.table, addons.watched = {}, watched
