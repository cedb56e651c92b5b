"""What the provider receives is what the client sent, byte for byte, and the other way round."""

from __future__ import annotations

import gzip
import json as jsonlib
import zlib
from typing import get_args

import brotli
import pytest
import zstandard

from tests.listener.client import H1Client, Kind, connect
from tests.listener.stand import PATHS, Site, Stand, message
from tests.support.upstream import Received, Send, body, json

EVERY_WAY = [(client, site) for client in get_args(Kind.__value__) for site in ("plain", "h2")]
ODD = {
    "spacing": b'{ "model" :"m",\r\n\t"messages":[ ] , "max_tokens":1.0e3 }\n\n',
    "escapes": b'{"model":"m","messages":[{"role":"user","content":"\\u00e9\\/\\ud83d\\ude00 \xc3\xa9"}]}',
    "duplicate keys": b'{"model":"a","model":"b","messages":[],"messages":[1]}',
    "big numbers": b'{"model":"m","seed":123456789012345678901234567890,"t":0.1000000000000000055}',
    "byte order mark": b'\xef\xbb\xbf{"model":"m"}',
    "no JSON": b"{nope",
    "bad UTF-8": b'{"model":"\xff\xfe"}',
    "NaN": b'{"model":"m","temperature":NaN}',
    "an array": b"[1, 2]",
    "a deep one": b"[" * 20_000 + b"]" * 20_000,
    "empty": b"",
    "binary": bytes(range(256)) * 40,
}
JSON = ("content-type", "application/json")


@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
@pytest.mark.parametrize("case", ODD)
async def test_no_byte_of_a_body_is_changed(stand: Stand, client_kind: Kind, site: Site, case: str) -> None:
    async with stand.upstream(site, json(200, {})) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages", ODD[case], key=stand.key(site))
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert upstream.requests[0].body == ODD[case]
    assert upstream.requests[0].header("x-api-key") == f"real-{site}-1"


def encoded(coding: str) -> bytes:
    match coding:
        case "gzip":
            return gzip.compress(message(), mtime=1)
        case "deflate":
            return zlib.compress(message())
        case "br":
            return bytes(brotli.compress(message()))
        case _:
            return zstandard.compress(message())


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_a_compressed_body_goes_on_compressed(stand: Stand, coding: str) -> None:
    sent = encoded(coding)
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(
            f"/v1/messages?coding={coding}", sent, key=stand.key("plain"), headers=[("content-encoding", coding)]
        )
        assert reply.status == 200
    (request,) = upstream.requests
    assert (request.body, request.header("content-encoding")) == (sent, coding)
    record = await stand.flow(f"coding={coding}")
    assert (record.model, record.request.body.data) == ("claude", message())


@pytest.mark.parametrize("sent", [b"no gzip at all", gzip.compress(message())[:-9]])
async def test_a_body_that_is_not_of_its_coding_is_refused_or_untouched(stand: Stand, sent: bytes) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", sent, key=stand.key("plain"), headers=[("content-encoding", "gzip")])
        await reply.rest()
    assert reply.status in (200, 400)
    assert [request.body for request in upstream.requests] == ([sent] if reply.status == 200 else [])


@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_a_chunked_upload_arrives_whole(stand: Stand, site: Site) -> None:
    pieces = [b'{"model":"m",', b'"x":"' + b"y" * 70_000, b'"}']
    async with stand.upstream(site, json(200, {})) as upstream, connect("h1", stand.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"x-api-key: %b\r\ntransfer-encoding: chunked\r\n\r\n" % stand.key(site).encode()
        )
        for piece in (*pieces, b""):
            await client.send_raw(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert (await client.answer()).status == 200
    assert upstream.requests[0].body == b"".join(pieces)


async def test_an_http2_body_without_a_length_arrives_whole(stand: Stand) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h2c", stand.port) as client:
        reply = await client.post("/v1/messages", message(pad="z" * 100_000), key=stand.key("plain"))
        assert (await reply.rest(), reply.status) == (b"{}", 200)
    assert upstream.requests[0].body == message(pad="z" * 100_000)


@pytest.mark.parametrize("size", [0, 1, 100_000])
@pytest.mark.parametrize(("client_kind", "site"), EVERY_WAY)
async def test_an_answer_arrives_byte_for_byte(stand: Stand, client_kind: Kind, site: Site, size: int) -> None:
    data = (bytes(range(256)) * 400)[:size]
    headers = [("Content-Type", "application/octet-stream"), ("X-Many", "1"), ("X-Many", "2"), ("request-id", "r")]
    async with stand.upstream(site, body(200, data, headers)), connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(f"{site}-open"))
        assert (reply.status, await reply.rest(), reply.header("content-length")) == (200, data, str(size))
    assert [value for name, value in reply.headers if name.lower() == "x-many"] == ["1", "2"]
    assert reply.header("request-id") == "r"


TARGETS = [
    "/v1/messages?beta=true",
    "/v1/messages/count_tokens",
    "/v1/messages/count_tokens?beta=true&a=%20b&a=c+d&e",
    "/v1/messages/batches/msgbatch_1/results?x=1",
    "/v1/files?limit=2",
    "/v1/messages?a=%3A%2F&b=%C3%BC",
    "/v1/messages//x/../y",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_path_and_query_survive(stand: Stand, target: str) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(target, message(), key=stand.key("plain"))
        assert reply.status == 200, await reply.rest()
    assert upstream.requests[0].path == target


@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
async def test_googles_colon_stays_as_it_was_written(stand: Stand, colon: str) -> None:
    target = f"/v1beta/models/gemini-2.5-pro{colon}generateContent?alt=json"
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        headers = [JSON, ("x-goog-api-key", stand.key("plain-google"))]
        reply = await client.ask("POST", target, headers, b'{"contents":[]}')
        assert reply.status == 200, await reply.rest()
    assert upstream.requests[0].path == target


@pytest.mark.parametrize("slot", ["x-api-key", "authorization", "x-goog-api-key", "api-key", "?key="])
async def test_the_sentinel_is_found_in_every_slot_and_never_leaves(stand: Stand, slot: str) -> None:
    key, path, headers = stand.key("plain-google"), PATHS["google"], [JSON]
    if slot == "?key=":
        path += f"&key={key}"
    else:
        headers.append((slot, f"Bearer {key}" if slot == "authorization" else key))
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.ask("POST", path, headers, b'{"contents":[]}')
        assert reply.status == 200, await reply.rest()
    (request,) = upstream.requests
    assert b"ccproxy" not in request.head
    assert request.header("x-api-key") == "real-plain-google-1"
    assert request.path == PATHS["google"]


async def test_headers_go_on_but_those_of_this_hop_and_ours(stand: Stand) -> None:
    kept = [("User-Agent", "claude-cli/2"), ("anthropic-version", "2023-06-01"), ("anthropic-beta", "a,b")]
    ours = [("x-ccproxy-flow-id", "1"), ("X-CCProxy-Anything", "2"), ("x-ccproxy-hooks", "-verbose_mode")]
    hop = [("keep-alive", "timeout=5"), ("te", "trailers"), ("connection", "x-private"), ("x-private", "1")]
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"), headers=[*kept, *ours, *hop])
        assert reply.status == 200
    (request,) = upstream.requests
    assert [pair for pair in request.headers if pair in kept] == kept
    names = {name.lower() for name, _ in request.headers}
    assert not names & {"x-ccproxy-flow-id", "x-ccproxy-anything", "x-ccproxy-hooks", "keep-alive", "te", "x-private"}
    assert request.authority == f"127.0.0.1:{stand.ports['plain']}"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_pass(stand: Stand, method: str) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.ask(method, "/v1/files/1", [("x-api-key", stand.key("plain"))])
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert (upstream.requests[0].method, upstream.requests[0].body) == (method, b"")


@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_head_has_a_length_and_no_body(stand: Stand, site: Site) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("Content-Length", "4")])
        if request.method != "HEAD":
            await send.data(b"four")

    async with stand.upstream(site, answer) as upstream, connect("h1", stand.port) as client:
        reply = await client.ask("HEAD", "/v1/files/1", [("x-api-key", stand.key(site))])
        assert (reply.status, reply.header("content-length")) == (200, "4")
        second = await client.ask("GET", "/v1/files/2", [("x-api-key", stand.key(site))])  # on the same connection
        assert (second.status, await second.rest()) == (200, b"four")
    assert [request.method for request in upstream.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_does_not_hang(stand: Stand, status: int) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(status, [("etag", '"1"')])

    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.ask("GET", "/v1/files/1", [("x-api-key", stand.key("plain"))])
        assert (reply.status, await reply.rest(), reply.header("etag")) == (status, b"", '"1"')
        again = await client.ask("GET", "/v1/files/1", [("x-api-key", stand.key("plain"))])
        assert again.status == status


@pytest.mark.parametrize("kind", PATHS)
async def test_an_upgrade_is_answered_with_426(stand: Stand, kind: str) -> None:
    headers = [("x-api-key", stand.key(f"plain-{kind}")), ("connection", "upgrade"), ("upgrade", "websocket")]
    headers += [("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("sec-websocket-version", "13")]
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.ask("GET", PATHS[kind], headers)
        assert reply.status == 426
        assert "error" in await reply.json()
    assert not upstream.requests


async def test_a_large_upload_with_expect_continues(stand: Stand) -> None:
    sent = message(pad="q" * (2 << 20))
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-api-key: %b\r\n"
            b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % (stand.key("plain").encode(), len(sent))
        )
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await client.send_raw(sent)
        assert (await client.answer()).status == 200
    assert upstream.requests[0].body == sent


async def test_requests_on_one_connection_share_one_upstream_connection(stand: Stand) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        for number in range(5):
            reply = await client.post(f"/v1/messages?n={number}", message(n=number), key=stand.key("plain"))
            assert (reply.status, await reply.rest()) == (200, b"{}")
    assert [request.connection for request in upstream.requests] == [1] * 5
    assert [jsonlib.loads(request.body)["n"] for request in upstream.requests] == list(range(5))
