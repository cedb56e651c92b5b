"""Clients that show every byte: HTTP/1.1 over a plain socket, and HTTP/2 with prior knowledge over ``h2``.

>>> async with connect("h1", port) as client:                                              # doctest: +SKIP
...     reply = await client.post("/v1/messages", b"{}", key="sk-ant-oat-ccproxy-echo")
...     assert reply.status == 200
...     first = await reply.piece()           # as it came: one chunk, one DATA frame; b"" at the message's end
...     rest = await reply.rest()

Both behave alike. A message that ends before its framing says so raises ``Broken``. Every wait is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any, Literal

import h2.config
import h2.connection
import h2.errors
import h2.events

WAIT_S = 15.0

type Kind = Literal["h1", "h2c"]
type Pairs = Iterable[tuple[str, str]]


class Broken(ConnectionError):
    """The answer ended before its end."""


async def bounded[T](pending: Awaitable[T]) -> T:
    """What ``pending`` gives. Raises TimeoutError after ``WAIT_S``."""
    return await asyncio.wait_for(pending, WAIT_S)


class Reply(ABC):
    """An answer whose head is here."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    """What was read so far."""

    def header(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), default)

    async def piece(self) -> bytes:
        """The next body bytes in the framing that they came in; empty at the end."""
        piece = await bounded(self._piece())
        self.body += piece
        return piece

    async def until(self, mark: bytes) -> bytes:
        """Read on until ``mark`` has come; everything so far."""
        while mark not in self.body:
            if not await self.piece():
                raise Broken(f"the answer ended without {mark!r}: {self.body!r}")
        return self.body

    async def rest(self) -> bytes:
        """Read to the end; the whole body."""
        while await self.piece():
            pass
        return self.body

    async def json(self) -> Any:
        return json.loads(await self.rest())

    @abstractmethod
    async def _piece(self) -> bytes: ...


class Client(ABC):
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader = reader
        self.writer = writer
        self.host = host

    @abstractmethod
    async def send(self, method: str, path: str, headers: Pairs = (), body: bytes = b"") -> None:
        """Send a whole request, its length told, without waiting for the answer."""

    @abstractmethod
    async def answer(self) -> Reply:
        """The answer to the request sent last, as soon as its head is here."""

    async def ask(self, method: str, path: str, headers: Pairs = (), body: bytes = b"") -> Reply:
        await self.send(method, path, headers, body)
        return await self.answer()

    async def post(self, path: str, body: bytes, *, key: str, headers: Pairs = ()) -> Reply:
        """A JSON request with a key in ``x-api-key``."""
        await self.submit(path, body, key=key, headers=headers)
        return await self.answer()

    async def submit(self, path: str, body: bytes, *, key: str, headers: Pairs = ()) -> None:
        """``post`` without waiting for the answer."""
        await self.send("POST", path, [("content-type", "application/json"), ("x-api-key", key), *headers], body)

    @abstractmethod
    async def abandon(self) -> None:
        """Give up the request sent last: reset the stream, or end the connection where there are no streams."""

    async def closed(self) -> bytes:
        """Wait until the other side has closed; what came before that."""
        with contextlib.suppress(ConnectionResetError):
            return await bounded(self.reader.read())
        return b""


@contextlib.asynccontextmanager
async def connect(kind: Kind, port: int, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    reader, writer = await bounded(asyncio.open_connection(host, port))
    client = (H1Client if kind == "h1" else H2Client)(reader, writer, f"{host}:{port}")
    try:
        yield client
    finally:
        if isinstance(client, H2Client):
            client.pump.cancel()
        writer.transport.abort()


class H1Client(Client):
    """HTTP/1.1, byte by byte (RFC 9112)."""

    async def send(self, method: str, path: str, headers: Pairs = (), body: bytes = b"") -> None:
        pairs = [("host", self.host), *headers]
        if body or method == "POST":
            pairs.append(("content-length", str(len(body))))
        await self.send_raw(head(method, path, pairs) + body)

    async def send_raw(self, data: bytes) -> None:
        self.writer.write(data)
        await bounded(self.writer.drain())

    async def answer(self) -> Reply:
        while True:
            reply = H1Reply(self.reader, await bounded(self._head()))
            if reply.status >= 200:
                return reply

    async def _head(self) -> bytes:
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise Broken(f"no answer, but {error.partial!r}") from None

    async def abandon(self) -> None:
        self.writer.close()


class H1Reply(Reply):
    """One message on an HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, data: bytes) -> None:
        line, *fields = data[:-4].decode("latin-1").split("\r\n")
        self.reader = reader
        self.version, status, *_ = line.split(" ")
        self.status = int(status)
        self.headers = [(name, value.strip()) for name, _, value in (field.partition(":") for field in fields)]
        self.chunked = self.header("transfer-encoding") == "chunked"
        length = self.header("content-length")
        self.left = int(length) if length else 0 if self.chunked or self.status in (204, 304) else None
        """Bytes still to come; None: up to the end of the connection."""
        self.over = False

    async def _piece(self) -> bytes:
        if self.over:
            return b""
        try:
            piece = await (self._chunk() if self.chunked else self._counted())
        except (asyncio.IncompleteReadError, ConnectionResetError) as error:
            raise Broken(f"cut after {self.body!r}") from error
        self.over = not piece
        return piece

    async def _chunk(self) -> bytes:
        size = int((await self.reader.readuntil(b"\r\n")).rstrip(), 16)
        piece = await self.reader.readexactly(size + 2)
        assert piece.endswith(b"\r\n"), "a chunk ends where it says"
        return piece[:-2]

    async def _counted(self) -> bytes:
        if self.left is None:
            return await self.reader.read(1 << 16)
        if not self.left:
            return b""
        piece = await self.reader.read(min(self.left, 1 << 16))
        if not piece:
            raise asyncio.IncompleteReadError(b"", self.left)
        self.left -= len(piece)
        return piece


class H2Client(Client):
    """HTTP/2 with prior knowledge (RFC 9113 §3.3). Each request is a stream of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        super().__init__(reader, writer, host)
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin-1"))
        self.http.initiate_connection()
        self.last = 0
        self.events: dict[int, asyncio.Queue[h2.events.Event | None]] = {}
        self.room = asyncio.Event()
        self._flush()
        self.pump = asyncio.create_task(self._pump())

    async def send(self, method: str, path: str, headers: Pairs = (), body: bytes = b"") -> None:
        self.last = sid = self.http.get_next_available_stream_id()
        self.events[sid] = asyncio.Queue()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", self.host), (":path", path)]
        length = [("content-length", str(len(body)))] if body else []
        self.http.send_headers(sid, [*pseudo, *headers, *length], end_stream=not body)
        self._flush()
        view = memoryview(body)
        while view:
            room = min(self.http.local_flow_control_window(sid), self.http.max_outbound_frame_size, len(view))
            if not room:
                self.room.clear()
                await bounded(self.room.wait())
                continue
            self.http.send_data(sid, bytes(view[:room]), end_stream=room == len(view))
            self._flush()
            view = view[room:]

    async def answer(self, stream: int | None = None) -> Reply:
        """The answer on ``stream``, or to the request sent last."""
        sid = stream or self.last
        while True:
            match await bounded(self.events[sid].get()):
                case h2.events.ResponseReceived(headers=headers):
                    return H2Reply(self, sid, [(str(name), str(value)) for name, value in headers])
                case h2.events.StreamReset() | None:
                    raise Broken("the stream was reset before its head")

    async def abandon(self) -> None:
        self.http.reset_stream(self.last, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def _flush(self) -> None:
        if data := self.http.data_to_send():
            self.writer.write(data)

    async def _pump(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(1 << 16):
                for event in self.http.receive_data(data):
                    if isinstance(event, h2.events.DataReceived):
                        self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if queue := self.events.get(getattr(event, "stream_id", None) or 0):
                        queue.put_nowait(event)
                self.room.set()
                self._flush()
        for queue in self.events.values():
            queue.put_nowait(None)


class H2Reply(Reply):
    """One stream."""

    def __init__(self, client: H2Client, stream: int, fields: list[tuple[str, str]]) -> None:
        self.client = client
        self.stream = stream
        self.status = int(dict(fields)[":status"])
        self.headers = [pair for pair in fields if not pair[0].startswith(":")]
        self.trailers: list[tuple[str, str]] = []
        self.over = False

    async def _piece(self) -> bytes:
        while not self.over:
            match await self.client.events[self.stream].get():
                case h2.events.DataReceived(data=bytes(data)) if data:
                    return data
                case h2.events.TrailersReceived(headers=headers):
                    self.trailers = [(str(name), str(value)) for name, value in headers]
                case h2.events.StreamEnded():
                    self.over = True
                case h2.events.StreamReset() | None:
                    raise Broken(f"reset after {self.body!r}")
        return b""


def head(method: str, path: str, headers: Pairs) -> bytes:
    """An HTTP/1.1 request's head."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")
