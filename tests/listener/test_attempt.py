"""One client exchange, several upstream attempts: 401, a newer token, and a stream that nobody held back."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from typing import Any, get_args

import pytest
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import http as mhttp
from mitmproxy.proxy.layers.http import _http1, _http2
from mitmproxy.proxy.server import ConnectionHandler

from ccproxy.listener.attempt import HELD_BYTES, check_internals
from tests.listener.client import H2Client, Kind, connect
from tests.listener.stand import Site, Stand, message
from tests.support.upstream import Answer, Gate, Received, Send, json, script, sse

EVENTS = [
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
REFUSED = {"type": "error", "error": {"type": "authentication_error", "message": "old"}}
EVERY_WAY = [(client, site) for client in get_args(Kind.__value__) for site in ("plain", "h2")]


def after(change: Callable[[], None], answer: Answer) -> Answer:
    """Do something, then answer."""

    async def changing(request: Received, send: Send) -> None:
        change()
        await answer(request, send)

    return changing


async def pour(send: Send, data: bytes) -> None:
    """Send until nobody takes it any more."""
    while True:
        await send.data(data)
        await asyncio.sleep(0)  # a socket that has failed takes everything, and only the loop can say so


def keys(requests: list[Received]) -> list[str]:
    return [request.header("x-api-key") for request in requests]


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_a_401_is_healed_and_the_answer_streams(stand: Stand, client_kind: Kind, site: Site) -> None:
    name, gate = stand.fresh(site), Gate()
    refused = after(lambda: stand.write_token(name, "newer"), json(401, REFUSED))
    answer = script(refused, sse(EVENTS, gap=gate))
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post(f"/v1/messages?seam={name}", message(stream=True), key=stand.key(name))
        assert (reply.status, reply.header("content-type")) == (200, "text/event-stream")
        assert await reply.piece() == EVENTS[0]
        gate.step()
        assert await reply.rest() == b"".join(EVENTS)
    assert keys(upstream.requests) == [f"real-{name}-1", "newer"]
    assert upstream.requests[0].connection == upstream.requests[1].connection or client_kind == "h2c"
    record = await stand.flow(f"seam={name}")
    assert [attempt.status for attempt in record.attempts] == [401, 200]
    assert record.response is not None
    assert record.response.body.data == b"".join(EVENTS)


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_the_whole_body_goes_twice(stand: Stand, client_kind: Kind, site: Site) -> None:
    name, body = stand.fresh(site), message(filler="x" * (1 << 20))
    refused = after(lambda: stand.write_token(name, "newer"), json(401, REFUSED))
    answer = script(refused, json(200, {}))
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages", body, key=stand.key(name))
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert [request.body == body for request in upstream.requests] == [True, True]


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
@pytest.mark.parametrize("rest", [b"", b"x" * 65536], ids=["silent", "endless"])
async def test_a_401_that_does_not_end_is_cut(stand: Stand, client_kind: Kind, site: Site, rest: bytes) -> None:
    name = stand.fresh(site)

    async def refused(request: Received, send: Send) -> None:
        stand.write_token(name, "newer")
        await send.head(401)
        await send.data(b"{")
        if rest:
            await pour(send, rest)
        await asyncio.get_running_loop().create_future()

    answer = script(refused, json(200, {}))
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(name))
        assert (reply.status, await reply.rest()) == (200, b"{}")
        closed = await upstream.wait_closed()
    assert closed.how == ("stream" if site == "h2" else "connection")
    assert closed.request is upstream.requests[0]


async def test_an_endless_401_that_nothing_heals_is_a_502(stand: Stand) -> None:
    name = stand.fresh("h2")

    async def refused(request: Received, send: Send) -> None:
        await send.head(401)
        await pour(send, b"x" * HELD_BYTES)

    async with stand.upstream("h2", refused) as upstream, connect("h1", stand.port) as client:
        stand.token_file(name).touch()  # read again, off the loop, while the body comes
        reply = await client.post("/v1/messages", message(), key=stand.key(name))
        if reply.status == 401:  # the decision was faster than the first megabyte: then it streams until we leave
            await client.abandon()
        else:
            assert reply.status == 502
        await upstream.wait_closed()
    assert len(upstream.requests) == 1


async def test_the_same_token_again_lets_the_401_through(stand: Stand) -> None:
    name = stand.fresh("plain")
    headers = [("x-request-id", "r1"), ("www-authenticate", "Bearer")]
    async with stand.upstream("plain", json(401, REFUSED, headers)) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(name))
        assert (reply.status, await reply.json()) == (401, REFUSED)
        assert (reply.header("x-request-id"), reply.header("www-authenticate")) == ("r1", "Bearer")
    assert keys(upstream.requests) == [f"real-{name}-1"]


async def test_a_token_is_renewed_once(stand: Stand) -> None:
    name, numbers = stand.fresh("plain"), iter(range(2, 9))
    refused = after(lambda: stand.write_token(name, f"token-{next(numbers)}"), json(401, REFUSED))
    async with stand.upstream("plain", refused) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(name))
        assert (reply.status, await reply.json()) == (401, REFUSED)
    assert keys(upstream.requests) == [f"real-{name}-1", "token-2"]


async def test_a_source_that_fails_lets_the_401_through(stand: Stand) -> None:
    name = stand.fresh("plain")
    refused = after(lambda: stand.token_file(name).unlink(), json(401, REFUSED))
    async with stand.upstream("plain", refused) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(name))
        assert (reply.status, await reply.json()) == (401, REFUSED)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 429, 500, 529])
async def test_other_errors_are_not_tried_again(stand: Stand, status: int) -> None:
    answer = json(status, {"e": 1}, [("retry-after", "7")])
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        assert (reply.status, await reply.json(), reply.header("retry-after")) == (status, {"e": 1}, "7")
    assert len(upstream.requests) == 1


async def test_a_401_to_a_request_without_a_credential_of_ours_passes(stand: Stand) -> None:
    async with stand.upstream("plain", json(401, REFUSED)) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain-open"))
        assert (reply.status, await reply.json()) == (401, REFUSED)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_nothing_is_sent_again_for_a_client_that_left(stand: Stand, client_kind: Kind, site: Site) -> None:
    name = stand.fresh(site)

    async def refused(request: Received, send: Send) -> None:
        source.unlink()
        os.mkfifo(source)  # the command waits for somebody who writes
        await send.head(401)
        await send.data(b"{")
        await asyncio.get_running_loop().create_future()

    source = stand.token_file(name)
    async with stand.upstream(site, refused) as upstream, connect(client_kind, stand.port) as client:
        await client.submit(f"/v1/messages?gone={name}", message(), key=stand.key(f"{name}-command"))
        await upstream.wait_requests()
        writer = await asyncio.to_thread(os.open, source, os.O_WRONLY)  # returns when the command has opened it
        try:
            await client.abandon()
            closed = await upstream.wait_closed(timeout=2)
            watch = select.poll()
            watch.register(writer, 0)
            assert await asyncio.to_thread(watch.poll, 2000), "the command still runs, up to its timeout of 5 s"
        finally:
            os.close(writer)
    assert (closed.how == "stream") == (client_kind == "h2c" and site == "h2")
    assert len(upstream.requests) == 1
    assert [attempt.status for attempt in (await stand.flow(f"gone={name}")).attempts] == [401]


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_an_endless_401_is_cut_before_the_decision(stand: Stand, client_kind: Kind, site: Site) -> None:
    """However long the renewal takes, no more than a megabyte of the old answer is held."""
    name = stand.fresh(site)

    async def refused(request: Received, send: Send) -> None:
        source.unlink()
        os.mkfifo(source)  # the command waits for somebody who writes
        await send.head(401)
        await pour(send, b"x" * 65536)

    source, answer = stand.token_file(name), script(refused, json(200, {}))
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        await client.submit("/v1/messages", message(), key=stand.key(f"{name}-command"))
        await upstream.wait_requests()
        writer = await asyncio.to_thread(os.open, source, os.O_WRONLY)
        try:
            await upstream.wait_closed(timeout=4)  # the command has 5 s
            os.write(writer, b"newer")
        finally:
            os.close(writer)
        reply = await client.answer()
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert keys(upstream.requests) == [f"real-{name}-1", "newer"]


async def test_one_stream_of_a_client_is_reset_and_the_others_go_on(stand: Stand) -> None:
    gate = Gate()

    async def answer(request: Received, send: Send) -> None:
        if "hang" in request.path:
            await asyncio.get_running_loop().create_future()
        await sse(EVENTS, gap=gate)(request, send)

    async with stand.upstream("h2", answer) as upstream, connect("h2c", stand.port) as client:
        assert isinstance(client, H2Client)
        streaming = await client.post("/v1/messages?go=on", message(stream=True), key=stand.key("h2"))
        assert await streaming.piece() == EVENTS[0]
        await client.submit("/v1/messages?hang=1", message(), key=stand.key("h2"))
        await upstream.wait_requests(2)
        await client.abandon()
        closed = await upstream.wait_closed()
        gate.open()
        assert await streaming.rest() == b"".join(EVENTS)
    assert (closed.how, closed.request) == ("stream", upstream.requests[1])


async def test_many_refused_at_once_share_one_renewal(stand: Stand) -> None:
    """A flood of 401s does not become a flood of processes: the command runs twice in all."""
    name, count = stand.fresh("plain"), 8
    started, both = 0, asyncio.Event()

    async def answer(request: Received, send: Send) -> None:
        nonlocal started
        if request.header("x-api-key") == "newer":
            await json(200, {})(request, send)
            return
        started += 1
        if started == count:
            stand.write_token(name, "newer")
            both.set()
        await both.wait()
        await json(401, REFUSED)(request, send)

    stand.runs_file(name).unlink(missing_ok=True)
    async with stand.upstream("plain", answer) as upstream, connect("h2c", stand.port) as client:
        assert isinstance(client, H2Client)
        for _ in range(count):
            await client.submit("/v1/messages", message(), key=stand.key(f"{name}-command"))
        for stream in client.events:
            assert (await client.answer(stream)).status == 200
    assert len(upstream.requests) == 2 * count
    assert stand.runs_file(name).read_text() == "run\n" * 2


async def test_nothing_is_sent_for_a_client_that_left_before_there_was_a_credential(stand: Stand) -> None:
    name = stand.fresh("plain")
    source = stand.token_file(name)
    source.unlink()
    os.mkfifo(source)  # the command waits for somebody who writes
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        await client.submit(f"/v1/messages?early={name}", message(), key=stand.key(f"{name}-command"))
        writer = await asyncio.to_thread(os.open, source, os.O_WRONLY)
        try:
            await client.abandon()
            async with connect("h1", stand.port) as other:  # when it is answered, the other's end has been read
                assert (await other.ask("GET", "/health")).status == 200
            os.write(writer, b"late")
        finally:
            os.close(writer)
        assert (await stand.flow(f"early={name}")).error is not None
    assert not upstream.requests


async def test_an_upstream_connection_that_has_ended_is_replaced(stand: Stand) -> None:
    async def answer(request: Received, send: Send) -> None:
        await json(200, {"n": request.connection})(request, send)
        await send.hang_up()

    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        for number in (1, 2, 3):
            reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
            assert await reply.json() == {"n": number}
            await upstream.until(lambda seen: not seen.open_connections)
            await (await client.ask("GET", "/health")).rest()  # now the listener has seen it, too
    assert upstream.connections == 3


FUNCTIONS: list[tuple[Any, str]] = [
    (mhttp.HttpStream, "state_wait_for_response_headers"),
    (mhttp.HttpStream, "state_consume_request_body"),
    (mhttp.HttpStream, "make_server_connection"),
    (mhttp.HttpStream, "check_killed"),
    (mhttp.HttpLayer, "make_stream"),
    (_http1.Http1Connection, "read_headers"),
    (layer.Layer, "handle_event"),
]
ATTRIBUTES: list[tuple[Any, str]] = [
    (layer.Layer, "_paused"),
    (layer.Layer, "_paused_event_queue"),
    (mhttp.HttpLayer, "streams"),
    (mhttp.HttpLayer, "connections"),
    (_http1.Http1Connection, "buf"),
    (_http2.BufferedH2Connection, "stream_buffers"),
    (ConnectionHandler, "transports"),
    (ConnectionHandler, "max_conns"),
]


def test_mitmproxy_is_as_expected() -> None:
    check_internals()


@pytest.mark.parametrize(("owner", "name"), FUNCTIONS, ids=[name for _, name in FUNCTIONS])
def test_a_mitmproxy_without_a_function_is_refused(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(owner, name)
    with pytest.raises(RuntimeError, match=rf"mitmproxy [\d.]+ has no .*{name}"):
        check_internals()


@pytest.mark.parametrize(("owner", "name"), ATTRIBUTES, ids=[name for _, name in ATTRIBUTES])
def test_a_mitmproxy_without_an_attribute_is_refused(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(owner.__annotations__, name)
    with pytest.raises(RuntimeError, match=rf"mitmproxy [\d.]+ has no .*{name}"):
        check_internals()
