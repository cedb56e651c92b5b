"""What goes wrong at the provider, or on the way: the client is told in its own wire format, nobody else notices."""

from __future__ import annotations

import asyncio
import gzip
import json as jsonlib
from collections.abc import Callable
from typing import Any, get_args

import brotli
import pytest
import zstandard

from tests.listener.client import Broken, H1Client, Kind, connect
from tests.listener.stand import PATHS, Site, Stand, message
from tests.support.answers import SSE_HEADERS
from tests.support.upstream import Received, Send, body, json, silence, sse

CLIENTS: tuple[Kind, ...] = get_args(Kind.__value__)
EVERY_WAY = [(client, site) for client in CLIENTS for site in ("plain", "tls", "h2")]
MEMORY = 48 << 20
"""Less than half of what the hostile upstreams of this file send."""

FIRST = {
    "anthropic": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0}\n\n',
    "openai": b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    "openai_responses": (
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4}\n\n'
    ),
    "google": b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n',
}
WHOLE = {
    "anthropic": b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    "openai": b"data: [DONE]\n\n",
    "openai_responses": (
        b'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed"}}\n\n'
    ),
    "google": b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n',
}


def message_of(kind: str, error: Any) -> str:
    """The text of an error in this wire format, whose shape is checked on the way."""
    match kind:
        case "anthropic":
            assert error["type"] == "error"
            assert set(error["error"]) >= {"type", "message"}
        case "openai" | "openai_responses":
            assert set(error["error"]) >= {"message", "type", "param", "code"}
        case _:
            assert set(error["error"]) >= {"code", "message", "status"}
    return str(error["error"]["message"])


async def post(stand: Stand, client: Any, site: str, kind: str, mark: str = "", **more: Any) -> Any:
    path = PATHS[kind] + ("&" if "?" in PATHS[kind] else "?") + f"mark={mark}" if mark else PATHS[kind]
    return await client.post(path, message(**more), key=stand.key(f"{site}-{kind}"))


# ---- before the first byte ----


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("client_kind", CLIENTS)
async def test_nobody_listens(stand: Stand, client_kind: Kind, kind: str) -> None:
    async with connect(client_kind, stand.port) as client:
        reply = await post(stand, client, "nobody", kind, f"nobody-{client_kind}-{kind}")
        assert (reply.status, reply.header("content-type")) == (502, "application/json")
        said = message_of(kind, await reply.json())
    assert f"cannot connect to 127.0.0.1:{stand.ports['nobody']}" in said
    record = await stand.flow(f"mark=nobody-{client_kind}-{kind}")
    assert record.error is not None
    assert (record.answered.status if record.answered else 0) == 502


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
@pytest.mark.parametrize("how", ["abort", "hang_up"])
async def test_the_upstream_leaves_before_it_answers(stand: Stand, client_kind: Kind, site: Site, how: str) -> None:
    async def answer(request: Received, send: Send) -> None:
        await (send.abort() if how == "abort" else send.hang_up())

    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await post(stand, client, site, "anthropic")
        assert reply.status == 502
        assert "broke off" in message_of("anthropic", await reply.json())
        again = await post(stand, client, site, "anthropic")  # the client's connection lives on
        assert again.status == 502
    assert len(upstream.requests) == 2


GARBAGE = {
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-type: text/ev",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no version": b"200 OK\r\n\r\n",
    "a bad header": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "binary": bytes(range(1, 256)) + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", GARBAGE)
async def test_what_is_no_http_becomes_a_502_that_quotes_nothing(stand: Stand, case: str) -> None:
    """The upstream holds the credential: garbage of it may hold it, too."""

    async def answer(request: Received, send: Send) -> None:
        await send.raw(GARBAGE[case].replace(b"\r\n", request.header("x-api-key").encode() + b"\r\n", 1))

    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await post(stand, client, "plain", "anthropic", case.replace(" ", "-"))
        assert reply.status == 502
        said = message_of("anthropic", await reply.json())
    assert "real-plain" not in said
    assert len(said) < 500
    record = await stand.flow(f"mark={case.replace(' ', '-')}")
    assert record.error is not None
    assert "real-plain" not in record.error
    assert "real-plain" not in stand.daemon.logs()


@pytest.mark.parametrize("site", ["stranger"])
async def test_a_certificate_that_nobody_trusts(stand: Stand, site: Site) -> None:
    async with stand.upstream(site, json(200, {})) as upstream, connect("h1", stand.port) as client:
        for name in ("stranger-anthropic", "stranger-open"):
            reply = await client.post("/v1/messages", message(), key=stand.key(name))
            assert reply.status == 502
            assert "certificate" in message_of("anthropic", await reply.json()).lower()
    assert not upstream.requests


async def test_a_handshake_that_hangs_ends_with_its_client(stand: Stand) -> None:
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(*ends: Any) -> None:
        accepted.put_nowait(ends)

    server = await asyncio.start_server(accept, "127.0.0.1", stand.ports["tls"])
    async with server, connect("h1", stand.port) as client:
        await client.submit("/v1/messages?mark=hanging", message(), key=stand.key("tls"))
        reader, writer = await asyncio.wait_for(accepted.get(), 5)
        assert await asyncio.wait_for(reader.readexactly(1), 5) == b"\x16", "a ClientHello"
        await client.abandon()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert (await stand.flow("mark=hanging")).error is not None


async def test_an_endless_head_is_cut(stand: Stand) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.raw(b"HTTP/1.1 200 OK\r\n")
        line = b"x-more: " + b"y" * 8000 + b"\r\n"
        while True:
            await send.raw(line)
            await asyncio.sleep(0)

    before = stand.daemon.rss_bytes("listener")
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        reply = await post(stand, client, "plain", "anthropic")
        assert reply.status == 502
        assert len(message_of("anthropic", await reply.json())) < 500
        await upstream.wait_closed()
    assert stand.daemon.rss_bytes("listener") - before < MEMORY


# ---- after it ----


async def cut_sse(send: Send, kind: str, how: str) -> None:
    await send.head(200, SSE_HEADERS)
    await send.data(FIRST[kind])
    await asyncio.sleep(0)
    match how:
        case "abort":
            await send.abort()
        case "hang_up":
            await send.hang_up()
        case "in an event":
            await send.data(FIRST[kind][:-20])
        case _:
            await send.end()


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("how", ["abort", "hang_up", "end", "in an event"])
@pytest.mark.parametrize(("client_kind", "site"), [("h1", "plain"), ("h2c", "h2")])
async def test_a_stream_without_its_end_gets_the_formats_own_error(
    stand: Stand, client_kind: Kind, site: Site, how: str, kind: str
) -> None:
    async def answer(request: Received, send: Send) -> None:
        await cut_sse(send, kind, how)

    mark = f"cut-{client_kind}-{kind}-{how.replace(' ', '-')}"
    async with stand.upstream(site, answer), connect(client_kind, stand.port) as client:
        reply = await post(stand, client, site, kind, mark, stream=True)
        assert reply.status == 200
        received = await reply.rest()
        assert received.startswith(FIRST[kind])
        event, blank_line, bare = received.rpartition(b"data: ")[2].partition(b"\n\n")
        assert blank_line
        assert bare == (event if kind == "google" else b""), "Google's JavaScript SDK reads the bare one"
        error = jsonlib.loads(event)
        if kind == "openai_responses":
            assert (error["type"], error["sequence_number"]) == ("response.failed", 6), "after an error event"
            assert "broke off" in error["response"]["error"]["message"]
        else:
            assert "broke off" in message_of(kind, error)
        again = await client.ask("GET", "/health")
        assert again.status == 200
    record = await stand.flow(f"mark={mark}")
    assert record.complete is False
    assert record.error is not None
    assert "broke off" in record.error


@pytest.mark.parametrize("kind", PATHS)
async def test_a_whole_stream_gets_nothing_more(stand: Stand, kind: str) -> None:
    async with stand.upstream("plain", sse([FIRST[kind], WHOLE[kind]])), connect("h1", stand.port) as client:
        reply = await post(stand, client, "plain", kind, f"whole-{kind}", stream=True)
        assert await reply.rest() == FIRST[kind] + WHOLE[kind]
    record = await stand.flow(f"mark=whole-{kind}")
    assert (record.complete, record.error) == (True, None)


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
@pytest.mark.parametrize("how", ["abort", "hang_up"])
async def test_a_body_that_is_cut_stays_cut(stand: Stand, client_kind: Kind, site: Site, how: str) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("Content-Type", "application/json"), ("Content-Length", "100")])
        await send.data(b'{"content":')
        await asyncio.sleep(0)
        await (send.abort() if how == "abort" else send.hang_up())

    mark = f"short-{client_kind}-{site}-{how}"
    async with stand.upstream(site, answer), connect(client_kind, stand.port) as client:
        reply = await post(stand, client, site, "anthropic", mark)
        assert reply.status == 200
        with pytest.raises(Broken):
            await reply.rest()
    assert (await stand.flow(f"mark={mark}")).error is not None


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("client_kind", CLIENTS)
async def test_a_body_that_is_cut_inside_its_coding_stays_cut(stand: Stand, client_kind: Kind, coding: str) -> None:
    """Its framing is whole; only the coding says that something is missing."""
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress,
    }  # fmt: skip
    packed = packers[coding](b'{"content": "%b"}' % (b"abcdefghij" * 300))[:-5]
    answer = body(200, packed, [("Content-Type", "application/json"), ("Content-Encoding", coding)])
    async with stand.upstream("plain", answer), connect(client_kind, stand.port) as client:
        reply = await post(stand, client, "plain", "anthropic", f"inside-{client_kind}-{coding}")
        assert reply.status == 200
        with pytest.raises(Broken):
            await reply.rest()
    record = await stand.flow(f"mark=inside-{client_kind}-{coding}")
    assert "in the middle of its content coding" in (record.error or "")


async def test_trailers_of_http1_end_the_connection_instead_of_hanging(stand: Stand) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("Content-Type", "application/json"), ("Trailer", "x-sum")])
        await send.data(b'{"a": 1}')
        await send.trailers([("x-sum", "abc")])

    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await post(stand, client, "plain", "anthropic")
        try:
            assert await reply.rest() == b'{"a": 1}'
        except Broken:
            assert reply.body == b'{"a": 1}'
    stand.wait_until_idle()


async def test_trailers_of_a_client_end_its_connection_instead_of_hanging(stand: Stand) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-api-key: %b\r\n"
            b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-a: 1\r\n\r\n" % stand.key("plain").encode()
        )
        await client.closed()
    assert not upstream.requests
    stand.wait_until_idle()


# ---- hostile ----


@pytest.mark.parametrize("client_kind", CLIENTS)
@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_a_line_of_100_mb_does_not_move_the_memory(stand: Stand, client_kind: Kind, site: Site) -> None:
    piece, count = b"x" * 262_144, 400

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, SSE_HEADERS)
        await send.data(b"data: ")
        for _ in range(count):
            await send.data(piece)
            await asyncio.sleep(0)

    before = stand.daemon.rss_bytes("listener")
    async with stand.upstream(site, answer), connect(client_kind, stand.port) as client:
        reply = await post(stand, client, site, "anthropic", stream=True)
        size, most = 0, 0
        while got := await reply._piece():
            size += len(got)
            if size % (1 << 23) < len(got):
                most = max(most, stand.daemon.rss_bytes("listener"))
    assert size > count * len(piece)
    assert most - before < MEMORY


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(b"\0" * (100 << 20)),
    "br": lambda: brotli.compress(b"\0" * (400 << 20), quality=3),
    "zstd": lambda: zstandard.compress(b"\0" * (400 << 20)),
}


@pytest.mark.parametrize("coding", BOMBS)
async def test_a_decompression_bomb_does_not_move_the_memory(stand: Stand, coding: str) -> None:
    bomb = BOMBS[coding]()
    before = stand.daemon.rss_bytes("listener")
    answer = body(200, bomb, [("Content-Type", "application/json"), ("Content-Encoding", coding)])
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        upstream.failures.clear()
        reply = await post(stand, client, "plain", "anthropic")
        with pytest.raises(Broken):
            await reply.rest()
        upstream.failures.clear()
    assert stand.daemon.rss_bytes("listener") - before < MEMORY


async def test_a_compressed_request_that_explodes_goes_on_unread(stand: Stand) -> None:
    bomb = gzip.compress(b" " * (100 << 20))
    before = stand.daemon.rss_bytes("listener")
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        headers = [("content-encoding", "gzip")]
        reply = await client.post("/v1/messages?mark=bomb", bomb, key=stand.key("plain"), headers=headers)
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert upstream.requests[0].body == bomb
    record = await stand.flow("mark=bomb")
    assert stand.daemon.rss_bytes("listener") - before < MEMORY
    assert "decompresses to more than 8388608 bytes (limits.parse_bytes)" in " ".join(record.warnings)


async def test_a_stream_byte_by_byte(stand: Stand) -> None:
    whole = FIRST["anthropic"] + WHOLE["anthropic"]

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, SSE_HEADERS)
        for byte in whole:
            await send.data(bytes([byte]))
            await asyncio.sleep(0)

    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await post(stand, client, "plain", "anthropic", "bytes", stream=True)
        assert await reply.rest() == whole
    assert (await stand.flow("mark=bytes")).complete is True


async def test_others_go_on_beside_a_silent_upstream(stand: Stand) -> None:
    async with (
        stand.upstream("tls", silence()),
        stand.upstream("plain", json(200, {})),
        connect("h1", stand.port) as silent,
        connect("h1", stand.port) as client,
    ):
        await silent.submit("/v1/messages", message(), key=stand.key("tls"))
        for _ in range(5):
            reply = await post(stand, client, "plain", "anthropic")
            assert (reply.status, await reply.rest()) == (200, b"{}")


# ---- what passes ----


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 529])
@pytest.mark.parametrize("client_kind", CLIENTS)
async def test_an_error_of_the_provider_passes_whole(stand: Stand, client_kind: Kind, status: int) -> None:
    data = b'{"type":"error",  "error":{"type":"x","message":"\\u00e9"}}'
    headers = [("request-id", "req_1"), ("retry-after", "3"), ("content-type", "application/json")]
    async with stand.upstream("plain", body(status, data, headers)), connect(client_kind, stand.port) as client:
        reply = await post(stand, client, "plain", "anthropic")
        assert (reply.status, await reply.rest()) == (status, data)
    assert [reply.header(name) for name, _ in headers] == [value for _, value in headers]
