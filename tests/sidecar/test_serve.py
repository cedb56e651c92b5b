"""The sidecar on its socket, with an upstream behind it."""

from __future__ import annotations

import asyncio
import gzip
import time
from pathlib import Path

import httpx
import pytest

from tests.sidecar.support import PROFILE, TOKEN, config_for, running
from tests.support.certificates import Authority
from tests.support.upstream import Gate, Received, Send, Upstream, body, script, silence, sse
from tests.support.upstream import json as answer_json

SOON_S = 0.2


def told(response: httpx.Response) -> str:
    """The message of an error of the sidecar's own."""
    error = response.json()["error"]
    assert error["type"] == response.headers["x-ccproxy-error"]
    return str(error["message"])


async def endless(_request: Received, send: Send) -> None:
    await send.head(200, [("Content-Type", "text/event-stream")])
    while True:
        await send.data(b"data: more\n\n")
        await asyncio.sleep(0.01)


# Through and back


async def test_request_and_answer_come_through(tmp_path: Path):
    answer = answer_json(418, {"a": 1}, [("X-Two", "1"), ("X-Two", "2"), ("Set-Cookie", "s=1")])
    async with (
        Upstream(answer, tls=True, http2=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(
            f"{upstream.origin}/v1/messages?beta=true",
            content=b'{"model": "x"}',
            headers={"authorization": "Bearer real", "x-ccproxy-flow-id": "1", "content-type": "application/json"},
        )
        assert (response.status_code, response.json()) == (418, {"a": 1})
        assert response.headers.get_list("x-two") == ["1", "2"]
        assert response.headers["set-cookie"] == "s=1"
        assert not {"server", "date", "x-ccproxy-error"} & set(response.headers)
    seen = upstream.requests[0]
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/messages?beta=true", b'{"model": "x"}')
    assert (seen.header("authorization"), seen.header("user-agent")) == ("Bearer real", "the-client/1")
    assert seen.authority == upstream.origin.removeprefix("https://")
    assert "ccproxy" not in repr(seen)


async def test_requests_in_a_row_share_a_connection(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        for _ in range(5):
            assert (await sidecar.ask(upstream.origin + "/")).content == b"ok"
        assert upstream.connections == 1


async def test_encoded_body_is_decoded_and_says_so(tmp_path: Path):
    plain = b"data: hello\n\n" * 1000
    answer = body(200, gzip.compress(plain), [("Content-Encoding", "gzip")])
    async with (
        Upstream(answer, tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/")
        assert response.content == plain
        assert not {"content-encoding", "content-length"} & set(response.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"])
async def test_every_method(tmp_path: Path, method: str):
    async with (
        Upstream(body(200, b"" if method == "HEAD" else b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/x", method)
        assert (response.status_code, response.content) == (200, b"" if method == "HEAD" else b"ok")
        assert upstream.requests[0].method == method


@pytest.mark.parametrize("status", [204, 304])
async def test_answer_without_a_body(tmp_path: Path, status: int):
    async def answer(_request: Received, send: Send) -> None:
        await send.raw(f"HTTP/1.1 {status} X\r\netag: 1\r\n\r\n".encode())

    async with (
        Upstream(answer, tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/", "GET")
        assert (response.status_code, response.headers["etag"], response.content) == (status, "1", b"")


async def test_upstream_cannot_speak_for_the_sidecar(tmp_path: Path):
    answer = body(
        502, b"{}", [("X-CCProxy-Error", "timeout"), ("X-CCProxy-Other", "1"), ("Connection", "x-hop"), ("X-Hop", "1")]
    )
    async with (
        Upstream(answer, tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/")
        assert response.status_code == 502
        assert not {"x-ccproxy-error", "x-ccproxy-other", "x-hop"} & set(response.headers)


# Streams


async def test_stream_is_not_buffered(tmp_path: Path):
    gate = Gate()
    async with (
        Upstream(sse([b"data: 1\n\n", b"data: 2\n\n"], gap=gate), tls=True, http2=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
        asyncio.timeout(10),
        sidecar.stream(upstream.origin + "/") as response,
    ):
        events = response.aiter_raw()
        assert await anext(events) == b"data: 1\n\n"
        gate.step()
        assert await anext(events) == b"data: 2\n\n"


async def test_fifty_streams_are_not_queued(tmp_path: Path):
    gate = Gate()
    events = [b"data: 1\n\n", b"data: 2\n\n"]
    async with (
        Upstream(sse(events, gap=gate), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        asking = [asyncio.create_task(sidecar.ask(upstream.origin + "/")) for _ in range(50)]
        await upstream.wait_requests(50)
        gate.open()
        assert {answer.content for answer in await asyncio.gather(*asking)} == {b"".join(events)}


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
async def test_client_that_leaves_before_the_head_ends_the_upstream_request(tmp_path: Path, http2: bool):
    async with (
        Upstream(silence(), tls=True, http2=http2) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        asking = asyncio.create_task(sidecar.ask(upstream.origin + "/"))
        await upstream.wait_requests(1)
        left = time.monotonic()
        asking.cancel()
        assert (await upstream.wait_closed()).at - left < SOON_S


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
async def test_client_that_leaves_in_mid_stream_ends_the_upstream_request(tmp_path: Path, http2: bool):
    async with (
        Upstream(endless, tls=True, http2=http2) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        async with sidecar.stream(upstream.origin + "/") as response:
            await anext(response.aiter_raw())
            left = time.monotonic()
        assert (await upstream.wait_closed()).at - left < SOON_S


async def test_client_that_leaves_in_its_own_body_reaches_no_upstream(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", sidecar.port)
        contract = (
            f"x-ccproxy-token: {TOKEN}\r\nx-ccproxy-target-url: {upstream.origin}/\r\nx-ccproxy-impersonate: {PROFILE}"
        )
        writer.write(f"POST / HTTP/1.1\r\nhost: x\r\n{contract}\r\ncontent-length: 10\r\n\r\nhalf".encode())
        await writer.drain()
        writer.close()
        assert (await sidecar.ask(upstream.origin + "/after")).content == b"ok"
    assert [seen.path for seen in upstream.requests] == ["/after"]


# Refusals


@pytest.mark.parametrize(
    ("headers", "drop", "status"),
    [
        ({}, "x-ccproxy-token", 403),
        ({"x-ccproxy-token": "wrong"}, "", 403),
        ({"x-forwarded-for": "10.0.0.1"}, "x-ccproxy-token", 403),
        ({"x-ccproxy-target-url": "https://evil.test/"}, "", 403),
        ({}, "x-ccproxy-target-url", 400),
        ({}, "x-ccproxy-impersonate", 400),
        ({"x-ccproxy-impersonate": "netscape4"}, "", 400),
    ],
)
async def test_refused_requests_reach_nobody(tmp_path: Path, headers: dict[str, str], drop: str, status: int):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/", headers=headers, drop=drop)
        assert response.status_code == status
        assert told(response)
        assert TOKEN not in response.text
    assert upstream.connections == 0


async def test_without_a_token_file_nobody_is_served(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        sidecar.instance.sidecar_token_path.unlink()
        response = await sidecar.ask(upstream.origin + "/")
        assert (response.status_code, "is it running" in told(response)) == (503, True)
    assert upstream.connections == 0


async def test_forwarded_for_does_not_change_who_asks(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        # Taken at its word, the peer would be one that the kernel does not know.
        assert (await sidecar.ask(upstream.origin + "/", headers={"x-forwarded-for": "10.0.0.1"})).content == b"ok"


async def test_body_beyond_the_limit_is_refused_declared_or_not(tmp_path: Path):
    async def chunks():
        for _ in range(20):
            yield bytes(100)

    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file, limits={"body_bytes": 1000})) as sidecar,
    ):
        assert (await sidecar.ask(upstream.origin + "/", content=bytes(1000))).status_code == 200
        for content in (bytes(1001), chunks()):
            response = await sidecar.ask(upstream.origin + "/", content=content)
            assert (response.status_code, "limits.body_bytes" in told(response)) == (413, True)
    assert len(upstream.requests) == 1


async def test_redirect_goes_to_the_client(tmp_path: Path):
    async with (
        Upstream(body(200, b"stolen"), tls=True) as other,
        Upstream(body(307, b"", [("Location", other.origin + "/")]), tls=True) as upstream,
        running(tmp_path, config_for(upstream, other, ca=upstream.ca_file)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/")
        assert (response.status_code, response.headers["location"]) == (307, other.origin + "/")
    assert other.connections == 0


# Failures


async def test_untrusted_certificate_is_a_502(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream)) as sidecar,
    ):
        response = await sidecar.ask(upstream.origin + "/?key=sk-canary")
        assert response.status_code == 502
        assert told(response).startswith(
            f"the upstream localhost:{upstream.port} failed: its certificate is not trusted"
        )
        assert "canary" not in response.text
    assert not upstream.requests


async def test_answer_that_breaks_off_is_cut_and_not_finished(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async def answer(_request: Received, send: Send) -> None:
        await send.head(200, [("Content-Type", "text/event-stream")])
        await send.data(b"data: 1\n\n")
        await asyncio.sleep(0.05)
        await send.abort()

    async with (
        Upstream(answer, tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
        sidecar.stream(upstream.origin + "/?key=sk-canary", headers={"authorization": "sk-canary"}) as response,
    ):
        events = response.aiter_raw()
        assert await anext(events) == b"data: 1\n\n"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(events)
    assert f"localhost:{upstream.port} failed in mid-answer" in caplog.text
    assert "canary" not in caplog.text and TOKEN not in caplog.text


async def test_short_answer_is_cut_as_short(tmp_path: Path):
    async def answer(_request: Received, send: Send) -> None:
        await send.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")

    async with (
        Upstream(answer, tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await sidecar.ask(upstream.origin + "/")


async def test_other_requests_go_on_beside_a_hostile_upstream(tmp_path: Path):
    async def long_line(_request: Received, send: Send) -> None:
        await send.raw(b"HTTP/1.1 200 OK\r\nx-long: " + b"a" * 1_000_000 + b"\r\n\r\n")

    async def garbage(_request: Received, send: Send) -> None:
        await send.raw(b"\0\1\2 this is not HTTP\r\n\r\n")

    async with (
        Upstream(script(long_line, garbage, body(200, b"ok")), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        for _ in range(2):
            response = await sidecar.ask(upstream.origin + "/")
            assert (response.status_code, response.headers["x-ccproxy-error"]) == (502, "upstream")
        assert (await sidecar.ask(upstream.origin + "/")).content == b"ok"


# Life


async def test_reload_changes_hosts_authorities_and_limits(tmp_path: Path):
    authority = Authority(tmp_path)
    async with (
        Upstream(body(200, b"one"), tls=True, authority=authority) as one,
        Upstream(body(200, b"two"), tls=True) as two,
        running(tmp_path / "x", config_for(one, ca=authority.ca_file)) as sidecar,
    ):
        assert (await sidecar.ask(one.origin + "/")).content == b"one"
        assert (await sidecar.ask(two.origin + "/")).status_code == 403
        assert await sidecar.reload(config_for(two, ca=two.ca_file, limits={"body_bytes": 10})) == ()
        assert (await sidecar.ask(one.origin + "/")).status_code == 403
        assert (await sidecar.ask(two.origin + "/")).content == b"two"
        assert (await sidecar.ask(two.origin + "/", content=bytes(11))).status_code == 413


async def test_bad_reload_keeps_the_old_configuration(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
    ):
        (problem,) = await sidecar.reload(config_for("https://other.test", ca=tmp_path / "missing.pem"))
        assert problem.startswith("upstream_ca_file: ") and "cannot be read" in problem
        assert (await sidecar.ask(upstream.origin + "/")).content == b"ok"


async def test_stream_in_flight_is_finished_when_the_sidecar_stops(tmp_path: Path):
    gate = Gate()
    async with (
        Upstream(sse([b"data: 1\n\n", b"data: 2\n\n"], gap=gate), tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file)) as sidecar,
        sidecar.stream(upstream.origin + "/") as response,
    ):
        events = response.aiter_raw()
        assert await anext(events) == b"data: 1\n\n"
        sidecar.control.stopping.set()
        while sidecar.listens():
            await asyncio.sleep(0.01)
        gate.step()
        assert b"".join([event async for event in events]) == b"data: 2\n\n"


async def test_stream_that_does_not_end_is_cut_when_the_sidecar_stops(tmp_path: Path):
    async with (
        Upstream(endless, tls=True) as upstream,
        running(tmp_path, config_for(upstream, ca=upstream.ca_file, shutdown_timeout_s=0.5)) as sidecar,
        sidecar.stream(upstream.origin + "/") as response,
    ):
        events = response.aiter_raw()
        await anext(events)
        sidecar.control.stopping.set()
        async with asyncio.timeout(5):
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in events:
                    pass
        await upstream.wait_closed()
