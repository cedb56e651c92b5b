"""A client of each wire format and providers of the other three: streamed, whole, and each in place of the other."""

from __future__ import annotations

import gzip
import json as jsonlib
import time
from typing import get_args

import pytest

from ccproxy.lightllm.usage import Usage
from tests.listener.client import Kind, connect
from tests.listener.stand import Stand
from tests.listener.translating import (
    ARRAY_PATH,
    DIALECTS,
    ENDS,
    EVENTS,
    FIRST,
    PAIRS,
    PIECES,
    TEXT,
    TYPES,
    WHOLE,
    ask,
    marked,
    text_of,
    usage_of,
)
from tests.support.upstream import Gate, Received, Send, body, json, sse

PROMPTLY_S = 0.2
PATHS = {
    ("anthropic", False): "/v1/messages",
    ("openai", False): "/v1/chat/completions",
    ("openai_responses", False): "/v1/responses",
    ("google", False): "/v1beta/models/model-1:generateContent",
    ("anthropic", True): "/v1/messages",
    ("openai", True): "/v1/chat/completions",
    ("openai_responses", True): "/v1/responses",
    ("google", True): "/v1beta/models/model-1:streamGenerateContent?alt=sse",
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_a_client_gets_its_own_format(stand: Stand, client_dialect: str, provider: str, stream: bool) -> None:
    path, asked = ask(client_dialect, stream=stream)
    mark = f"pair-{client_dialect}-{provider}-{stream}"
    answer = sse(EVENTS[provider]) if stream else json(200, WHOLE[provider])
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=marked(mark))
        got = await reply.rest()
    assert reply.status == 200, got
    assert text_of(client_dialect, got) == TEXT
    (request,) = upstream.requests
    assert request.path == PATHS[provider, stream]
    assert "Say hello" in request.body.decode()
    if stream:
        assert reply.header("content-type") == TYPES[client_dialect]
        assert reply.header("cache-control") == "no-cache"
        assert ENDS[client_dialect] in got
        if client_dialect != "openai":  # there it must be asked for
            assert usage_of(client_dialect, got) == (11, 3)
    else:
        assert reply.header("content-type").partition(";")[0] == "application/json"
        assert reply.header("content-length") == str(len(got))
        assert usage_of(client_dialect, got) == (11, 3)
    record = await stand.flow(mark)
    assert (record.route, record.provider, record.dialect) == ("transform", f"plain-{provider}", client_dialect)
    assert (record.usage, record.stop_reason, record.complete) == (Usage(input=11, output=3), "stop", True)
    assert (record.error, record.model) == (None, "model-1")
    assert record.response is not None
    sent = b"".join(EVENTS[provider]) if stream else jsonlib.dumps(WHOLE[provider]).encode()
    assert record.response.body.data == sent
    assert record.answered is not None
    assert record.answered.body.data == got


@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_each_event_is_passed_on_at_once(stand: Stand, client_dialect: str, provider: str) -> None:
    gate = Gate()
    path, asked = ask(client_dialect, stream=True)
    events = EVENTS[provider]
    first = FIRST[provider] + 1
    answer = sse([b"".join(events[:first]), *events[first:]], gap=gate)
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        assert PIECES[1].encode() not in await reply.until(PIECES[0].encode())
        gate.step()
        await reply.until(PIECES[1].encode())
        gate.open()
        assert text_of(client_dialect, await reply.rest()) == TEXT


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_every_kind_of_http(stand: Stand, client_kind: Kind, stream: bool) -> None:
    path, asked = ask("openai", stream=stream)
    answer = sse(EVENTS["anthropic"]) if stream else json(200, WHOLE["anthropic"])
    async with stand.upstream("h2", answer), connect(client_kind, stand.port) as client:
        for _ in range(2):  # the connection lives on
            reply = await client.post(path, asked, key=stand.key("h2-anthropic"))
            assert text_of("openai", await reply.rest()) == TEXT


@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_json_in_place_of_a_stream(stand: Stand, client_dialect: str, provider: str) -> None:
    path, asked = ask(client_dialect, stream=True)
    async with stand.upstream("plain", json(200, WHOLE[provider])), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        got = await reply.rest()
    assert (reply.status, reply.header("content-type")) == (200, TYPES[client_dialect])
    assert text_of(client_dialect, got) == TEXT
    assert ENDS[client_dialect] in got


@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_a_stream_in_place_of_json(stand: Stand, client_dialect: str, provider: str) -> None:
    path, asked = ask(client_dialect, stream=False)
    async with stand.upstream("plain", sse(EVENTS[provider])), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        got = await reply.rest()
    assert (reply.status, reply.header("content-length")) == (200, str(len(got)))
    assert text_of(client_dialect, got) == TEXT


@pytest.mark.parametrize("provider", [dialect for dialect in DIALECTS if dialect != "google"])
async def test_a_google_client_without_alt_sse_gets_an_array(stand: Stand, provider: str) -> None:
    gate = Gate()
    _, asked = ask("google", stream=True)
    first = FIRST[provider] + 1
    answer = sse([b"".join(EVENTS[provider][:first]), *EVENTS[provider][first:]], gap=gate)
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post(ARRAY_PATH, asked, key=stand.key(f"plain-{provider}"))
        assert reply.header("content-type") == "application/json; charset=UTF-8"
        await reply.until(PIECES[0].encode())
        gate.open()
        got = await reply.rest()
    assert got.startswith(b"[")
    assert text_of("google", got) == TEXT


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_compressed_answer(stand: Stand, stream: bool) -> None:
    plain = b"".join(EVENTS["google"]) if stream else jsonlib.dumps(WHOLE["google"]).encode()
    kind = "text/event-stream" if stream else "application/json"
    answer = body(200, gzip.compress(plain), [("Content-Encoding", "gzip"), ("Content-Type", kind)])
    path, asked = ask("anthropic", stream=stream)
    accepts = [("accept-encoding", "gzip, deflate, br, zstd, x-strange")]
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-google"), headers=accepts)
        assert text_of("anthropic", await reply.rest()) == TEXT
    assert reply.header("content-encoding") == ""
    assert "x-strange" not in upstream.requests[0].header("accept-encoding")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_compressed_request_is_read(stand: Stand, stream: bool) -> None:
    path, asked = ask("anthropic", stream=stream)
    answer = sse(EVENTS["openai"]) if stream else json(200, WHOLE["openai"])
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        coded = [("content-encoding", "gzip")]
        reply = await client.post(path, gzip.compress(asked), key=stand.key("plain-openai"), headers=coded)
        assert text_of("anthropic", await reply.rest()) == TEXT
    (request,) = upstream.requests
    assert request.header("content-encoding") == ""
    assert request.json()["messages"][-1]["role"] == "user"


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_client_that_leaves_ends_the_request(stand: Stand, client_kind: Kind, stream: bool) -> None:
    path, asked = ask("anthropic", stream=stream)
    mark = f"left-{client_kind}-{stream}"
    answer = sse(EVENTS["openai"][:3] + [b": waiting\n\n"] * 9, gap=Gate())
    async with stand.upstream("plain", answer) as upstream, connect(client_kind, stand.port) as client:
        await client.submit(path, asked, key=stand.key("plain-openai"), headers=marked(mark))
        await upstream.wait_requests()
        if stream:
            await (await client.answer()).piece()
        left_at = time.monotonic()
        await client.abandon()
        closed = await upstream.wait_closed()
    assert closed.at - left_at < PROMPTLY_S
    record = await stand.flow(mark)
    assert record.complete is not True
    assert record.error is not None


async def test_a_refused_token_is_renewed_and_the_answer_streams(stand: Stand) -> None:
    name = stand.fresh("plain")

    async def answer(request: Received, send: Send) -> None:
        if len(upstream.requests) == 1:
            stand.write_token(name, f"real-{name}-2")
            await json(401, {"error": {"message": "old"}})(request, send)
        else:
            await sse(EVENTS["anthropic"])(request, send)

    path, asked = ask("openai", stream=True)
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(name))
        got = await reply.rest()
    assert (reply.status, text_of("openai", got)) == (200, TEXT)
    assert [request.header("x-api-key") for request in upstream.requests] == [f"real-{name}-1", f"real-{name}-2"]
    assert upstream.requests[0].body == upstream.requests[1].body
