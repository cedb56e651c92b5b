"""The transport against upstreams that stream, hang, break and never end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from ccproxy.headers import Fields
from ccproxy.sidecar.transport import PAUSE_ABOVE, SafeTransport, make_request
from tests.support.upstream import Gate, Received, Send, Upstream, body, script, silence, sse

BOTH = pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
SOON_S = 0.2
"""Within this an upstream must hear that nobody listens any more."""


@asynccontextmanager
async def transport_to(upstream: Upstream) -> AsyncIterator[SafeTransport]:
    transport = SafeTransport("chrome131", upstream.ca_file)
    try:
        yield transport
    finally:
        await transport.aclose()


def request(upstream: Upstream, path: str = "/v1/x", fields: Fields = (), content: bytes = b"{}") -> httpx.Request:
    return make_request("POST", upstream.origin + path, fields, content)


def stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


async def whole(response: httpx.Response) -> bytes:
    stream = stream_of(response)
    try:
        return b"".join([chunk async for chunk in stream])
    finally:
        await stream.aclose()


async def endless(_request: Received, send: Send) -> None:
    await send.head(200, [("Content-Type", "text/event-stream")])
    while True:
        await send.data(b"data: more\n\n")
        await asyncio.sleep(0.01)


# What is sent


@BOTH
async def test_request_goes_out_as_it_is(http2: bool):
    path = "/v1/models/a%2Fb%7e/./x/../y:generate?key=%7E&alt=sse&empty="
    fields = ((b"x-api-key", b"k1"), (b"x-two", b"a"), (b"x-two", b"b"), (b"x-none", b""), (b"x-umlaut", "ü".encode()))
    async with Upstream(body(200, b"ok"), tls=True, http2=http2) as upstream, transport_to(upstream) as transport:
        assert await whole(await transport.handle_async_request(request(upstream, path, fields))) == b"ok"
    seen = upstream.requests[0]
    assert (seen.http_version, seen.path, seen.body) == ("HTTP/2" if http2 else "HTTP/1.1", path, b"{}")
    assert seen.authority == upstream.origin.removeprefix("https://")
    assert seen.header_all("x-two") == ["a", "b"]
    assert seen.header("x-none", "missing") == ""
    assert seen.header("x-umlaut").encode("latin-1") == "ü".encode()
    names = {name.lower() for name, _ in seen.headers} - {"host", "content-length", "accept-encoding"}
    assert names == {"x-api-key", "x-two", "x-none", "x-umlaut"}, "nothing of curl's, httpx's or a browser's own"


async def test_cookie_of_one_answer_does_not_ride_on_the_next_request():
    answer = body(200, b"ok", [("Set-Cookie", "session=1; Path=/")])
    async with Upstream(answer, tls=True) as upstream, transport_to(upstream) as transport:
        for _ in range(3):
            assert (await transport.handle_async_request(request(upstream))).headers["set-cookie"]
    assert [seen.header("cookie") for seen in upstream.requests] == ["", "", ""]


async def test_redirect_is_an_answer():
    answer = body(302, b"", [("Location", "/elsewhere")])
    async with Upstream(answer, tls=True) as upstream, transport_to(upstream) as transport:
        response = await transport.handle_async_request(request(upstream))
        assert (response.status_code, response.headers["location"]) == (302, "/elsewhere")
        await whole(response)
    assert len(upstream.requests) == 1


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with Upstream(body(200, b"ok"), tls=True) as upstream, transport_to(upstream) as transport:
        assert await whole(await transport.handle_async_request(request(upstream))) == b"ok"


# Streams


@BOTH
async def test_head_and_each_event_are_there_when_they_were_sent(http2: bool):
    gate = Gate()

    async def answer(_request: Received, send: Send) -> None:
        await send.head(200, [("Content-Type", "text/event-stream")])
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            await gate.passed()
            await send.data(event)
        await send.end()

    async with (
        Upstream(answer, tls=True, http2=http2) as upstream,
        transport_to(upstream) as transport,
        asyncio.timeout(10),
    ):
        response = await transport.handle_async_request(request(upstream))
        assert response.status_code == 200
        events = aiter(stream_of(response))
        gate.step()
        assert await anext(events) == b"data: 1\n\n"
        gate.step()
        assert await anext(events) == b"data: 2\n\n"
        assert await anext(events, None) is None


async def test_interim_answer_is_not_the_head():
    async def answer(_request: Received, send: Send) -> None:
        await send.raw(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await asyncio.sleep(0.05)
        await send.raw(b"HTTP/1.1 201 Created\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok")

    async with Upstream(answer, tls=True) as upstream, transport_to(upstream) as transport:
        response = await transport.handle_async_request(request(upstream))
        assert (response.status_code, response.headers.get("x-a"), await whole(response)) == (201, "b", b"ok")


async def test_hundred_streams_run_side_by_side():
    gate = Gate()
    events = [b"data: 1\n\n", b"data: 2\n\n"]
    async with Upstream(sse(events, gap=gate), tls=True) as upstream, transport_to(upstream) as transport:
        async with asyncio.timeout(20):
            answers = [asyncio.create_task(transport.handle_async_request(request(upstream))) for _ in range(100)]
            responses = await asyncio.gather(*answers)
            await upstream.wait_requests(100)
        gate.open()
        assert await asyncio.gather(*map(whole, responses)) == [b"".join(events)] * 100


class Flood:
    """Sends ``count`` chunks as fast as they are taken, and knows how much that was."""

    chunk = bytes(range(256)) * 256

    def __init__(self, count: int) -> None:
        self.count, self.sent = count, 0

    async def __call__(self, _request: Received, send: Send) -> None:
        await send.head(200)
        for _ in range(self.count):
            await send.data(self.chunk)
            self.sent += len(self.chunk)
        await send.end()

    async def held_back(self) -> int:
        """Bytes sent when no more are taken."""
        before = -1
        async with asyncio.timeout(20):
            while self.sent <= PAUSE_ABOVE or self.sent != before:
                before = self.sent
                await asyncio.sleep(0.2)
        return self.sent


@BOTH
async def test_slow_reader_holds_the_upstream_back_and_misses_nothing(http2: bool):
    flood = Flood(count=1600)
    async with Upstream(flood, tls=True, http2=http2) as upstream, transport_to(upstream) as transport:
        response = await transport.handle_async_request(request(upstream))
        # Beside what waits here, an HTTP/2 window and the kernel's buffers hold some of the 100 MiB.
        assert await flood.held_back() < 40 * 1024 * 1024
        received = 0
        async with asyncio.timeout(60):
            async for piece in stream_of(response):
                assert piece[0] == received % 256
                received += len(piece)
        assert received == flood.sent == len(flood.chunk) * flood.count


# Leaving


@BOTH
async def test_cancelling_before_the_head_ends_the_upstream_request(http2: bool):
    async with Upstream(silence(), tls=True, http2=http2) as upstream, transport_to(upstream) as transport:
        task = asyncio.create_task(transport.handle_async_request(request(upstream)))
        await upstream.wait_requests(1)
        left = time.monotonic()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        assert (await upstream.wait_closed()).at - left < SOON_S


@BOTH
async def test_cancelling_after_the_first_byte_ends_the_upstream_request(http2: bool):
    async with Upstream(endless, tls=True, http2=http2) as upstream, transport_to(upstream) as transport:
        began = asyncio.Event()

        async def read() -> None:
            stream = stream_of(await transport.handle_async_request(request(upstream)))
            try:
                async for _ in stream:
                    began.set()
            finally:
                await stream.aclose()

        task = asyncio.create_task(read())
        await began.wait()
        left = time.monotonic()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        assert (await upstream.wait_closed()).at - left < SOON_S


@BOTH
async def test_leaving_a_stream_early_ends_the_upstream_request(http2: bool):
    async with Upstream(endless, tls=True, http2=http2) as upstream, transport_to(upstream) as transport:
        stream = stream_of(await transport.handle_async_request(request(upstream)))
        assert await anext(aiter(stream))
        left = time.monotonic()
        async with asyncio.timeout(5):
            await stream.aclose()
        assert (await upstream.wait_closed()).at - left < SOON_S


async def test_leaving_while_paused_ends_the_upstream_request():
    flood = Flood(count=1600)
    async with Upstream(flood, tls=True) as upstream, transport_to(upstream) as transport:
        stream = stream_of(await transport.handle_async_request(request(upstream)))
        await flood.held_back()
        left = time.monotonic()
        async with asyncio.timeout(5):
            await stream.aclose()
        assert (await upstream.wait_closed()).at - left < SOON_S


async def test_hundred_that_left_leave_nothing_behind():
    async with Upstream(endless, tls=True) as upstream, transport_to(upstream) as transport:

        async def leave(early: bool) -> None:
            task = asyncio.create_task(transport.handle_async_request(request(upstream)))
            if early:
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            else:
                stream = stream_of(await task)
                await anext(aiter(stream))
                await stream.aclose()

        await asyncio.gather(*(leave(early=False) for _ in range(10)))
        await upstream.until(lambda seen: seen.open_connections == 0)
        tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        for i in range(10):
            await asyncio.gather(*(leave(early=bool(i % 2)) for _ in range(10)))
        await upstream.until(lambda seen: seen.open_connections == 0)
        assert len(asyncio.all_tasks()) <= tasks
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        upstream.answer = body(200, b"ok")
        assert await whole(await transport.handle_async_request(request(upstream))) == b"ok"


# Failures


async def test_unreachable_upstream():
    async with Upstream(silence(), tls=True) as upstream, transport_to(upstream) as transport:
        await upstream.stop()
        with pytest.raises(httpx.ConnectError, match="cannot be reached, or refuses"):
            await transport.handle_async_request(request(upstream))


async def test_certificate_of_an_unknown_authority_is_refused():
    async with (
        Upstream(body(200, b"ok"), tls=True) as trusted,
        Upstream(body(200, b"ok"), tls=True) as upstream,
        transport_to(trusted) as transport,
    ):
        with pytest.raises(httpx.ConnectError, match=r"certificate is not trusted.*upstream_ca_file"):
            await transport.handle_async_request(request(upstream))
        assert not upstream.requests


async def test_certificate_for_another_name_is_refused():
    answer, names = body(200, b"ok"), ("elsewhere.test",)
    async with Upstream(answer, tls=True, names=names) as upstream, transport_to(upstream) as transport:
        target = f"https://127.0.0.1:{upstream.port}/"
        with pytest.raises(httpx.ConnectError, match="certificate is not trusted"):
            await transport.handle_async_request(make_request("GET", target, (), b""))


async def test_silent_upstream_times_out():
    async with Upstream(silence(), tls=True) as upstream, transport_to(upstream) as transport:
        impatient = request(upstream)
        impatient.extensions["timeout"] = {"connect": 0.5, "read": 0.5}
        with pytest.raises(httpx.TimeoutException, match="did not answer in time"):
            await transport.handle_async_request(impatient)


@BOTH
async def test_answer_that_breaks_off_is_a_failure_after_what_came(http2: bool):
    async def answer(_request: Received, send: Send) -> None:
        await send.head(200, [("Content-Length", "100")])
        await send.data(b"half")
        await asyncio.sleep(0.05)
        await send.abort()

    async with Upstream(answer, tls=True, http2=http2) as upstream, transport_to(upstream) as transport:
        stream = aiter(stream_of(await transport.handle_async_request(request(upstream))))
        assert await anext(stream) == b"half"
        with pytest.raises(httpx.RequestError, match=r"^it (broke off|ended its answer early)$"):
            await anext(stream)


async def test_no_answer_at_all():
    async def answer(_request: Received, send: Send) -> None:
        await send.hang_up()

    async with Upstream(answer, tls=True) as upstream, transport_to(upstream) as transport:
        with pytest.raises(httpx.RequestError, match="closed the connection without an answer"):
            await transport.handle_async_request(request(upstream))


async def test_failure_never_quotes_what_was_sent():
    secret = b"sk-canary"
    async with Upstream(script(silence()), tls=True) as upstream, transport_to(upstream) as transport:
        impossible = make_request("POST", "bogus://" + secret.decode(), ((b"authorization", secret),), secret)
        with pytest.raises(httpx.RequestError) as caught:
            await transport.handle_async_request(impossible)
        assert secret.decode() not in repr(caught.value) + str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("profile", ["firefox133", "safari180", "chrome"])
async def test_other_profiles_speak_too(profile: str):
    async with Upstream(body(200, b"ok"), tls=True, http2=True) as upstream:
        transport = SafeTransport(profile, upstream.ca_file)
        assert await whole(await transport.handle_async_request(request(upstream))) == b"ok"
        await transport.aclose()
