"""Tokens are counted where the provider can, and estimated where it cannot; nobody is told 404."""

from __future__ import annotations

import pytest

from tests.listener.client import connect
from tests.listener.stand import Stand
from tests.listener.translating import MODEL, PAIRS, SAID, ask_count, dump, error_of, marked
from tests.support.upstream import body, json

COUNTING = [(client, provider) for client, provider in PAIRS if client != "openai"]
PATHS = {
    "anthropic": "/v1/messages/count_tokens",
    "openai_responses": "/v1/responses/input_tokens",
    "google": f"/v1beta/models/{MODEL}:countTokens",
}
COUNTED = {
    "anthropic": {"input_tokens": 31},
    "openai_responses": {"object": "response.input_tokens", "input_tokens": 31},
    "google": {"totalTokens": 31},
    "openai": {},
}
TOLD = {"anthropic": "input_tokens", "openai_responses": "input_tokens", "google": "totalTokens"}


@pytest.mark.parametrize(("client_dialect", "provider"), COUNTING)
async def test_a_count_is_translated_or_made_here(stand: Stand, client_dialect: str, provider: str) -> None:
    path, asked = ask_count(client_dialect)
    mark = f"count-{client_dialect}-{provider}"
    async with stand.upstream("plain", json(200, COUNTED[provider])) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=marked(mark))
        tokens = (await reply.json())[TOLD[client_dialect]]
    assert reply.status == 200
    record = await stand.flow(mark)
    assert (record.route, record.error) == ("transform", None)
    if provider == "openai":
        assert 0 < tokens < 30
        assert not upstream.requests
        assert record.answered is not None
        return
    assert tokens == 31
    (request,) = upstream.requests
    assert request.path == PATHS[provider]
    assert request.header("accept") == "application/json"
    sent = request.json()
    assert not {"stream", "max_tokens", "max_output_tokens"} & sent.keys()
    assert "Say hello" in request.body.decode()


@pytest.mark.parametrize("client_dialect", PATHS)
@pytest.mark.parametrize("answer", [body(404, b"nothing here"), json(405, {}), json(200, {"what": 1}), body(200, b"")])
async def test_a_provider_that_does_not_count(stand: Stand, client_dialect: str, answer: object) -> None:
    path, asked = ask_count(client_dialect)
    provider = "openai_responses" if client_dialect != "openai_responses" else "anthropic"
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:  # type: ignore[arg-type]
        for _ in range(2):
            reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
            assert reply.status == 200
            assert 0 < (await reply.json())[TOLD[client_dialect]] < 30
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("client_dialect", PATHS)
@pytest.mark.parametrize("status", [404, 501])
async def test_a_provider_of_the_same_format_that_does_not_count(
    stand: Stand, client_dialect: str, status: int
) -> None:
    path, asked = ask_count(client_dialect)
    mark = f"uncounted-{client_dialect}-{status}"
    async with stand.upstream("plain", body(status, b"nothing")) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{client_dialect}"), headers=marked(mark))
        assert 0 < (await reply.json())[TOLD[client_dialect]] < 30
    assert (reply.status, upstream.requests[0].body) == (200, asked)
    record = await stand.flow(mark)
    assert (record.route, record.error) == ("redirect", None)
    assert record.response is not None
    assert record.response.status == status


async def test_a_count_of_the_same_format_is_untouched(stand: Stand) -> None:
    path, asked = ask_count("anthropic")
    async with stand.upstream("plain", json(200, {"input_tokens": 3, "x": 1})), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-anthropic"))
        assert await reply.json() == {"input_tokens": 3, "x": 1}


@pytest.mark.parametrize("provider", ["openai_responses", "google"])
async def test_other_errors_of_a_count_are_told(stand: Stand, provider: str) -> None:
    path, asked = ask_count("anthropic")
    async with stand.upstream("plain", json(429, SAID[provider])), connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        assert error_of("anthropic", await reply.json()) == ("rate_limit_error", "slow down")
    assert reply.status == 429


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_what_cannot_be_counted_is_an_error(stand: Stand, provider: str) -> None:
    async with stand.upstream("plain", body(404, b"")), connect("h1", stand.port) as client:
        path, asked = "/v1/messages/count_tokens", dump({"model": "m", "messages": 7})
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"))
        assert "messages" in error_of("anthropic", await reply.json())[1]
    assert reply.status == 400


async def test_system_and_tools_count(stand: Stand) -> None:
    async with connect("h1", stand.port) as client:
        counts = []
        tool = {"name": "read", "description": "Reads a file " * 20, "input_schema": {"type": "object"}}
        for more in ({}, {"system": "Be brief. " * 20}, {"system": "Be brief. " * 20, "tools": [tool]}):
            path, asked = ask_count("anthropic", **more)
            reply = await client.post(path, asked, key=stand.key("nobody-openai"))
            counts.append((await reply.json())["input_tokens"])
    assert counts == sorted(set(counts))
