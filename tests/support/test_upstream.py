"""The scripted provider is itself held to what the tests that use it rely on, by independent clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from tests.support.certificates import Authority
from tests.support.upstream import Gate, Received, Send, Upstream, body, json, script, silence, sse

pytestmark = pytest.mark.filterwarnings("error")


async def test_a_request_is_recorded_as_it_came() -> None:
    sent = b"POST /v1/messages?beta=true HTTP/1.1\r\nHOST: a:1\r\nx-Key:  v \r\nx-Key: w\r\nContent-Length: 3\r\n\r\n"
    async with Upstream(json(200, {"ok": 1})) as upstream:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        writer.write(sent + b"a\0b")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        assert await reader.readexactly(9) == b'{"ok": 1}'
        writer.close()
    (request,) = upstream.requests
    assert request.head == sent
    assert (request.method, request.path, request.authority) == ("POST", "/v1/messages?beta=true", "a:1")
    assert request.headers == (("HOST", "a:1"), ("x-Key", "v"), ("x-Key", "w"), ("Content-Length", "3"))
    assert request.header_all("X-KEY") == ["v", "w"]
    assert request.body == b"a\0b"


async def test_chunked_requests_and_keep_alive() -> None:
    async def parts():
        yield b"ab"
        yield b"c" * 100_000

    async with Upstream(json(200, {})) as upstream, httpx.AsyncClient(trust_env=False) as client:
        await client.post(upstream.origin, content=parts())
        await client.post(upstream.origin, content=b"2")
    assert [len(request.body) for request in upstream.requests] == [100_002, 1]
    assert [request.connection for request in upstream.requests] == [1, 1]


@pytest.mark.parametrize(
    "extra",
    [b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n"],
)
async def test_ambiguous_framing_fails_the_test(extra: bytes) -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        async with Upstream(json(200, {})) as upstream:
            reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n" + extra + b"\r\n1")
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()


async def test_the_script_s_assertions_reach_the_test() -> None:
    async def answer(request: Received, send: Send) -> None:
        assert request.header("x-api-key") == "right"

    with pytest.raises(AssertionError, match="right"):
        async with Upstream(answer) as upstream, httpx.AsyncClient(trust_env=False) as client:
            with contextlib.suppress(httpx.TransportError):
                await client.get(upstream.origin, headers={"x-api-key": "wrong"})


@pytest.mark.parametrize("http2", [False, True])
async def test_tls_by_its_own_root_only(http2: bool, tmp_path: Path) -> None:
    async with Upstream(json(200, {"a": 1}), tls=True, http2=http2, names=["api.example"]) as upstream:
        context = ssl.create_default_context(cafile=str(upstream.ca_file))
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection(
            upstream.host, upstream.port, ssl=context, server_hostname="api.example"
        )
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == ("h2" if http2 else "http/1.1")
        writer.close()
        stranger = ssl.create_default_context(cafile=str(Authority(tmp_path).ca_file))
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(upstream.host, upstream.port, ssl=stranger, server_hostname="api.example")


async def test_the_name_that_the_client_asked_for_is_recorded() -> None:
    async with Upstream(json(200, {}), tls=True, names=["api.example"]) as upstream:
        context = ssl.create_default_context(cafile=str(upstream.ca_file))
        reader, writer = await asyncio.open_connection(
            upstream.host, upstream.port, ssl=context, server_hostname="api.example"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"{}")
        writer.close()
    assert upstream.requests[0].server_name == "api.example"


async def test_a_gate_holds_the_second_event_until_the_test_says() -> None:
    gate = Gate()
    events = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]
    async with (
        Upstream(sse(events, gap=gate)) as upstream,
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", upstream.origin) as response,
    ):
        chunks = response.aiter_raw()
        assert await asyncio.wait_for(anext(chunks), 5) == events[0]
        follow = asyncio.ensure_future(anext(chunks))
        done, _ = await asyncio.wait([follow], timeout=0.05)
        assert not done
        gate.step()
        assert await asyncio.wait_for(follow, 5) == events[1]
        gate.open()
        assert [chunk async for chunk in chunks] == [events[2]]


async def test_one_answer_after_the_other() -> None:
    answer = script(json(401, {}), body(200, b"x", [("X-A", "1")]))
    async with Upstream(answer) as upstream, httpx.AsyncClient(trust_env=False) as client:
        codes = [(await client.get(upstream.origin)).status_code for _ in range(3)]
    assert codes == [401, 200, 200]


async def test_a_client_that_leaves_is_seen_at_once() -> None:
    async with Upstream(sse([b"data: 1\n\n", b"never"], gap=Gate())) as upstream:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"data: 1\n\n"), 5)
        before = time.monotonic()
        writer.close()
        closed = await upstream.wait_closed()
        assert 0 <= closed.at - before < 0.2
        assert closed.how == "connection"
        assert closed.request is upstream.requests[0]


async def test_an_endless_answer_stops_with_its_client() -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200)
        while True:
            await send.data(b"x" * 65536)

    async with Upstream(answer) as upstream:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(reader.readexactly(1_000_000), 5)
        writer.transport.abort()
        await upstream.wait_closed()


async def test_aborted_hung_up_and_raw_answers() -> None:
    async def answer(request: Received, send: Send) -> None:
        if request.path == "/raw":
            await send.raw(b"HTTP/1.1 200 Fine\nodd\r\n\r\n")
            return
        await send.head(200, [("Content-Length", "10")], until_close=request.path == "/close")
        await send.data(b"half")
        await (send.abort() if request.path == "/abort" else send.hang_up())

    async def ask(path: str) -> bytes:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    async with Upstream(answer) as upstream:
        assert await ask("/raw") == b"HTTP/1.1 200 Fine\nodd\r\n\r\n"
        assert (await ask("/hang-up")).endswith(b"\r\n\r\nhalf")
        with pytest.raises(ConnectionResetError):
            await ask("/abort")
    assert upstream.broken_off == []


async def test_trailers() -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200)
        await send.data(b"a")
        await send.trailers([("X-Sum", "1")])

    async with Upstream(answer) as upstream:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n")
        writer.close()


def test_in_a_thread_for_tests_that_block() -> None:
    gate = Gate()
    with Upstream.in_thread(sse([b"data: 1\n\n", b"data: 2\n\n"], gap=gate)) as upstream:
        with httpx.stream("GET", upstream.origin, trust_env=False) as response:
            chunks = response.iter_raw()
            assert next(chunks) == b"data: 1\n\n"
            gate.step()
            assert next(chunks) == b"data: 2\n\n"
        upstream.block_until(lambda seen: len(seen.requests) == 1)
        with pytest.raises(TimeoutError, match="GET /"):
            upstream.block_until(lambda seen: len(seen.requests) == 2, timeout=0.01)


def test_a_failing_script_in_a_thread() -> None:
    async def answer(request: Received, send: Send) -> None:
        raise AssertionError("as scripted")

    with (
        pytest.raises(AssertionError, match="as scripted"),
        Upstream.in_thread(answer) as upstream,
        contextlib.suppress(httpx.TransportError),
    ):
        httpx.get(upstream.origin, trust_env=False)


class H2Client:
    """A blocking HTTP/2 client of a few lines, independent of the server under test."""

    def __init__(self, upstream: Upstream) -> None:
        context = ssl.create_default_context(cafile=str(upstream.ca_file))
        context.set_alpn_protocols(["h2"])
        self.sock = context.wrap_socket(
            socket.create_connection((upstream.host, upstream.port), 5), server_hostname="localhost"
        )
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin-1"))
        self.http.initiate_connection()

    def ask(self, path: str, content: bytes = b"") -> int:
        stream = self.http.get_next_available_stream_id()
        fields = [(":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "localhost"), ("x-a", "1")]
        self.http.send_headers(stream, fields, end_stream=not content)
        if content:
            self.http.send_data(stream, content, end_stream=True)
        self.flush()
        return stream

    def flush(self) -> None:
        self.sock.sendall(self.http.data_to_send())

    def until(self, kind: type[h2.events.Event]) -> tuple[h2.events.Event, bytes]:
        """Read until an event of a kind; it, and the body bytes before it."""
        got = b""
        while True:
            for event in self.http.receive_data(self.sock.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    got += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, kind):
                    return event, got
            self.flush()


def test_http2_requests_bodies_larger_than_a_window_and_resets() -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("X-B", "2")])
        await send.data(b"y" * 200_000)
        if request.path == "/wait":
            await silence()(request, send)

    with Upstream.in_thread(answer, http2=True) as upstream:
        client = H2Client(upstream)
        client.ask("/one", b"abc")
        _, got = client.until(h2.events.StreamEnded)
        assert got == b"y" * 200_000
        request = upstream.requests[0]
        assert (request.body, request.http_version, request.authority) == (b"abc", "HTTP/2", "localhost")
        assert request.headers == (("x-a", "1"),)

        stream = client.ask("/wait")
        client.until(h2.events.DataReceived)
        client.http.reset_stream(stream)
        client.flush()
        upstream.block_until(lambda seen: len(seen.broken_off) == 1)
        assert (upstream.broken_off[0].how, upstream.broken_off[0].request) == ("stream", upstream.requests[1])

        client.ask("/wait")
        client.until(h2.events.ResponseReceived)
        client.sock.close()
        upstream.block_until(lambda seen: len(seen.broken_off) == 2)
        assert upstream.broken_off[1].how == "connection"


def test_http2_aborts_and_hang_ups() -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200)
        await send.data(b"half")
        await (send.abort() if request.path == "/abort" else send.hang_up())

    with Upstream.in_thread(answer, http2=True) as upstream:
        client = H2Client(upstream)
        client.ask("/abort")
        _, got = client.until(h2.events.StreamReset)
        assert got == b"half"
        client.ask("/hang-up")
        client.until(h2.events.ConnectionTerminated)
        client.sock.close()
