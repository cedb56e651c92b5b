"""One piece of work, shared by everybody who wants its result while it is under way.

The first to ask starts it, the others join. One that leaves (its client hung up) takes nobody with it; when the last
one leaves the work is cancelled, and whoever comes after that starts anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine


class Flight[T]:
    """Runs ``work`` at most once at a time."""

    def __init__(self, work: Callable[[], Coroutine[object, object, T]]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self._waiting = 0

    async def join(self) -> T:
        """The result of the run that is under way, or of one started now. Raises what it raised."""
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.ensure_future(self._work())
            self._waiting = 0
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            if task is self._task:
                self._waiting -= 1
                if not self._waiting:
                    self._task = None
                    task.cancel()  # nobody waits: without effect if it is done

    async def close(self) -> None:
        """End what is under way and wait for its end; those who wait are cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
