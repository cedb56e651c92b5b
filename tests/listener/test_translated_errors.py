"""What goes wrong at a provider of another wire format is told in the client's: whole, in mid-stream, or cut off."""

from __future__ import annotations

import json as jsonlib
from typing import get_args

import pytest

from tests.listener.client import Kind, connect
from tests.listener.stand import Site, Stand
from tests.listener.translating import (
    ENDS,
    ERROR_EVENT,
    EVENTS,
    FIRST,
    PAIRS,
    PIECES,
    SAID,
    TEXT,
    WHOLE,
    ask,
    error_of,
    last_data,
    marked,
    text_of,
)
from tests.support.upstream import Received, Send, body, json, script, silence, sse

LIMITED = {
    "anthropic": "rate_limit_error",
    "openai": "rate_limit_error",
    "openai_responses": "rate_limit_error",
    "google": "RESOURCE_EXHAUSTED",
}
REFUSED = {
    "anthropic": "authentication_error",
    "openai": "invalid_request_error",
    "openai_responses": "invalid_request_error",
    "google": "UNAUTHENTICATED",
}
OVERLOADED = {
    "anthropic": "overloaded_error",
    "openai": "server_error",
    "openai_responses": "server_error",
    "google": "UNAVAILABLE",
}
LONG_AGO = "2020-01-01T00:00:00Z"
BROKEN = {
    "anthropic": "api_error",
    "openai": "server_error",
    "openai_responses": "server_error",
    "google": "UNAVAILABLE",
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_too_many_requests(stand: Stand, client_dialect: str, provider: str, stream: bool) -> None:
    path, asked = ask(client_dialect, stream=stream)
    headers = [("retry-after", "7"), ("request-id" if provider == "anthropic" else "x-request-id", "req_77")]
    headers += [("set-cookie", "a=b"), ("x-internal", "1")]
    async with stand.upstream("plain", json(429, SAID[provider], headers)), connect("h1", stand.port) as client:
        mark = f"limited-{client_dialect}-{provider}-{stream}"
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=marked(mark))
        said = await reply.json()
        again = await client.post(path, asked, key=stand.key(f"plain-{provider}"))  # the connection lives on
        assert (await again.json(), again.status) == (said, 429)
    assert (reply.status, reply.header("retry-after")) == (429, "7")
    assert reply.header("content-type").startswith("application/json")
    assert error_of(client_dialect, said) == (LIMITED[client_dialect], "slow down")
    if client_dialect == "anthropic":
        assert (reply.header("request-id"), said["request_id"]) == ("req_77", "req_77")
    elif client_dialect != "google":
        assert reply.header("x-request-id") == "req_77"
    assert not {"set-cookie", "x-internal"} & {name.lower() for name, _ in reply.headers}
    record = await stand.flow(mark)
    assert (record.error, record.complete) == ("slow down", None)
    assert record.response is not None
    assert (record.response.status, jsonlib.loads(record.response.body.data)) == (429, SAID[provider])
    assert record.answered is not None
    assert jsonlib.loads(record.answered.body.data) == said


@pytest.mark.parametrize(
    ("status", "client_dialect", "provider", "kinds"),
    [
        (401, "anthropic", "openai", REFUSED),
        (401, "openai", "google", REFUSED),
        (529, "openai", "anthropic", OVERLOADED),
        (529, "google", "anthropic", OVERLOADED),
        (503, "anthropic", "google", OVERLOADED),
        (500, "anthropic", "openai_responses", BROKEN),
    ],
)
@pytest.mark.parametrize("text", [b"", b"<html><title>no luck</title></html>", b'{"nothing": "known"}'])
async def test_errors_that_say_nothing_known(
    stand: Stand, status: int, client_dialect: str, provider: str, kinds: dict[str, str], text: bytes
) -> None:
    path, asked = ask(client_dialect, stream=True)
    async with stand.upstream("plain", body(status, text)), connect("h1", stand.port) as client:
        name = "plain-open" if provider == "anthropic" else f"plain-{provider}"
        reply = await client.post(path, asked, key=stand.key(name))
        kind, said = error_of(client_dialect, await reply.json())
    assert (reply.status, kind) == (status, kinds[client_dialect])
    assert str(status) in said or "no luck" in said


async def test_what_google_says_of_when_to_try_again(stand: Stand) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.4s"}]
    said = {"error": {**SAID["google"]["error"], "details": details}}
    path, asked = ask("anthropic", stream=True)
    async with stand.upstream("plain", json(429, said)), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-google"))
        assert error_of("anthropic", await reply.json()) == ("rate_limit_error", "slow down")
    assert reply.header("retry-after") == "34"


@pytest.mark.parametrize("status", [302, 304])
async def test_a_status_that_is_no_answer(stand: Stand, status: int) -> None:
    path, asked = ask("openai", stream=True)
    answer = body(status, b"" if status == 304 else b"there", [("location", "http://127.0.0.1:1/")])
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-anthropic"))
        assert str(status) in error_of("openai", await reply.json())[1]
    assert reply.status == 502


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("status", [200, 204, 500])
async def test_an_answer_without_a_body(stand: Stand, status: int, stream: bool) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(status, [("content-length", "0")] if status != 204 else [])

    path, asked = ask("anthropic", stream=stream)
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        for _ in range(2):
            reply = await client.post(path, asked, key=stand.key("plain-openai"))
            got = await reply.rest()
            if stream and status < 300:
                assert (reply.status, last_data(got)["type"]) == (200, "error")
            else:
                assert reply.status == (500 if status == 500 else 502)
                assert error_of("anthropic", jsonlib.loads(got))[0] == "api_error"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_an_error_in_mid_stream(stand: Stand, client_dialect: str, provider: str, stream: bool) -> None:
    path, asked = ask(client_dialect, stream=stream)
    mark = f"error-event-{client_dialect}-{provider}-{stream}"
    events = [*EVENTS[provider][: FIRST[provider] + 1], ERROR_EVENT[provider]]
    async with stand.upstream("plain", sse(events)), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=marked(mark))
        got = await reply.rest()
    if stream:
        assert reply.status == 200
        check_error_end(client_dialect, got, "too much")
    else:
        assert reply.status in (500, 502, 503, 529)
        assert error_of(client_dialect, jsonlib.loads(got))[1] == "too much"
    record = await stand.flow(mark)
    assert (record.error, record.complete) == ("too much", False)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_an_error_with_the_status_of_success(
    stand: Stand, client_dialect: str, provider: str, stream: bool
) -> None:
    path, asked = ask(client_dialect, stream=stream)
    async with stand.upstream("plain", json(200, SAID[provider])), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        got = await reply.rest()
    assert b"slow down" in got
    assert ENDS[client_dialect] not in got
    assert reply.status == 200 if stream else reply.status >= 400


def check_error_end(client: str, got: bytes, message: str) -> None:
    """The stream has begun, and ends in the client's error event and in nothing that looks complete."""
    assert PIECES[0].encode() in got
    assert ENDS[client] not in got
    if client == "google":  # its two SDKs look in different places
        assert got.endswith(b"}")
        got = got[: got.rindex(b"\n\n") + 2]
    last = last_data(got)
    error = last["response"]["error"] if client == "openai_responses" and "response" in last else last["error"]
    assert message in error["message"]


async def hang_up(send: Send, site: Site) -> None:
    await (send.hang_up() if site == "plain" else send.abort())


@pytest.mark.parametrize("how", ["ends", "hangs up"])
@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_a_cut_stream(stand: Stand, client_dialect: str, provider: str, how: str) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream")])
        await send.data(b"".join(EVENTS[provider][: FIRST[provider] + 1]) + b"data: {")
        if how == "hangs up":
            await send.hang_up()

    path, asked = ask(client_dialect, stream=True)
    mark = f"cut-{client_dialect}-{provider}-{how}".replace(" ", "")
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=marked(mark))
        got = await reply.rest()
    check_error_end(client_dialect, got, "")
    record = await stand.flow(mark)
    assert record.complete is False
    assert record.error


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
@pytest.mark.parametrize("site", ["plain", "h2"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_broken_connection(stand: Stand, client_kind: Kind, site: Site, stream: bool) -> None:
    async def answer(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream")])
        await send.data(b"".join(EVENTS["anthropic"][:3]))
        await hang_up(send, site)

    path, asked = ask("openai", stream=stream)
    async with stand.upstream(site, answer), connect(client_kind, stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"{site}-anthropic"))
        got = await reply.rest()
    if stream:
        check_error_end("openai", got, "broke off")
    else:
        assert reply.status == 502
        assert "broke off" in error_of("openai", jsonlib.loads(got))[1]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("client_dialect", ["anthropic", "openai"])
async def test_only_the_end_of_the_framing_is_missing(stand: Stand, client_dialect: str, stream: bool) -> None:
    async def answer(request: Received, send: Send) -> None:
        if stream:
            await send.head(200, [("content-type", "text/event-stream")])
            await send.data(b"".join(EVENTS["google"]))
        else:
            await send.head(200, [("content-type", "application/json"), ("content-length", "99999")])
            await send.data(jsonlib.dumps(WHOLE["google"]).encode())
        await send.hang_up()

    path, asked = ask(client_dialect, stream=stream)
    mark = f"unframed-{client_dialect}-{stream}"
    async with stand.upstream("plain", answer), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-google"), headers=marked(mark))
        got = await reply.rest()
    assert (reply.status, text_of(client_dialect, got)) == (200, TEXT)
    record = await stand.flow(mark)
    assert (record.complete, record.error) == (True, None)
    assert record.answered is not None
    assert record.answered.body.data == got


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("data", [b"{" + b'"x":1,' * 3_000_000, b"data: " + b"x" * (40 << 20), b"{nope}", b"hello"])
async def test_what_is_no_answer_at_all(stand: Stand, data: bytes, stream: bool) -> None:
    path, asked = ask("anthropic", stream=stream)
    async with stand.upstream("plain", body(200, data)), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-openai"))
        got = await reply.rest()
    if stream:
        assert (reply.status, last_data(got)["type"]) == (200, "error")
    else:
        assert (reply.status, jsonlib.loads(got)["type"]) == (502, "error")


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
@pytest.mark.parametrize("site", ["plain", "h2"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_an_upstream_without_end_is_left(stand: Stand, client_kind: Kind, site: Site, stream: bool) -> None:
    """Once the client has been told what is wrong, nothing more is read; its connection lives on."""

    async def endless(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream")])
        await send.data(EVENTS["openai"][1] + ERROR_EVENT["openai"])
        while True:
            await send.data(b": more\n\n" * 1000)

    path, asked = ask("anthropic", stream=stream)
    answer = script(endless, json(200, WHOLE["openai"]))
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"{site}-openai"))
        assert b"too much" in await reply.rest()
        await upstream.wait_closed()
        path, asked = ask("anthropic", stream=False)
        again = await client.post(path, asked, key=stand.key(f"{site}-openai"))
        assert text_of("anthropic", await again.rest()) == TEXT


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_a_whole_answer_ends_although_the_stream_goes_on(stand: Stand, client_kind: Kind, site: Site) -> None:
    async def endless(request: Received, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream")])
        await send.data(b"".join(EVENTS["openai"]))
        await silence()(request, send)

    path, asked = ask("anthropic", stream=False)
    mark = f"unending-{client_kind}-{site}"
    answer = script(endless, json(200, WHOLE["openai"]))
    async with stand.upstream(site, answer) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"{site}-openai"), headers=marked(mark))
        assert text_of("anthropic", await reply.rest()) == TEXT
        await upstream.wait_closed()
        again = await client.post(path, asked, key=stand.key(f"{site}-openai"))
        assert text_of("anthropic", await again.rest()) == TEXT
    record = await stand.flow(mark)
    assert (record.complete, record.error, record.warnings) == (True, None, [])


async def test_a_provider_that_is_not_there(stand: Stand) -> None:
    path, asked = ask("google", stream=True)
    async with connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("nobody-openai"))
        kind, said = error_of("google", await reply.json())
    assert (reply.status, kind) == (502, "UNAVAILABLE")
    assert "cannot connect" in said


@pytest.mark.parametrize(
    ("client_dialect", "provider", "given", "told"),
    [
        (
            "openai",
            "anthropic",
            [("anthropic-ratelimit-requests-remaining", "9"), ("anthropic-ratelimit-tokens-reset", LONG_AGO)],
            {"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-tokens": "0s"},
        ),
        (
            "anthropic",
            "openai",
            [("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-reset-requests", "nonsense")],
            {"anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-requests-reset": ""},
        ),
        ("google", "openai", [("x-ratelimit-limit-tokens", "1000")], {"x-ratelimit-limit-tokens": ""}),
    ],
)  # fmt: skip
async def test_rate_limits_are_told_in_the_clients_words(
    stand: Stand, client_dialect: str, provider: str, given: list[tuple[str, str]], told: dict[str, str]
) -> None:
    path, asked = ask(client_dialect, stream=False)
    async with stand.upstream("plain", json(200, WHOLE[provider], given)), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        await reply.rest()
    assert {name: reply.header(name) for name in told} == told
