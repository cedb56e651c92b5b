"""The load generator: a closed loop of C connections on raw asyncio protocols, callbacks only.

A response is recognised by its framing and its status; nothing else is parsed. Times are of CLOCK_MONOTONIC, the clock
with which the provider stamps its events, so the lag of one event is one subtraction.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tests.bench.traffic import Case

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb"sent_ns:1(\d{18})")
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_GRACE_S = 15.0


@dataclass(slots=True)
class Measured:
    """What one contender did in one round of one case. Times in seconds."""

    latencies: list[float] = field(default_factory=list)
    """From the first byte sent (new connections: from connect) to the last byte received."""
    first_events: list[float] = field(default_factory=list)
    """Streams: from the first byte sent to the first byte of the answer's body."""
    lags: list[float] = field(default_factory=list)
    """Streams: from the provider's write of an event to its arrival."""
    throughput: float = 0.0
    """Answers per second that were complete within the window."""
    events_per_s: float = 0.0
    """Bursts: events per second between the first and the last, over all streams."""
    answers: int = 0
    """Every answer that was complete, those that warmed up included."""
    errors: list[str] = field(default_factory=list)


def quantile(values: Sequence[float], q: float) -> float:
    """The nearest-rank quantile; nan of nothing."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


async def drive(port: int, case: Case, *, seconds: float, most: int) -> Measured:
    """Send a case's request for ``seconds`` or ``most`` times, whatever is first.

    It ends ``seconds`` + 15 s later at the latest; an answer that is still due then is an error of the result.
    """
    run = _Run(port, case, seconds, most)
    gc.collect()
    gc.disable()
    try:
        await asyncio.wait_for(run.go(), seconds + _GRACE_S)
    except TimeoutError:
        run.result.errors.append(f"no answer within {_GRACE_S:g} s")
    finally:
        gc.enable()
        run.stop()
    return run.result


class _Run:
    def __init__(self, port: int, case: Case, seconds: float, most: int) -> None:
        self.result = Measured()
        self.request = case.request
        self.streaming = case.kind != "json"
        self._port = port
        self._case = case
        self._seconds = seconds
        self._most = most
        self._issued = 0
        self._active = 0
        self._in_window = 0
        self._begun = 0
        self._deadline = 0
        self._over = asyncio.Event()
        self._clients: set[_Client] = set()
        self._ready: list[_Client] = []
        self._connecting: set[asyncio.Task[Any]] = set()
        self._burst_s = 0.0
        self._burst_events = 0

    async def go(self) -> None:
        if self._case.keep:
            # One unrecorded request each: proxies that dial lazily have then dialled.
            for _ in range(self._case.concurrency):
                self._connect()
        else:
            self._start_window()
            for _ in range(self._case.concurrency):
                self._issue(None)
        await self._over.wait()
        elapsed = max(min(time.monotonic_ns(), self._deadline) - self._begun, 1) / 1e9
        self.result.throughput = self._in_window / elapsed
        if self._burst_s:
            self.result.events_per_s = self._burst_events / self._burst_s

    def stop(self) -> None:
        for task in self._connecting:
            task.cancel()
        for client in list(self._clients):
            client.close()

    def _start_window(self) -> None:
        self._begun = time.monotonic_ns()
        self._deadline = self._begun + int(self._seconds * 1e9)

    def _connect(self) -> None:
        client = _Client(self)
        self._clients.add(client)
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._open(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _open(self, client: _Client) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", self._port)
        except OSError as error:
            self.broken(client, f"connect: {error}")

    def _issue(self, client: _Client | None) -> None:
        """Start the next request, or end the run when the last one has ended."""
        if self._issued < self._most and time.monotonic_ns() < self._deadline:
            self._issued += 1
            self._active += 1
            if client is None:
                self._connect()
            else:
                client.fire()
        elif not self._active:
            self._over.set()

    def finished(self, client: _Client, now: int) -> None:
        self.result.answers += 1
        if not self._begun:
            self._ready.append(client)
            if len(self._ready) == self._case.concurrency:
                self._start_window()
                for ready in self._ready:
                    self._issue(ready)
            return
        self._active -= 1
        self._in_window += now <= self._deadline
        result = self.result
        result.latencies.append((now - client.started) / 1e9)
        if client.stamps:
            result.first_events.append((client.first_event - client.started) / 1e9)
            if self._case.kind in ("sse", "paced"):
                result.lags.extend(client.lags)
            self._burst_s += (now - client.first_event) / 1e9
            self._burst_events += client.stamps
        if self._case.keep:
            self._issue(client)
        else:
            client.close()
            self._issue(None)

    def broken(self, client: _Client, why: str) -> None:
        self._clients.discard(client)
        self.result.errors.append(why)
        if len(self.result.errors) > 50 or not self._begun:
            self._over.set()
            return
        self._active -= 1
        self._issue(None)


class _Client(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self.started = time.monotonic_ns()
        self._reset()

    def _reset(self) -> None:
        self._buffer = b""
        self._total = 0
        self._idle = False
        self.stamps = 0
        self.first_event = 0
        self.lags: list[float] = []

    def fire(self) -> None:
        assert self._transport is not None
        self._reset()
        self.started = time.monotonic_ns()
        self._transport.write(self._run.request)

    def close(self) -> None:
        self._idle = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._run.request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._idle:
            self._run.broken(self, f"connection lost: {exc or 'closed'}")

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._buffer += data
        if not self._total:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 200"):
                self._fail()
                return
            length = _LENGTH.search(self._buffer, 0, end)
            self._total = end + 4 + int(length[1]) if length else -1
            if len(self._buffer) == end + 4:
                return
        if not self.first_event:
            self.first_event = now
        if self._run.streaming:
            self._note_events(now)
        done = self._buffer.endswith(_LAST_CHUNK) if self._total < 0 else len(self._buffer) >= self._total
        if done:
            self._idle = True
            self._run.finished(self, now)
        elif self._run.streaming and self._total < 0:
            self._buffer = self._buffer[-32:]

    def _note_events(self, now: int) -> None:
        position = 0
        for found in _STAMP.finditer(self._buffer):
            self.lags.append((now - int(found[1])) / 1e9)
            position = found.end()
        if not position:
            return
        self.stamps += len(self.lags) - self.stamps
        self._buffer = self._buffer[position:]

    def _fail(self) -> None:
        self._idle = True
        line = self._buffer.partition(b"\r\n")[0].decode("latin-1")
        body = self._buffer.partition(b"\r\n\r\n")[2][:200].decode("utf-8", "replace")
        if self._transport is not None:
            self._transport.abort()
        self._run.broken(self, f"{line}: {body}")
