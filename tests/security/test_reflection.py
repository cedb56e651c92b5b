"""A provider that says our credential back: the client never sees it, nothing keeps it (threat 2)."""

from __future__ import annotations

import base64
import codecs
import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from tests.listener.client import bounded, connect
from tests.listener.stand import Stand, message
from tests.support.exchange import Received, Send
from tests.support.upstream import Answer

REAL = "real-plain-1"


def echoing(head: list[tuple[str, str]], pieces: list[bytes], status: int = 200) -> Answer:
    async def answer(request: Received, send: Send) -> None:
        assert request.header("x-api-key") == REAL
        await send.head(status, head)
        for piece in pieces:
            await send.data(piece)
        await send.end()

    return answer


SSE = [("content-type", "text/event-stream")]
JSON = [("content-type", "application/json")]
EVENT = b'event: error\ndata: {"type":"error","error":{"type":"x","message":"bad key ' + REAL.encode() + b'"}}\n\n'
BODY = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key: ' + REAL.encode() + b'"}}'
READERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "rot13": lambda data: codecs.decode(data.decode(), "rot13").encode(),
}
"""Content coding → how its client reads a body."""


@pytest.mark.parametrize(
    "answer",
    [
        echoing(JSON, [BODY], 400),
        echoing(JSON, [bytes([byte]) for byte in BODY], 400),
        echoing(SSE, [EVENT]),
        echoing(SSE, [EVENT[:60], EVENT[60:63], EVENT[63:]]),
        echoing([*JSON, ("x-debug", f"key={REAL}"), ("www-authenticate", REAL)], [b"{}"], 403),
        echoing(JSON, [b'{"basic":"' + base64.b64encode(f"user:{REAL}".encode()) + b'"}'], 400),
        echoing([*JSON, ("content-encoding", "gzip")], [gzip.compress(BODY)], 400),
        echoing([*JSON, ("content-encoding", "deflate")], [zlib.compress(BODY)], 400),
        echoing([*JSON, ("content-encoding", "br")], [brotli.compress(BODY)], 400),
        echoing([*JSON, ("content-encoding", "zstd")], [zstandard.compress(BODY)], 400),
        echoing([*SSE, ("content-encoding", "gzip")], [gzip.compress(EVENT)[:20], gzip.compress(EVENT)[20:]]),
        echoing([*JSON, ("content-encoding", "rot13")], [codecs.encode(BODY.decode(), "rot13").encode()], 400),
    ],
    ids=[
        "body", "body byte by byte", "event", "event in pieces", "headers", "base64", "gzip", "deflate", "br", "zstd",
        "gzipped events", "unknown coding",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["h1", "h2c"])
async def test_a_reflected_credential_is_blanked(stand: Stand, answer: Answer, kind: str) -> None:
    async with stand.upstream("plain", answer), connect(kind, stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        text = await reply.rest()
        assert text
        seen = text + READERS[reply.header("content-encoding")](text) + repr(reply.headers).encode()
        assert REAL.encode() not in seen
        assert base64.b64encode(f"user:{REAL}".encode()) not in seen
        length = reply.header("content-length")
        assert not length or int(length) == len(text)


async def test_everything_else_passes_unchanged(stand: Stand) -> None:
    body = b'{"type" :  "message", "text":"real-plain is not it, \\u00e9 nor real-plai"}\n'
    async with stand.upstream("plain", echoing(JSON, [body[:40], body[40:]])), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        assert await reply.rest() == body


async def test_the_true_hash_of_a_cut_body_is_kept(stand: Stand) -> None:
    async with stand.upstream("plain", echoing(JSON, [BODY], 400)), connect("h1", stand.port) as client:
        await (await client.post("/v1/messages?mark=cut-body", message(), key=stand.key("plain"))).rest()
    record = await stand.flow("mark=cut-body")
    assert record.response is not None
    assert REAL.encode() not in record.response.body.data
    assert record.response.body.size == len(BODY)


def saying(text: str) -> Answer:
    async def answer(request: Received, send: Send) -> None:
        assert request.header("x-api-key") == REAL
        await send.raw(text.encode())

    return answer


async def head_of(stand: Stand) -> bytes:
    """The answer's status line and fields, as they came."""
    async with connect("h1", stand.port) as client:
        head = [("content-type", "application/json"), ("x-api-key", stand.key("plain"))]
        await client.send("POST", "/v1/messages", head, message())
        return await bounded(client.reader.readuntil(b"\r\n\r\n"))


async def test_a_reason_phrase_is_no_hiding_place(stand: Stand) -> None:
    text = f"HTTP/1.1 400 bad key {REAL}\r\ncontent-length: 2\r\n\r\n{{}}"
    async with stand.upstream("plain", saying(text)):
        assert (await head_of(stand)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    async with stand.upstream("plain", saying("HTTP/1.1 400 Try Again\r\ncontent-length: 2\r\n\r\n{}")):
        assert (await head_of(stand)).startswith(b"HTTP/1.1 400 Try Again\r\n")


@pytest.mark.parametrize("kind", ["h1", "h2c"])
async def test_no_upstream_turns_its_connection_into_a_tunnel(stand: Stand, kind: str) -> None:
    """Behind a 101 nothing would be framed, searched or bounded."""
    text = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\n"
    text += f"HTTP/1.1 200 OK\r\nx: {REAL}\r\n\r\n"
    async with stand.upstream("plain", saying(text)), connect(kind, stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        said = await reply.json()
        assert reply.status == 502
        assert "protocol" in said["error"]["message"]
        assert REAL not in repr(said)


@pytest.mark.parametrize(
    "interim", ["100 Continue\r\n", "103 Early Hints\r\nlink: </a>\r\n", "102 Processing\r\n\r\nHTTP/1.1 103 \r\n"]
)
async def test_answers_before_the_final_one_are_skipped(stand: Stand, interim: str) -> None:
    text = f"HTTP/1.1 {interim}\r\nHTTP/1.1 200 OK\r\nx: {REAL}\r\ncontent-length: 2\r\n\r\n{{}}"
    async with stand.upstream("plain", saying(text)), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        assert (reply.status, await reply.rest()) == (200, b"{}")
        assert REAL not in repr(reply.headers)
