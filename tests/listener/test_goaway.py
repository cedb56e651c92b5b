"""An HTTP/2 upstream that says goodbye."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hyperframe.frame import GoAwayFrame

from tests.listener.client import Broken, connect
from tests.listener.stand import Stand, message
from tests.support.answers import SSE_HEADERS
from tests.support.upstream import Gate, Received, Send, json

FIRST = b'event: message_start\ndata: {"type":"message_start"}\n\n'
LAST = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
GRACEFUL, BROKEN = 0, 2


def say_goodbye(send: Send, *, last: int, error: int = GRACEFUL) -> None:
    """Send GOAWAY, which h2 cannot do without closing the connection."""
    frame = GoAwayFrame(stream_id=0, last_stream_id=last, error_code=error)
    cast(Any, send)._connection.transport.write(frame.serialize())


@pytest.mark.parametrize("last", [1, (1 << 31) - 1])
async def test_answers_under_way_are_finished_and_the_next_request_gets_a_new_connection(
    stand: Stand, last: int
) -> None:
    gate = Gate()

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, SSE_HEADERS)
        await send.data(FIRST)
        if request.connection == 1:
            say_goodbye(send, last=last)
            await gate.passed()
        await send.data(LAST)

    async with stand.upstream("h2", answer) as upstream, connect("h2c", stand.port) as client:
        reply = await client.post("/v1/messages", message(stream=True), key=stand.key("h2"))
        assert await reply.piece() == FIRST
        await stand_by(stand)
        second = await client.post("/v1/messages", message(stream=True), key=stand.key("h2"))
        assert await second.rest() == FIRST + LAST
        gate.step()
        assert await reply.rest() == FIRST + LAST
    assert [request.connection for request in upstream.requests] == [1, 2]


async def stand_by(stand: Stand) -> None:
    """One request elsewhere: what the upstream wrote before it has been read when it is answered."""
    async with stand.upstream("plain", json(200, {})), connect("h1", stand.port) as client:
        assert (await client.post("/v1/messages", message(), key=stand.key("plain"))).status == 200


async def test_requests_that_the_upstream_did_not_take_are_ended(stand: Stand) -> None:
    gate = Gate()

    async def answer(request: Received, send: Send) -> None:
        if "late" in request.path:
            say_goodbye(send, last=1)
            await gate.passed()
        await send.head(200, SSE_HEADERS)
        await gate.passed()
        await send.data(LAST)

    async with stand.upstream("h2", answer) as upstream, connect("h2c", stand.port) as client:
        reply = await client.post("/v1/messages", message(stream=True), key=stand.key("h2"))
        late = await client.post("/v1/messages?late", message(), key=stand.key("h2"))
        assert late.status == 502
        assert "REFUSED_STREAM" in (await late.json())["error"]["message"]
        gate.open()
        assert await reply.rest() == LAST
    assert [request.connection for request in upstream.requests] == [1, 1]


async def test_a_goodbye_with_an_error_ends_everything_at_once(stand: Stand) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "application/json"), ("content-length", "9")])
        say_goodbye(send, last=1, error=BROKEN)
        await Gate().passed()

    async with stand.upstream("h2", answer), connect("h2c", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("h2"))
        with pytest.raises(Broken):
            await reply.rest()
