"""What is done about an answer: one row for each case."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from ccproxy.auth.placed import Placed
from ccproxy.upstream.attempt import Accept, Answer, Resend, decide, mermaid

OLD = Placed("acme", header=("x-api-key", "old"))
NEW = Placed("acme", header=("x-api-key", "new"))


class Renewal:
    """Gives ``newer`` and remembers for what it was asked."""

    def __init__(self, newer: Placed | None) -> None:
        self.newer = newer
        self.asked: list[tuple[str, Placed]] = []

    async def renew(self, provider: str, refused: Placed) -> Placed | None:
        self.asked.append((provider, refused))
        await asyncio.sleep(0)
        return self.newer


@pytest.mark.parametrize(
    ("status", "credential", "attempt", "newer", "fate"),
    [
        (401, OLD, 1, NEW, Resend(NEW)),
        (401, OLD, 1, None, Accept()),
        (401, OLD, 2, NEW, Accept()),  # once only
        (401, None, 1, NEW, Accept()),  # the client's own key: its business
        (200, OLD, 1, NEW, Accept()),
        (400, OLD, 1, NEW, Accept()),
        (403, OLD, 1, NEW, Accept()),
        (429, OLD, 1, NEW, Accept()),
        (500, OLD, 1, NEW, Accept()),
    ],
)
async def test_fate(status: int, credential: Placed | None, attempt: int, newer: Placed | None, fate: Resend | Accept):
    renewal = Renewal(newer)
    assert await decide(Answer(status, credential), attempt, renewal) == fate
    worth_it = status == 401 and credential is not None and attempt == 1
    assert renewal.asked == ([("acme", OLD)] if worth_it else [])


async def test_client_that_leaves_ends_the_renewal():
    began, ended = asyncio.Event(), asyncio.Event()

    class Hanging:
        async def renew(self, provider: str, refused: Placed) -> Placed | None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    task = asyncio.create_task(decide(Answer(401, OLD), 1, Hanging()))
    async with asyncio.timeout(5):
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await ended.wait()


async def test_failure_of_the_renewal_is_the_callers():
    class Broken:
        async def renew(self, provider: str, refused: Placed) -> Placed | None:
            raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await decide(Answer(401, OLD), 1, Broken())


async def test_it_works_where_tasks_start_eagerly():
    """mitmproxy's loop does this."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    fates = await asyncio.gather(*(decide(Answer(401, OLD), 1, Renewal(NEW)) for _ in range(20)))
    assert fates == [Resend(NEW)] * 20


def test_good_answers_do_not_load_the_graph_library():
    script = """
import asyncio, sys
from ccproxy.upstream.attempt import Accept, Answer, decide
assert asyncio.run(decide(Answer(200, None), 1, None)) == Accept()
assert "pydantic_graph" not in sys.modules
assert asyncio.run(decide(Answer(404, None), 1, None)) == Accept()
assert "pydantic_graph" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_it_can_be_drawn():
    drawn = mermaid()
    assert "stateDiagram-v2" in drawn
    for edge in (
        "[*] --> judge: status >= 400",
        "decision --> renew: 401 to our credential, first attempt",
        "decision --> [*]: anything else",
        "renew --> [*]: replay, or give the 401 through",
    ):
        assert edge in drawn
