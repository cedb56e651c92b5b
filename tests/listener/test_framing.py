"""How the end of an answer is told: a whole one from a cut one, and a connection that lives on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.listener.client import Broken, connect
from tests.listener.stand import Stand, message
from tests.support.exchange import Received, Send
from tests.support.upstream import Answer, json, sse

WHOLE = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
PART = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'


def lengthless(data: bytes, *, breaks: bool = False) -> Answer:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "application/json")])
        await send.data(data)
        await (send.abort() if breaks else send.end())

    return answer


def counted(data: bytes, length: int, *, breaks: bool = False) -> Answer:
    """An event stream that announces its length."""

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream"), ("content-length", str(length))])
        await send.data(data)
        await (send.hang_up() if breaks else send.end())

    return answer


async def test_an_answer_of_http2_without_a_length_keeps_the_connection(stand: Stand) -> None:
    async with stand.upstream("h2", lengthless(b"{}")) as upstream, connect("h1", stand.port) as client:
        for _ in range(3):
            reply = await client.post("/v1/messages", message(), key=stand.key("h2"))
            assert await reply.rest() == b"{}"
            assert reply.header("transfer-encoding") == "chunked"
        assert upstream.connections == 1


async def test_a_broken_answer_of_http2_is_no_whole_one(stand: Stand) -> None:
    async with stand.upstream("h2", lengthless(b'{"a":1', breaks=True)), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("h2"))
        with pytest.raises(Broken):
            await reply.rest()


async def test_an_event_stream_with_a_length_may_end_in_an_error_event(stand: Stand) -> None:
    async with connect("h1", stand.port) as client:
        async with stand.upstream("plain", counted(PART, 5000, breaks=True)):
            reply = await client.post("/v1/messages", message(stream=True), key=stand.key("plain"))
            text = await reply.rest()
        assert text.startswith(PART)
        assert b"event: error" in text
        async with stand.upstream("plain", counted(PART, len(PART))):
            reply = await client.post("/v1/messages", message(stream=True), key=stand.key("plain"))
            assert b"event: error" in await reply.rest()
        async with stand.upstream("plain", json(200, {})):
            reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
            assert await reply.rest() == b"{}"


async def test_a_complete_stream_that_breaks_off_gets_no_error_event(stand: Stand) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream")])
        await send.data(PART + WHOLE)
        await send.hang_up()

    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages?mark=complete", message(stream=True), key=stand.key("plain"))
        assert await reply.rest() == PART + WHOLE
    record = await stand.flow("mark=complete")
    assert (record.complete, record.error) == (True, None)


async def test_an_old_client_gets_no_chunks(stand: Stand) -> None:
    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", stand.port), timeout=10) as client:
            body = message(stream=True)
            head = f"POST /v1/messages HTTP/1.0\r\nhost: localhost\r\nx-api-key: {stand.key('plain')}\r\n"
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            return b"".join(iter(lambda: client.recv(65536), b""))

    async with stand.upstream("plain", sse([PART, WHOLE])):
        head, _, body = (await asyncio.to_thread(ask)).partition(b"\r\n\r\n")
    assert body == PART + WHOLE
    assert b"transfer-encoding" not in head.lower()


async def test_no_content_has_no_body(stand: Stand) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.raw(b"HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n")

    async with connect("h1", stand.port) as client:
        async with stand.upstream("plain", answer):
            reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
            assert (reply.status, reply.header("transfer-encoding")) == (204, "")
        async with stand.upstream("plain", json(200, {})):
            assert (await client.post("/v1/messages", message(), key=stand.key("plain"))).status == 200


@pytest.mark.parametrize(
    "line", ["CONNECT evil.example:443 HTTP/1.1", "GET /nonsense", "POST /v1/messages HTTP/1.1\r\nbad header"]
)
async def test_what_is_no_request_is_refused_in_json(stand: Stand, line: str) -> None:
    async with connect("h1", stand.port) as client:
        client.writer.write(f"{line}\r\nhost: localhost\r\n\r\n".encode())
        text = await client.closed()
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 4")
    assert b"application/json" in head
    assert b"mitmproxy/" not in text
    assert body.startswith(b'{"error":')


async def test_requests_piled_up_behind_a_silent_one_are_bounded(stand: Stand) -> None:
    async def silent(request: Received, send: Send) -> None:
        await asyncio.get_running_loop().create_future()

    before = stand.daemon.rss_bytes("listener")
    async with stand.upstream("plain", silent), connect("h1", stand.port) as client:
        head = [("content-type", "application/json"), ("x-api-key", stand.key("plain"))]
        await client.send("POST", "/v1/messages", head, message())
        with pytest.raises(ConnectionError):
            for _ in range(64):
                client.writer.write(b"x" * (1 << 20))
                await client.writer.drain()
    assert stand.daemon.rss_bytes("listener") - before < 32 << 20
