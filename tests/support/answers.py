"""Ready answers for the scripted provider.

>>> upstream.answer = script(json(401, {"error": "old"}), sse([b"data: 1\\n\\n"], gap=gate))   # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import json as _json
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from tests.support.exchange import Answer, Fields, Received, Send

SSE_HEADERS = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))


class Gate:
    """Lets a scripted stream go on, one step at a time, from any thread.

    ``step()`` lets one ``passed()`` through, before or after it waits; ``open()`` lets all through from now on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps = 0
        self._open = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def step(self, count: int = 1) -> None:
        with self._lock:
            self._steps += count
            self._wake()

    def open(self) -> None:
        with self._lock:
            self._open = True
            self._wake()

    async def passed(self) -> None:
        while True:
            loop = asyncio.get_running_loop()
            with self._lock:
                if self._open:
                    return
                if self._steps:
                    self._steps -= 1
                    return
                turn = loop.create_future()
                self._waiting.append((loop, turn))
            await turn

    def _wake(self) -> None:
        for loop, turn in self._waiting:
            loop.call_soon_threadsafe(_resolve, turn)
        self._waiting.clear()


def body(status: int, data: bytes, headers: Fields = ()) -> Answer:
    """A whole answer with its length."""
    fields = [*headers, ("Content-Length", str(len(data)))]

    async def answer(request: Received, send: Send) -> None:
        await send.head(status, fields)
        await send.data(data)
        await send.end()

    return answer


def json(status: int, obj: Any, headers: Fields = ()) -> Answer:
    """A whole JSON answer."""
    return body(status, _json.dumps(obj).encode(), [("Content-Type", "application/json"), *headers])


def sse(
    events: Iterable[bytes],
    gap: Gate | asyncio.Event | float = 0.0,
    headers: Fields = (),
    status: int = 200,
) -> Answer:
    """An event stream, each item of ``events`` written at once (give whole events with their empty line, or not).

    ``gap`` comes between two items: seconds, a gate to step, or an event that must be set. The first is never held.
    """

    async def answer(request: Received, send: Send) -> None:
        await send.head(status, [*SSE_HEADERS, *headers])
        for index, event in enumerate(events):
            if index:
                await _pause(gap)
            await send.data(event)
        await send.end()

    return answer


def script(*answers: Answer) -> Answer:
    """The first answer to the first request, the second to the second …; the last one to all that follow."""
    queue: Sequence[Answer] = answers
    position = 0

    async def answer(request: Received, send: Send) -> None:
        nonlocal position
        chosen = queue[min(position, len(queue) - 1)]
        position += 1
        await chosen(request, send)

    return answer


def silence() -> Answer:
    """Take the request and never answer."""

    async def answer(request: Received, send: Send) -> None:
        await asyncio.get_running_loop().create_future()

    return answer


def _resolve(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


async def _pause(gap: Gate | asyncio.Event | float) -> None:
    match gap:
        case Gate():
            await gap.passed()
        case asyncio.Event():
            await gap.wait()
        case _:
            await asyncio.sleep(gap)
