"""A relay between two programs on loopback that keeps every byte and changes none.

>>> tap = Tap(target=4010)                     # doctest: +SKIP
>>> mark = tap.mark()                          # doctest: +SKIP
>>> ...                                        # a client talks to tap.port
>>> [request.target for request in tap.requests(mark)]    # doctest: +SKIP
['/v1/messages?beta=true']
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import Self

from tests.clients.recording import Request, requests_in

_HOST = "127.0.0.1"
_CHUNK = 1 << 16


@dataclass(slots=True)
class Wire:
    """One connection: what went toward the target and what came back."""

    sent: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)


type Mark = list[int]
"""How many bytes each connection had carried toward the target."""


class Tap:
    """Listens on ``port`` and relays to ``target``, in a thread of its own; both are ports of 127.0.0.1."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.wires: list[Wire] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tap", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._relay, _HOST), self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def mark(self) -> Mark:
        """Where the recording stands now."""
        return [len(wire.sent) for wire in self.wires]

    def since(self, mark: Mark) -> list[tuple[bytes, bytes]]:
        """What went each way on each connection since then; connections that carried nothing are left out."""
        starts = [*mark, *[0] * (len(self.wires) - len(mark))]
        pairs = (
            (bytes(wire.sent[start:]), bytes(wire.answered)) for wire, start in zip(self.wires, starts, strict=True)
        )
        return [pair for pair in pairs if pair[0]]

    def requests(self, mark: Mark) -> list[Request]:
        """The requests since then, connection by connection."""
        return [request for sent, _ in self.since(mark) for request in requests_in(sent)]

    def close(self) -> None:
        """Stop listening and cut every connection."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _stop(self) -> None:
        self._server.close()
        relays = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        wire = Wire()
        self.wires.append(wire)
        with contextlib.suppress(OSError):
            reader, forth = await asyncio.open_connection(_HOST, self.target)
            await asyncio.gather(_pump(client, forth, wire.sent), _pump(reader, back, wire.answered))
        back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    """Copy until one side ends; its end is passed on, an abort too."""
    try:
        while chunk := await reader.read(_CHUNK):
            kept += chunk
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
