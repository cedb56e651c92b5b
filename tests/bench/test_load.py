"""The load generator counts what the provider really sent, and reports what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bench.load import drive
from tests.bench.provider import Conversation
from tests.bench.traffic import BURST_EVENTS, STREAM_EVENTS, STREAM_GAP_S, Case
from tests.support.upstream import Upstream, json


@pytest.fixture
async def provider() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Conversation, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("size", [1024, 102_400])
async def test_buffered_answers(provider: int, size: int, keep: bool) -> None:
    measured = await drive(provider, Case("json", size, 4, keep), seconds=5, most=40)
    assert measured.errors == []
    assert len(measured.latencies) == 40
    assert measured.throughput > 0


@pytest.mark.parametrize("keep", [True, False])
async def test_streams_take_as_long_as_their_gaps(provider: int, keep: bool) -> None:
    measured = await drive(provider, Case("sse", 1024, 2, keep), seconds=5, most=2)
    assert measured.errors == []
    assert len(measured.first_events) == 2
    assert len(measured.lags) == 2 * STREAM_EVENTS
    assert all(lag >= 0 for lag in measured.lags)
    assert min(measured.latencies) - max(measured.first_events) >= (STREAM_EVENTS - 2) * STREAM_GAP_S


async def test_a_burst_is_counted_whole(provider: int) -> None:
    measured = await drive(provider, Case("burst", 1024, 1, True), seconds=5, most=2)
    assert measured.errors == []
    assert measured.events_per_s * sum(measured.latencies) >= 2 * BURST_EVENTS


async def test_the_requests_arrive_as_they_were_made() -> None:
    case = Case("json", 1024, 1, True)
    async with Upstream(json(200, {})) as upstream:
        await drive(upstream.port, case, seconds=5, most=3)
    assert [request.head + request.body for request in upstream.requests] == [case.request] * 4  # one warms up
    assert upstream.connections == 1


@pytest.mark.parametrize("keep", [True, False])
async def test_refusals_are_errors(keep: bool) -> None:
    async with Upstream(json(501, {"error": "no provider"})) as upstream:
        measured = await drive(upstream.port, Case("json", 1024, 1, keep), seconds=5, most=3)
    assert measured.latencies == []
    assert "501" in measured.errors[0]
    assert "no provider" in measured.errors[0]


async def test_nobody_there() -> None:
    async with Upstream(json(200, {})) as upstream:
        port = upstream.port
    measured = await drive(port, Case("json", 1024, 1, True), seconds=5, most=3)
    assert "connect" in measured.errors[0]
