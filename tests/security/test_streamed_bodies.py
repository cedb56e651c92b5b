"""Request bodies that leave before they are whole (``stream_large_bodies``): limit and end (threats 6, 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.listener.client import H1Client, connect, head
from tests.listener.stand import message, quiet_ports
from tests.support.daemon import Daemon
from tests.support.upstream import Upstream
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})
KEY = "sk-ant-oat-ccproxy-up"


class Streaming:
    """A daemon that streams bodies above 10,000 bytes through, and refuses those above 100,000."""

    def __init__(self) -> None:
        [self.upstream_port] = quiet_ports(1)
        up = {"type": "anthropic", "base_url": f"http://127.0.0.1:{self.upstream_port}"}
        options = {"limits": {"body_bytes": 100_000}, "inspector": {"mitmproxy": {"stream_large_bodies": "10k"}}}
        self.daemon = Daemon({"providers": {"up": up}, **options})


@pytest.fixture(scope="module")
def streaming() -> Iterator[Streaming]:
    streaming = Streaming()
    with streaming.daemon:
        yield streaming


async def test_what_is_streamed_through_has_the_same_limit(streaming: Streaming) -> None:
    async with Upstream(OK, port=streaming.upstream_port) as upstream:
        for size, status in ((90_000, 200), (110_000, 413)):
            async with connect("h1", streaming.daemon.port) as client:
                reply = await client.post("/v1/messages", message(filler="x" * size), key=KEY)
                assert (reply.status, await reply.rest() != b"") == (status, True)
        assert len(upstream.requests) == 1


async def test_after_an_early_answer_the_rest_of_a_body_is_no_request(streaming: Streaming) -> None:
    """The upstream leaves in mid-upload; the client is told, and goes on with what looks like a request."""
    seen: list[bytes] = []

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n"))
        await reader.readexactly(10_000)
        writer.close()

    smuggled = head("GET", "/v1/smuggled", [("host", "127.0.0.1"), ("x-api-key", KEY)])
    server = await asyncio.start_server(leave, "127.0.0.1", streaming.upstream_port)
    async with server, connect("h1", streaming.daemon.port) as client:
        assert isinstance(client, H1Client)
        fields = [("host", client.host), ("content-type", "application/json"), ("x-api-key", KEY)]
        await client.send_raw(head("POST", "/v1/messages", [*fields, ("content-length", "60000")]) + b"x" * 20_000)
        reply = await client.answer()
        assert (reply.status, await reply.rest() != b"") == (502, True)
        client.writer.write(smuggled + b" " * (40_000 - len(smuggled)))
        assert await client.closed() == b""
        assert [line.split()[1] for line in seen] == [b"/v1/messages"]
