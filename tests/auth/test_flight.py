"""Work that is shared while it is under way."""

from __future__ import annotations

import asyncio

import pytest

from ccproxy.auth.flight import Flight


class Work:
    """Counts its runs and ends when told."""

    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        run = self.started
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return run


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_ask_share_one_run_and_the_next_starts_another():
    work = Work()
    flight = Flight(work)
    asking = [asyncio.create_task(flight.join()) for _ in range(100)]
    await settled()
    work.gate.set()
    assert await asyncio.gather(*asking) == [1] * 100
    assert await flight.join() == 2


async def test_one_that_leaves_takes_nobody_with_it():
    work = Work()
    flight = Flight(work)
    leaving, staying = asyncio.create_task(flight.join()), asyncio.create_task(flight.join())
    await settled()
    leaving.cancel()
    await settled()
    assert leaving.cancelled() and not work.cancelled
    work.gate.set()
    assert await staying == 1


async def test_when_the_last_leaves_the_work_ends_and_a_newcomer_starts_anew():
    work = Work()
    flight = Flight(work)
    first, second = asyncio.create_task(flight.join()), asyncio.create_task(flight.join())
    await settled()
    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    newcomer = asyncio.create_task(flight.join())  # asks before the cancelled run has noticed
    await settled()
    assert work.cancelled == 1
    work.gate.set()
    assert await newcomer == 2


async def test_failure_reaches_everybody_and_is_not_kept():
    calls = 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise LookupError(calls)

    flight = Flight(fail)
    results = await asyncio.gather(*(flight.join() for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["1", "1", "1"]
    with pytest.raises(LookupError, match="2"):
        await flight.join()


async def test_it_works_where_tasks_start_eagerly():
    """mitmproxy's loop does this: work that never waits is done before its task is even returned."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

    async def at_once() -> str:
        return "done"

    flight = Flight(at_once)
    assert await flight.join() == "done"
    assert await flight.join() == "done"


async def test_close_ends_the_work():
    work = Work()
    flight = Flight(work)
    waiting = asyncio.create_task(flight.join())
    await settled()
    await flight.close()
    assert work.cancelled == 1
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await flight.close()
