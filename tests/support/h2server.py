"""The HTTP/2 side of the scripted provider (RFC 9113), over the sans-IO ``h2``: every stream is its own request."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from tests.support.exchange import ClientGone, Closed, Fields, Received, Send, Site


@dataclass(slots=True)
class Stream:
    """A request that is arriving or being answered."""

    fields: list[tuple[str, str]]
    trailers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(default_factory=bytearray)
    request: Received | None = None
    task: asyncio.Task[None] | None = None
    gone: bool = False


class H2Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.number = 0
        self.server_name: str | None = None
        self.transport: asyncio.Transport
        self.streams: dict[int, Stream] = {}
        self.ended_here = False
        self.progress = asyncio.Event()
        """Set and replaced whenever a window may have opened or something was closed."""
        self.writable = True
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1", validate_outbound_headers=False
        )
        self.http = h2.connection.H2Connection(config)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server_name = getattr(transport.get_extra_info("ssl_object"), "requested_name", None)
        self.number = self.site.connected(self)
        self.http.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self.http.receive_data(data):
                self._react(event)
        except h2.exceptions.ProtocolError as error:
            self.site.failed(error)
            self.ended_here = True
            self.flush()
            self.transport.close()
            return
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        now = time.monotonic()
        open_streams = [stream for stream in self.streams.values() if stream.request is not None]
        for stream in self.streams.values():
            self._leave(stream)
        if not self.ended_here:
            for stream in open_streams:
                self.site.left(Closed(self.number, now, stream.request, "connection"))
            if not open_streams:
                self.site.left(Closed(self.number, now, None, "connection"))
        self.streams.clear()
        self.site.disconnected(self.number)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.wake()

    def wake(self) -> None:
        self.progress.set()
        self.progress = asyncio.Event()

    def flush(self) -> None:
        if data := self.http.data_to_send():
            self.transport.write(data)

    def _react(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                pairs = [(str(name), str(value)) for name, value in event.headers]
                self.streams[event.stream_id] = Stream(pairs)
            case h2.events.DataReceived():
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if stream := self.streams.get(event.stream_id):
                    stream.body += event.data
            case h2.events.TrailersReceived():
                if stream := self.streams.get(event.stream_id):
                    stream.trailers = tuple((str(name), str(value)) for name, value in event.headers)
            case h2.events.StreamEnded():
                if stream := self.streams.get(event.stream_id):
                    self._start(event.stream_id, stream)
            case h2.events.StreamReset():
                if stream := self.streams.pop(event.stream_id, None):
                    self._leave(stream)
                    self.site.left(Closed(self.number, time.monotonic(), stream.request, "stream"))
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self.wake()
            case _:
                pass

    def _start(self, stream_id: int, stream: Stream) -> None:
        pseudo = {name: value for name, value in stream.fields if name.startswith(":")}
        stream.request = Received(
            method=pseudo.get(":method", ""),
            path=pseudo.get(":path", ""),
            headers=tuple(pair for pair in stream.fields if not pair[0].startswith(":")),
            body=bytes(stream.body),
            head=b"",
            authority=pseudo.get(":authority", ""),
            connection=self.number,
            http_version="HTTP/2",
            at=time.monotonic(),
            server_name=self.server_name,
            trailers=stream.trailers,
        )
        self.site.received(stream.request)
        stream.task = asyncio.get_running_loop().create_task(self._answer(stream_id, stream, stream.request))

    async def _answer(self, stream_id: int, stream: Stream, request: Received) -> None:
        send = H2Send(self, stream_id, stream)
        try:
            await self.site.answer(request, send)
            await send.finish(request)
        except ClientGone:
            pass
        except Exception as error:  # an assertion in a script belongs to the test, whatever its type
            self.site.failed(error)
            if not stream.gone:
                await send.abort()
        finally:
            self.streams.pop(stream_id, None)

    def _leave(self, stream: Stream) -> None:
        stream.gone = True
        if stream.task is not None:
            stream.task.cancel()
        self.wake()


class H2Send(Send):
    """Writes one answer on a stream."""

    def __init__(self, connection: H2Connection, stream_id: int, stream: Stream) -> None:
        self._connection = connection
        self._id = stream_id
        self._stream = stream
        self._state: Literal["head", "body", "done"] = "head"

    async def head(self, status: int, headers: Fields = (), *, until_close: bool = False) -> None:
        assert self._state == "head", "the head was sent already"
        self._state = "body"
        fields = [(":status", str(status)), *((name.lower(), value) for name, value in headers)]
        self._http().send_headers(self._id, fields)
        self._connection.flush()

    async def data(self, data: bytes) -> None:
        assert self._state == "body", "body bytes belong between head and end"
        view = memoryview(data)
        while view:
            room = min(self._http().local_flow_control_window(self._id), self._http().max_outbound_frame_size)
            if room <= 0 or not self._connection.writable:
                await self._connection.progress.wait()
                continue
            self._http().send_data(self._id, bytes(view[:room]))
            self._connection.flush()
            view = view[room:]
        await asyncio.sleep(0)  # an endless script must let the loop see that the client left

    async def end(self) -> None:
        assert self._state == "body", "an answer ends after its head, once"
        self._state = "done"
        self._http().end_stream(self._id)
        self._connection.flush()

    async def trailers(self, headers: Fields) -> None:
        assert self._state == "body", "an answer ends after its head, once"
        self._state = "done"
        fields = [(name.lower(), value) for name, value in headers]
        self._http().send_headers(self._id, fields, end_stream=True)
        self._connection.flush()

    async def abort(self) -> None:
        self._state = "done"
        self._http().reset_stream(self._id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        self._connection.flush()

    async def hang_up(self) -> None:
        self._state = "done"
        self._http().close_connection()
        self._connection.flush()
        self._connection.ended_here = True
        self._connection.transport.close()

    async def raw(self, data: bytes) -> None:
        raise AssertionError("raw() is for HTTP/1.1")

    async def finish(self, request: Received) -> None:
        """The script returned: complete what it left open."""
        if self._state == "head":
            raise AssertionError(f"the script gave no answer to {request.method} {request.path}")
        if self._state == "body":
            await self.end()

    def _http(self) -> h2.connection.H2Connection:
        if self._stream.gone or self._connection.ended_here:
            raise ClientGone("the client closed the stream")
        return self._connection.http
