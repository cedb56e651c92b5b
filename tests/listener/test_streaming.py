"""Answers are passed on as they arrive, and are given up when nobody listens any more."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable
from typing import get_args

import brotli
import pytest
import zstandard

from tests.listener.client import H2Client, Kind, connect
from tests.listener.stand import PATHS, Site, Stand, message
from tests.support.answers import SSE_HEADERS
from tests.support.upstream import Gate, Received, Send, body, silence, sse

PROMPTLY_S = 0.2
"""Within this time of the client's leaving the upstream has lost its request."""
EVERY_WAY = [(client, site) for client in get_args(Kind.__value__) for site in ("plain", "tls", "h2")]


def event(number: int, size: int = 200) -> bytes:
    """A piece of a stream, exactly ``size`` bytes."""
    start, end = b'event: content_block_delta\ndata: {"n":%d,"t":"' % number, b'"}\n\n'
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
@pytest.mark.parametrize("provider", ["credential", "none"])
async def test_no_event_waits_for_the_next(stand: Stand, client_kind: Kind, site: Site, provider: str) -> None:
    gate, events = Gate(), [event(number) for number in range(6)]
    key = stand.key(site if provider == "credential" else f"{site}-open")
    answer = sse(events, gap=gate)
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages/other", message(stream=True), key=key)
        for number in range(6):
            assert await reply.piece() == events[number]
            gate.step()
        assert await reply.rest() == b"".join(events)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_json_is_not_held_back_either(stand: Stand, site: Site) -> None:
    gate = Gate()

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("Content-Type", "application/json"), ("Content-Length", "20")])
        await send.data(b'{"first": 1,')
        await gate.passed()
        await send.data(b' "b": 2}')
        await send.end()

    async with stand.upstream(site, answer), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(site))
        assert reply.header("content-length") == "20"
        assert await reply.piece() == b'{"first": 1,'
        gate.step()
        assert await reply.rest() == b'{"first": 1, "b": 2}'


async def test_the_head_does_not_wait_for_the_body(stand: Stand) -> None:
    gate = Gate()

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, SSE_HEADERS)
        await gate.passed()
        await send.data(event(0))

    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages/other", message(stream=True), key=stand.key("plain"))
        assert reply.status == 200
        gate.step()
        assert await reply.rest() == event(0)


@pytest.mark.parametrize("size", [60, 200, 70_000])
async def test_a_burst_arrives_whole_and_in_order(stand: Stand, size: int) -> None:
    events = [event(number, size) for number in range(2_000_000 // (size + 2000))]
    async with stand.upstream("plain", sse(events)), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages/other", message(stream=True), key=stand.key("plain"))
        assert await reply.rest() == b"".join(events)


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_a_client_that_leaves_before_the_first_byte_ends_the_request(
    stand: Stand, client_kind: Kind, site: Site
) -> None:
    async with stand.upstream(site, silence()) as upstream, connect(client_kind, stand.port) as client:
        await client.submit("/v1/messages?left=before", message(), key=stand.key(site))
        await upstream.wait_requests()
        left_at = time.monotonic()
        await client.abandon()
        closed = await upstream.wait_closed()
    assert closed.at - left_at < PROMPTLY_S


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_a_client_that_leaves_in_mid_stream_ends_the_request(stand: Stand, client_kind: Kind, site: Site) -> None:
    answer = sse([event(0), event(1)], gap=Gate())
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post(f"/v1/messages?left={client_kind}-{site}", message(stream=True), key=stand.key(site))
        assert await reply.piece() == event(0)
        left_at = time.monotonic()
        await client.abandon()
        closed = await upstream.wait_closed()
    assert closed.at - left_at < PROMPTLY_S
    record = await stand.flow(f"left={client_kind}-{site}")
    assert record.complete is False
    assert record.error is not None


async def test_many_streams_of_one_http2_client_run_at_once(stand: Stand) -> None:
    gate, count = Gate(), 30
    answer = sse([event(0), event(1)], gap=gate)
    async with stand.upstream("plain", answer) as upstream, connect("h2c", stand.port) as client:
        assert isinstance(client, H2Client)
        for _ in range(count):
            await client.submit("/v1/messages/other", message(stream=True), key=stand.key("plain"))
        await upstream.wait_requests(count)
        gate.open()
        for stream in client.events:
            assert await (await client.answer(stream)).rest() == event(0) + event(1)


@pytest.mark.parametrize("kind", PATHS)
async def test_no_wire_format_is_held_back(stand: Stand, kind: str) -> None:
    gate = Gate()
    answer = sse([b'data: {"a": 1}\n\n', b'data: {"b": 2}\n\n'], gap=gate)
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post(PATHS[kind], message(stream=True), key=stand.key(f"plain-{kind}"))
        assert await reply.piece() == b'data: {"a": 1}\n\n'
        gate.step()
        assert (await reply.until(b'"b"')).startswith(b'data: {"a": 1}\n\ndata: {"b": 2}\n\n')


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
async def test_a_slow_reader_slows_the_upstream_down(stand: Stand, client_kind: Kind) -> None:
    """What nobody reads stays where it is, not in our memory."""
    sent = 0

    async def answer(request: Received, send: Send) -> None:
        nonlocal sent
        await send.head(200, SSE_HEADERS)
        while True:
            await send.data(b"x" * 65536)
            sent += 65536
            await asyncio.sleep(0)

    async with stand.upstream("plain", answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages/other", message(stream=True), key=stand.key("plain-open"))
        assert reply.status == 200
        if isinstance(client, H2Client):
            client.pump.cancel()  # the window stays shut
        before, seen = -1, 0
        while before != (seen := sent):  # nothing tells that no more is coming but the time without any
            before = seen
            await asyncio.sleep(0.5)
        await client.abandon()
        await upstream.wait_closed()
    assert seen < 64 << 20


def flushing(coding: str) -> Callable[[bytes], bytes]:
    """A compressor of which every piece can be decompressed at once."""
    match coding:
        case "gzip":
            packer = zlib.compressobj(wbits=31)
            return lambda data: packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        case "br":
            writer = brotli.Compressor()
            return lambda data: bytes(writer.process(data) + writer.flush())
        case _:
            coder = zstandard.ZstdCompressor().compressobj()
            return lambda data: coder.compress(data) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_compressed_stream_is_opened_event_by_event(stand: Stand, coding: str) -> None:
    """It is searched for the credential, so it goes on plain."""
    gate, events, encode = Gate(), [event(number) for number in range(4)], flushing(coding)
    answer = sse([encode(each) for each in events], gap=gate, headers=[("Content-Encoding", coding)])
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        accepts = [("accept-encoding", "gzip, deflate, br, zstd")]
        reply = await client.post("/v1/messages/other", message(), key=stand.key("plain"), headers=accepts)
        assert reply.header("content-encoding") == ""
        for each in events:
            assert (await reply.until(each)).endswith(each)
            gate.step()
        assert await reply.rest() == b"".join(events)


async def test_a_compressed_answer_that_nobody_has_to_read_stays_as_it_is(stand: Stand) -> None:
    packed = gzip.compress(b"for the client" * 100)
    answer = body(200, packed, [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")])
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.ask("GET", "/v1/files/1/content", [("x-api-key", stand.key("plain-open"))])
        assert await reply.rest() == packed
        assert (reply.header("content-encoding"), reply.header("content-length")) == ("gzip", str(len(packed)))
