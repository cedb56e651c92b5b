"""Several upstream attempts inside one client exchange, and errors in the client's own words.

mitmproxy's ``HttpStream`` sends a request once. A response that a hook sets is sent whole, so a 401 that is healed by a
new token could never become an unbuffered stream. Here the stream itself may wait in ``responseheaders`` for a
decision and send the request again on the same flow; the client sees one clean answer.

How it works::

    client ──stream_id──▶ AttemptStream ──attempt_id──▶ upstream     attempt_id is negative and new for every attempt:
                                                                    Http2Client binds an id to one h2 stream for good

* ``HttpLayer`` routes what the server sends by id; the stream translates attempt ids back to its own.
* What a superseded attempt still sends is dropped; its body is cut: HTTP/2 by RST_STREAM(CANCEL), HTTP/1 by closing,
  unless it had already ended (then the connection is kept).
* The credential rides on a *copy* of the request, made at the send; ``flow.request`` never holds it.
* Any ``ResponseProtocolError`` towards the client (no connection, timeout, broken stream) becomes an answer in its own
  wire format: a whole error response before the first byte, the format's error event in mid-stream.

This leans on mitmproxy internals: the states of ``HttpStream``, ``_paused``, ``_paused_event_queue``,
``HttpLayer.streams`` and ``make_stream``. ``check_internals`` fails at start when one of them has gone.
"""

from __future__ import annotations

import asyncio
import html
import itertools
import re
from collections.abc import Generator
from typing import Any, Final, Protocol

from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as mhttp
from mitmproxy.proxy.layers.http import _http1, _http2
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.version import VERSION

from ccproxy.lightllm.failure import Failure, encode_failure
from ccproxy.listener import goaway

type Commands = Generator[commands.Command, Any]

HELD_BYTES: Final = 1 << 20
"""Most bytes of an answer's body that are held while its fate is decided; an endless one is cut there."""
DRAINED_BODIES: Final = 4
"""A refused request's body is read and dropped up to this many times the limit, so that the client can read why."""
PIPELINED_BYTES: Final = 1 << 20
"""Most bytes that a client may send ahead of the answer to its current request, beside a header block."""
PAGE_TEXT: Final = re.compile(rb"<p>(.*?)</p>", re.DOTALL)
INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n")
TOO_MUCH: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
FROM_SERVER: Final = (
    mhttp.ResponseHeaders,
    mhttp.ResponseData,
    mhttp.ResponseTrailers,
    mhttp.ResponseEndOfMessage,
    mhttp.ResponseProtocolError,
)

attempt_ids = itertools.count(-1, -1)


class Exchange(Protocol):
    """What the stream needs to know about one flow."""

    resend: bool
    """Set by the responseheaders hook: send once more."""
    body_limit: int
    timeout_s: float | None
    """Longest wait for response headers, the time to connect included."""

    @property
    def holds_head(self) -> bool:
        """Status and headers of the answer are decided later: nothing goes to the client yet."""

    @property
    def has_enough(self) -> bool:
        """What the upstream still sends is of no use: the answer ends here."""

    def may_leave(self) -> bool:
        """Asked right before a connection is made or taken: is the request still what was checked?"""

    def connecting_too_long(self) -> None:
        """The time is up and there is no connection yet; the exchange ends the attempt to make one."""

    def outgoing(self) -> http.Request:
        """The request as it is sent in this attempt: a copy, with the credential."""

    def client_gone(self) -> None:
        """The client left while a decision was awaited."""

    def body_too_large(self) -> None:
        """More body bytes arrived than allowed; the request hook must answer."""

    def failure_response(self, code: mhttp.ErrorCode, message: str) -> http.Response:
        """The whole answer that tells the client of a failure."""

    def failure_event(self, message: str) -> bytes | None:
        """The tail that tells the client of a failure in mid-stream; None: only a cut can."""


class Seam(Protocol):
    """Finds the exchange of a flow."""

    def find(self, flow: http.HTTPFlow) -> Exchange | None:
        """None: the flow is none of ours, and is left to mitmproxy."""

    def over(self, flow: http.HTTPFlow) -> None:
        """After an error hook: nothing more happens on the client's side, its exchange can be forgotten."""


class AttemptStream(mhttp.HttpStream):
    """One client exchange; towards the server every attempt is a stream of its own."""

    def __init__(self, context: Context, stream_id: int, parent: AttemptLayer) -> None:
        super().__init__(context, stream_id)
        self.parent = parent
        self.attempt_id = 0
        self.deciding = False
        """The responseheaders hook is running."""
        self.held = 0
        self.received = 0
        """Body bytes of the request so far."""
        self.answered = False
        """Response headers have gone to the client."""
        self.failed = False
        """The error hook has been called."""
        self.head: mhttp.SendHttp | None = None
        """Response headers that wait to go to the client."""
        self.deadline: commands.RequestWakeup | None = None
        self.known: Exchange | None = None
        self.new_attempt()

    def new_attempt(self) -> None:
        self.parent.streams.pop(self.attempt_id, None)
        self.attempt_id = next(attempt_ids)
        self.parent.streams[self.attempt_id] = self

    @property
    def exchange(self) -> Exchange | None:
        """Kept once found: the addon lets go of it in the response hook."""
        if self.known is None and hasattr(self, "flow"):
            self.known = self.parent.seam.find(self.flow)
        return self.known

    # ------------------------------------------------------------------ what arrives, and every command that leaves

    def handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Wakeup):
            yield from self.timed_out(event)
            return
        if self.deciding and self._paused:
            event = yield from self.while_deciding(event)
        for command in super().handle_event(event):
            if isinstance(command, mhttp.SendHttp):
                toward = self.to_client if command.connection is self.context.client else self.to_server
                yield from toward(command)
                continue
            if isinstance(command, mhttp.DropStream):
                self.parent.streams.pop(self.attempt_id, None)
            elif isinstance(command, mhttp.HttpErrorHook):
                self.failed = True
            yield command
        if self.failed and not self._paused:
            self.parent.seam.over(self.flow)

    def while_deciding(self, event: events.Event) -> Generator[commands.Command, Any, events.Event]:
        if isinstance(event, mhttp.RequestProtocolError):
            if exchange := self.exchange:
                exchange.client_gone()
        elif isinstance(event, mhttp.ResponseData) and event.stream_id == self.attempt_id:
            if self.held > HELD_BYTES:
                return mhttp.ResponseData(0, b"")  # of no attempt: dropped when its turn comes
            self.held += len(event.data)
            if self.held > HELD_BYTES:  # the client learns of it only if nothing is sent again
                yield self.cancel_command()
                return mhttp.ResponseProtocolError(
                    self.attempt_id,
                    "the answer's body is too large to hold while a new attempt is considered",
                    mhttp.ErrorCode.GENERIC_SERVER_ERROR,
                )
        return event

    def to_server(self, command: mhttp.SendHttp) -> Commands:
        command.event.stream_id = self.attempt_id
        if isinstance(command.event, mhttp.RequestHeaders) and (exchange := self.exchange):
            command.event.request = exchange.outgoing()
        yield command

    def to_client(self, command: mhttp.SendHttp) -> Commands:
        event = command.event
        if isinstance(event, mhttp.ResponseHeaders):
            final = event.response.status_code >= 200
            if final and (exchange := self.exchange) and exchange.holds_head:
                self.head = command
                return
            self.answered = final
        elif isinstance(event, mhttp.ResponseProtocolError) and (exchange := self.exchange):
            self.head = None
            yield from self.tell(exchange, event)
            return
        elif self.head is not None:
            head, self.head, self.answered = self.head, None, True
            yield head
        yield command

    def tell(self, exchange: Exchange, error: mhttp.ResponseProtocolError) -> Commands:
        """Say what went wrong in the client's own wire format, as far as the exchange still allows it."""
        client, sid = self.context.client, self.stream_id
        if not client.state & ConnectionState.CAN_WRITE:
            return
        if not self.answered:
            response = exchange.failure_response(error.code, error.message)
            self.answered = True
            yield mhttp.SendHttp(mhttp.ResponseHeaders(sid, response, False), client)
            yield mhttp.SendHttp(mhttp.ResponseData(sid, response.raw_content or b""), client)
            yield mhttp.SendHttp(mhttp.ResponseEndOfMessage(sid), client)
            if client.alpn != b"h2" and self.client_state != self.state_done:
                yield commands.CloseConnection(client)  # the rest of its body would be read as a request
        elif (tail := exchange.failure_event(error.message)) is not None:
            if tail:
                yield mhttp.SendHttp(mhttp.ResponseData(sid, tail), client)
            yield mhttp.SendHttp(mhttp.ResponseEndOfMessage(sid), client)
        else:
            yield mhttp.SendHttp(error, client)

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        exchange = self.exchange
        if exchange is not None:
            if not exchange.may_leave():
                error = mhttp.ResponseProtocolError(self.stream_id, "readdressed", mhttp.ErrorCode.KILL)
                yield from self.handle_protocol_error(error)
                return False
            if exchange.timeout_s is not None:
                self.deadline = commands.RequestWakeup(exchange.timeout_s)
                yield self.deadline
        made: bool = yield from super().make_server_connection()
        return made

    def timed_out(self, event: events.Wakeup) -> Commands:
        if event.command is not self.deadline or self.server_state != self.state_wait_for_response_headers:
            return
        if self._paused:
            if isinstance(self._paused.command, mhttp.GetHttpConnection) and (exchange := self.exchange):
                exchange.connecting_too_long()
        else:
            yield self.cancel_command()
            yield from self.handle_event(
                mhttp.ResponseProtocolError(self.attempt_id, "timeout", mhttp.ErrorCode.GENERIC_SERVER_ERROR)
            )

    # ------------------------------------------------------------------ what is worked on now, after any pause

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, FROM_SERVER) and event.stream_id != self.stream_id:
            if event.stream_id != self.attempt_id:
                return  # queued during a pause, from an attempt that has been superseded
            event.stream_id = self.stream_id
        yield from super()._handle_event(event)
        if isinstance(event, mhttp.ResponseData) and (exchange := self.exchange) and exchange.has_enough:
            yield from self.end_early()

    def end_early(self) -> Commands:
        """End the answer for the client although the upstream goes on."""
        if self.server_state != self.state_stream_response_body:
            return
        yield self.cancel_command()
        self.parent.streams.pop(self.attempt_id, None)
        self.attempt_id = next(attempt_ids)  # what is queued of the old one is dropped
        yield from super()._handle_event(mhttp.ResponseEndOfMessage(self.stream_id))

    def state_consume_request_body(self, event: events.Event) -> Commands:
        if isinstance(event, mhttp.RequestData) and (exchange := self.exchange):
            self.received += len(event.data)
            if self.received > exchange.body_limit:
                exchange.body_too_large()
                self.request_body_buf.clear()
                if self.received > exchange.body_limit * DRAINED_BODIES:
                    yield from self.handle_protocol_error(
                        mhttp.ResponseProtocolError(
                            self.stream_id, "request body too large", mhttp.ErrorCode.REQUEST_TOO_LARGE
                        )
                    )
                    yield commands.CloseConnection(self.context.client)
                return
        yield from super().state_consume_request_body(event)

    def state_wait_for_response_headers(self, event: events.Event) -> Commands:
        base, reply = super().state_wait_for_response_headers(event), None
        while True:
            try:
                command = base.send(reply)
            except StopIteration:
                return
            self.deciding, self.held = isinstance(command, mhttp.HttpResponseHeadersHook), 0
            hook = self.deciding
            reply = yield command
            self.deciding = False
            if not hook:
                continue
            if any(isinstance(e, mhttp.RequestProtocolError) for e in self._paused_event_queue):
                yield from self.cancel_attempt()  # the base class ends the flow, but leaves the upstream stream open
            elif (exchange := self.exchange) and exchange.resend:
                exchange.resend = False
                yield from self.send_again()  # the base class's generator is dropped
                return

    def send_again(self) -> Commands:
        yield from self.cancel_attempt()
        self.new_attempt()
        self.flow.response = None
        if not (yield from self.make_server_connection()) or (yield from self.check_killed(True)):
            return
        request, sid = self.flow.request, self.stream_id
        body = request.raw_content
        yield mhttp.SendHttp(mhttp.RequestHeaders(sid, request, not (body or request.trailers)), self.context.server)
        if body:
            yield mhttp.SendHttp(mhttp.RequestData(sid, body), self.context.server)
        if request.trailers:
            yield mhttp.SendHttp(mhttp.RequestTrailers(sid, request.trailers), self.context.server)
        yield mhttp.SendHttp(mhttp.RequestEndOfMessage(sid), self.context.server)

    def cancel_attempt(self) -> Commands:
        ended = (mhttp.ResponseEndOfMessage, mhttp.ResponseProtocolError)
        queue = self._paused_event_queue
        if not any(isinstance(e, ended) and e.stream_id == self.attempt_id for e in queue):
            yield self.cancel_command()

    def cancel_command(self) -> mhttp.SendHttp:
        error = mhttp.RequestProtocolError(self.attempt_id, "superseded", mhttp.ErrorCode.CANCEL)
        return mhttp.SendHttp(error, self.context.server)


class AttemptLayer(mhttp.HttpLayer):
    """mitmproxy's HTTP layer with AttemptStreams, bounded header blocks, and no crash on HTTP/1 trailers."""

    seam: Seam
    header_limit: int

    def register_connection(self, command: mhttp.RegisterHttpConnection) -> Commands:
        made: object = self.connections.get(command.connection)
        while made is not None and not isinstance(made, _http2.Http2Client):
            made = getattr(made, "child_layer", None)
        if made is not None and isinstance(command.connection, Server):
            goaway.install(made, command.connection)
        yield from super().register_connection(command)

    def make_stream(self, stream_id: int) -> Commands:
        self.streams[stream_id] = AttemptStream(self.context.fork(), stream_id, self)
        yield from self.event_to_child(self.streams[stream_id], events.Start())

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.DataReceived) and event.connection is not self.context.client:
            self.skip_interim(event)
        try:
            for command in super()._handle_event(event):
                if isinstance(command, commands.SendData) and command.connection is self.context.client:
                    command.data = in_json(command.data)
                yield command
        except NotImplementedError as err:  # mitmproxy 12 has no HTTP/1 trailers; RFC 9112 §7.1.2 allows to drop them
            yield commands.Log(f"{err} The connection is closed.", 30)
            yield from self.abort(event)
        if isinstance(event, events.DataReceived) and self.sends_too_much(event):
            yield from self.abort(event, TOO_MUCH)

    def http1(self, event: events.DataReceived) -> _http1.Http1Connection | None:
        """The HTTP/1 side that reads this connection, below its TLS."""
        found: object = self.connections.get(event.connection)
        while found is not None and not isinstance(found, _http1.Http1Connection):
            found = getattr(found, "child_layer", None) or getattr(found, "layer", None)
        return found

    def skip_interim(self, event: events.DataReceived) -> None:
        """Drop 1xx answers before the final one (RFC 9110 §15.2), which mitmproxy would take for it. Not 101."""
        http1 = self.http1(event)
        if http1 is None or http1.state != http1.read_headers or http1.buf:
            return
        while interim := INTERIM.match(event.data):
            event.data = event.data[interim.end() :]

    def sends_too_much(self, event: events.DataReceived) -> bool:
        """A header block without end, or requests piled up behind one that is not answered yet."""
        http1 = self.http1(event)
        if http1 is None:
            return False
        reading = http1.state == http1.read_headers and len(http1.buf) > self.header_limit
        return reading or (http1.state == http1.wait and len(http1.buf) > self.header_limit + PIPELINED_BYTES)

    def abort(self, event: events.Event, farewell: bytes = b"") -> Commands:
        if not isinstance(event, events.ConnectionEvent):
            return
        if event.connection is self.context.client and farewell:
            yield commands.SendData(event.connection, farewell)
        yield commands.CloseConnection(event.connection)
        if event.connection is not self.context.client:
            yield from super()._handle_event(events.ConnectionClosed(event.connection))


def in_json(data: bytes) -> bytes:
    """mitmproxy's own error page, for what it cannot read as a request at all, as JSON; anything else unchanged."""
    if not data.startswith(b"HTTP/1."):
        return data
    head, _, page = data.partition(b"\r\n\r\n")
    if b"\r\nServer: mitmproxy " not in head or b"\r\nContent-Type: text/html" not in head:
        return data
    said = PAGE_TEXT.search(page)
    status = int(data[9:12]) if data[9:12].isdigit() else 400
    text = html.unescape(said[1].decode("utf-8", "replace")) if said else "the request could not be read"
    body = encode_failure(None, Failure(status, "invalid_request", f"the request is malformed: {text}"))
    line = head.partition(b"\r\n")[0]
    return line + b"\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


def install(next_layer: layer.NextLayer, seam: Seam, header_limit: int) -> AttemptLayer | None:
    """Make the HTTP layer that mitmproxy chose an AttemptLayer. Runs in the ``next_layer`` hook, after mitmproxy's own.

    The object and its place in the layer stack stay; below TLS layers it is found, too. None: it is not there yet.
    """
    found = next_layer.layer
    while found is not None and type(found) is not mhttp.HttpLayer:
        found = getattr(found, "child_layer", None)
    if found is None:
        return None
    found.__class__ = AttemptLayer
    assert isinstance(found, AttemptLayer)
    found.seam, found.header_limit = seam, header_limit
    return found


def check_internals() -> None:
    """Raise RuntimeError, naming what is missing, when mitmproxy is not as this module expects it."""
    wanted = {
        mhttp.HttpStream: (
            "state_wait_for_response_headers state_consume_request_body state_done handle_protocol_error "
            "make_server_connection check_killed _handle_event handle_event"
        ),
        mhttp.HttpLayer: "make_stream register_connection event_to_child _handle_event",
        _http2.BufferedH2Connection: "_receive_goaway_frame",
        _http1.Http1Connection: "read_headers",
        layer.Layer: "handle_event",
    }
    declared = {  # attributes of instances, which the classes only annotate
        layer.Layer: "context _paused _paused_event_queue",
        mhttp.HttpStream: "flow stream_id request_body_buf",
        mhttp.HttpLayer: "streams connections",
        _http1.Http1Connection: "buf state",
        _http2.Http2Connection: "h2_conn",
        _http2.BufferedH2Connection: "stream_buffers",
        ConnectionHandler: "transports max_conns",
    }
    gone = [
        f"{cls.__name__}.{name}" for cls, names in wanted.items() for name in names.split() if not hasattr(cls, name)
    ]
    gone += [
        f"{cls.__name__}.{name}"
        for cls, names in declared.items()
        for name in names.split()
        if name not in cls.__annotations__
    ]
    if gone:
        raise RuntimeError(f"mitmproxy {VERSION} has no {', '.join(gone)}: use the locked version")


async def settled[T](task: asyncio.Task[T]) -> T | None:
    """Wait for a task that ``client_gone`` may cancel. None if it was; its exception otherwise propagates."""
    await asyncio.wait([task])
    return None if task.cancelled() else task.result()
