"""The HTTP/1.1 side of the scripted provider (RFC 9112): one request after the other, head kept byte for byte.

Strict on purpose where a proxy must not be sloppy: both Content-Length and Transfer-Encoding, or two different lengths,
are a protocol error that fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from http import HTTPStatus
from typing import Literal, cast

from tests.support.exchange import ClientGone, Closed, Fields, Received, Send, Site

HEAD_LIMIT = 1 << 20


class H1Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.number = 0
        self.server_name: str | None = None
        self.transport: asyncio.Transport
        self.writable = asyncio.Event()
        self.writable.set()
        self.gone = False
        self.ended_here = False
        self._reader = asyncio.StreamReader(limit=HEAD_LIMIT)
        self._current: Received | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        ssl_object = transport.get_extra_info("ssl_object")
        self.server_name = getattr(ssl_object, "requested_name", None)
        self.number = self.site.connected(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.writable.set()
        self._task.cancel()
        if not self.ended_here:
            self.site.left(Closed(self.number, time.monotonic(), self._current, "connection"))
        self.site.disconnected(self.number)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def _serve(self) -> None:
        try:
            while not self.ended_here:
                request = await self._read_request()
                self._current = request
                self.site.received(request)
                send = H1Send(self, request)
                await self.site.answer(request, send)
                await send.finish()
                self._current = None
        except ClientGone:
            pass
        except Exception as error:  # an assertion in a script belongs to the test, whatever its type
            self.site.failed(error)
        finally:
            if not self.gone:
                self.ended_here = True
                self.transport.close()

    async def _read_request(self) -> Received:
        head = await self._reader.readuntil(b"\r\n\r\n")
        line, *rest = head[:-4].split(b"\r\n")
        method, path, version = line.decode("latin-1").split(" ")
        if version not in {"HTTP/1.1", "HTTP/1.0"}:
            raise ValueError(f"not an HTTP/1 request line: {line!r}")
        headers = tuple(_field(field) for field in rest)
        body = await self._read_body(headers)
        return Received(
            method=method,
            path=path,
            headers=headers,
            body=body,
            head=head,
            authority=next((value for key, value in headers if key.lower() == "host"), ""),
            connection=self.number,
            http_version=cast("Literal['HTTP/1.1', 'HTTP/1.0']", version),
            at=time.monotonic(),
            server_name=self.server_name,
        )

    async def _read_body(self, headers: tuple[tuple[str, str], ...]) -> bytes:
        lengths = {value for key, value in headers if key.lower() == "content-length"}
        codings = [value.lower() for key, value in headers if key.lower() == "transfer-encoding"]
        if codings and lengths:
            raise ValueError("a request with both Content-Length and Transfer-Encoding (RFC 9112 §6.3)")
        if len(lengths) > 1:
            raise ValueError(f"a request with several values of Content-Length: {sorted(lengths)}")
        if any(key.lower() == "expect" and value.lower() == "100-continue" for key, value in headers):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if codings:
            if codings != ["chunked"]:
                raise ValueError(f"a request with transfer codings {codings}")
            return await self._read_chunks()
        return await self._reader.readexactly(int(lengths.pop())) if lengths else b""

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await self._reader.readexactly(size)
            if await self._reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk that does not end where it said")
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return bytes(body)


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise ValueError(f"not a header field: {line!r}")
    return name.decode("latin-1"), value.strip(b" \t").decode("latin-1")


class H1Send(Send):
    """Writes one answer on a connection."""

    def __init__(self, connection: H1Connection, request: Received) -> None:
        self._connection = connection
        self._request = request
        self._state: Literal["head", "body", "done"] = "head"
        self._chunked = False
        self._bodiless = False
        self._close_after = request.http_version == "HTTP/1.0" or request.header("connection").lower() == "close"

    async def head(self, status: int, headers: Fields = (), *, until_close: bool = False) -> None:
        assert self._state == "head", "the head was sent already"
        fields = list(headers)
        names = {name.lower() for name, _ in fields}
        self._bodiless = self._request.method == "HEAD" or status in {204, 304}
        if until_close:
            self._close_after = True
            fields.append(("Connection", "close"))
        elif not self._bodiless and not names & {"content-length", "transfer-encoding"}:
            fields.append(("Transfer-Encoding", "chunked"))
            names.add("transfer-encoding")
        self._chunked = "transfer-encoding" in names
        self._close_after |= any(n.lower() == "connection" and v.lower() == "close" for n, v in fields)
        phrase = HTTPStatus(status).phrase if status in HTTPStatus else "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields), "", ""]
        self._state = "body"
        await self._write("\r\n".join(lines).encode("latin-1"))

    async def data(self, data: bytes) -> None:
        assert self._state == "body", "body bytes belong between head and end"
        if data and not self._bodiless:
            await self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def end(self) -> None:
        await self.trailers(())

    async def trailers(self, headers: Fields) -> None:
        assert self._state == "body", "an answer ends after its head, once"
        self._state = "done"
        if self._chunked and not self._bodiless:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
            await self._write(b"0\r\n" + lines.encode("latin-1") + b"\r\n")
        if self._close_after:
            await self.hang_up()

    async def abort(self) -> None:
        self._state = "done"
        self._connection.ended_here = True
        # A linger time of zero makes close() send RST, as a crashed or overloaded provider does.
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):
            raw = self._connection.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.transport.abort()

    async def hang_up(self) -> None:
        self._state = "done"
        self._connection.ended_here = True
        self._connection.transport.close()

    async def raw(self, data: bytes) -> None:
        self._state = "done"
        self._close_after = True
        await self._write(data)

    async def finish(self) -> None:
        """The script returned: complete what it left open."""
        if self._state == "head":
            raise AssertionError(f"the script gave no answer to {self._request.method} {self._request.path}")
        if self._state == "body":
            await self.end()
        elif self._close_after:
            await self.hang_up()

    async def _write(self, data: bytes) -> None:
        connection = self._connection
        if connection.gone or connection.ended_here:
            raise ClientGone("the connection is closed")
        connection.transport.write(data)
        await asyncio.sleep(0)  # or a script that only writes would never let the loop learn that the client has gone
        await connection.writable.wait()
        if connection.gone:
            raise ClientGone("the client closed the connection")
