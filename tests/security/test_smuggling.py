"""Messages that two programs read differently (threats 1, 7, 8): HTTP/2 in, HTTP/1.1 or 2 out, and what ends a body."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.listener.client import Broken, H2Client, Reply, connect
from tests.listener.client import head as request_head
from tests.listener.stand import Stand, message
from tests.support.exchange import Received, Send
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})
BODY = message()

type Fields = Sequence[tuple[str, str]]


@contextlib.asynccontextmanager
async def careless(stand: Stand) -> AsyncIterator[H2Client]:
    """An HTTP/2 client that sends what it is told, right or wrong."""
    async with connect("h2c", stand.port) as client:
        assert isinstance(client, H2Client)
        config = client.http.config
        config.validate_outbound_headers = config.normalize_outbound_headers = False
        yield client


async def send(client: H2Client, fields: Fields, body: bytes = BODY, trailers: Fields = ()) -> Reply | None:
    """The answer to a request of exactly these fields; None if the stream or the connection was broken off."""
    client.last = stream = client.http.get_next_available_stream_id()
    client.events[stream] = asyncio.Queue()
    client.http.send_headers(stream, fields)
    client.http.send_data(stream, body, end_stream=not trailers)
    if trailers:
        client.http.send_headers(stream, trailers, end_stream=True)
    client.writer.write(client.http.data_to_send())
    try:
        reply = await client.answer()
        await reply.rest()
    except Broken:
        return None
    return reply


def head(stand: Stand, *more: tuple[str, str], **pseudo: str) -> Fields:
    """A good request's fields, pseudo-header fields replaced (empty: left out) and others added."""
    first = {
        "method": "POST",
        "scheme": "http",
        "authority": f"127.0.0.1:{stand.port}",
        "path": "/v1/messages",
    } | pseudo
    key = [("content-type", "application/json"), ("x-api-key", stand.key("plain"))]
    return [*((f":{name}", value) for name, value in first.items() if value), *key, *more]


WRONG: dict[str, tuple[Fields, dict[str, str]]] = {
    "CR LF in a value": ([("x-a", "b\r\nx-smuggled: yes")], {}),
    "LF in a value": ([("x-a", "b\nx-smuggled: yes")], {}),
    "NUL in a value": ([("x-a", "b\0c")], {}),
    "CR LF in the key": ([("api-key", "k\r\nx-smuggled: yes")], {}),
    "CR LF in a name": ([("x-a: b\r\nx-smuggled", "yes")], {}),
    "a colon in a name": ([("x-a:b", "yes")], {}),
    "a blank in a name": ([("x a", "yes")], {}),
    "an upper-case name": ([("X-Smuggled", "yes")], {}),
    "CR LF in the path": ([], {"path": "/v1/messages HTTP/1.1\r\nx-smuggled: yes\r\nx:"}),
    "a blank in the path": ([], {"path": "/v1/messages HTTP/1.1"}),
    "CR LF in the method": ([], {"method": "POST /x HTTP/1.1\r\nx-smuggled: yes\r\n\r\nGET"}),
    "CR LF in the authority": ([], {"authority": "localhost\r\nx-smuggled: yes"}),
    "userinfo in the authority": ([], {"authority": "localhost@evil.example"}),
    "transfer-encoding": ([("transfer-encoding", "chunked")], {}),
    "connection": ([("connection", "x-api-key")], {}),
    "a length that is too short": ([("content-length", "2")], {}),
    "a length that is too long": ([("content-length", "5000")], {}),
    "two lengths": ([("content-length", str(len(BODY))), ("content-length", "2")], {}),
    "another Host": ([("host", "evil.example")], {}),
    "another port in Host": ([("host", "127.0.0.1:1")], {}),
    "two Hosts": ([("host", "localhost"), ("host", "localhost")], {}),
    "a Host and no authority": ([("host", "evil.example")], {"authority": ""}),
    "neither Host nor authority": ([], {"authority": ""}),
    "a foreign authority": ([], {"authority": "evil.example"}),
    "an absolute path": ([], {"path": "http://evil.example/v1/messages"}),
    "CONNECT": ([], {"method": "CONNECT"}),
}


@pytest.mark.parametrize("case", WRONG)
async def test_no_malformed_http2_request_is_sent_on(stand: Stand, case: str) -> None:
    more, pseudo = WRONG[case]
    async with stand.upstream("plain", OK) as upstream, careless(stand) as client:
        reply = await send(client, head(stand, *more, **pseudo))
        assert reply is None or reply.status in (400, 403), reply.status
        assert not upstream.requests


async def test_a_good_http2_request_is(stand: Stand) -> None:
    """Else the test above could not fail."""
    async with stand.upstream("plain", OK) as upstream, careless(stand) as client:
        for more in ([], [("host", f"127.0.0.1:{stand.port}")], [("content-length", str(len(BODY)))]):
            reply = await send(client, head(stand, *more))
            assert reply is not None
            assert reply.status == 200
        seen = await upstream.wait_requests(3)
        assert seen.body == BODY


@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_trailers_of_a_request_do_not_leave(stand: Stand, site: str) -> None:
    """They come after everything was judged: no key, no sentinel and no header of ours goes out in them."""
    trailers = [("x-api-key", stand.key(site)), ("x-ccproxy-token", "forged"), ("cookie", "session=abc")]
    async with stand.upstream(site, OK) as upstream, careless(stand) as client:  # type: ignore[arg-type]
        fields = [(name, stand.key(site) if name == "x-api-key" else value) for name, value in head(stand)]
        reply = await send(client, fields, trailers=trailers)
        assert reply is not None
        assert reply.status == 200
        seen = await upstream.wait_requests()
        assert seen.body == BODY
        assert seen.header("x-api-key") == f"real-{site}-1"
        assert "ccproxy" not in repr(seen)
        assert "session" not in repr(seen)


async def test_a_body_that_a_hook_wrote_has_one_length(stand: Stand) -> None:
    """It came in chunks and leaves whole: were both said, the next server could choose."""
    fields = [("host", "127.0.0.1"), ("content-type", "application/json"), ("x-api-key", stand.key("plain"))]
    fields += [("x-tag", "written"), ("transfer-encoding", "chunked")]
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        client.writer.write(request_head("POST", "/v1/messages", fields) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
        assert (await client.answer()).status == 200
        seen = await upstream.wait_requests()
    assert b'"written"' in seen.body
    assert (seen.header_all("transfer-encoding"), seen.header_all("content-length")) == ([], [str(len(seen.body))])


@pytest.mark.parametrize("kind", ["h1", "h2c"])
async def test_trailers_of_an_answer_end_it(stand: Stand, kind: str) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "application/json")])
        await send.data(b"{}")
        await send.trailers([("x-checksum", request.header("x-api-key"))])

    async with stand.upstream("h2", answer), connect(kind, stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("h2"))
        assert await reply.rest() == b"{}"
        assert "real-h2" not in repr(getattr(reply, "trailers", ""))
        assert kind == "h1" or [name for name, _ in reply.trailers] == ["x-checksum"]


PIECES = {
    "a chunk that may be a secret's beginning": ([], [b'{"a":"', b"real-", b'"', b"}"], b'{"a":"real-"}'),
    "a secret in three chunks": ([], [b'{"a":"', b"real-", b"plain", b"-1", b'"}'], b'{"a":"************"}'),
    "a gzip header of its own": (
        [("content-encoding", "gzip")],
        [gzip.compress(b'{"a":1}')[:10], gzip.compress(b'{"a":1}')[10:]],
        b'{"a":1}',
    ),
}


@pytest.mark.parametrize("case", PIECES)
@pytest.mark.parametrize("kind", ["h1", "h2c"])
async def test_no_chunk_is_empty_before_the_last(stand: Stand, kind: str, case: str) -> None:
    """An empty one would end an HTTP/1.1 body, and the rest would be read as the next answer."""
    fields, pieces, whole = PIECES[case]

    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "application/json"), *fields])
        for piece in pieces:
            await send.data(piece)

    async with stand.upstream("plain", answer), connect(kind, stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        assert await reply.rest() == whole
        again = await client.post("/v1/messages", message(), key=stand.key("plain"))
        assert await again.rest() == whole
