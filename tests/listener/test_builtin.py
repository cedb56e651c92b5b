"""What the listener answers itself."""

from __future__ import annotations

import json as jsonlib
from typing import Any

import pytest

from tests.listener.client import Kind, connect
from tests.listener.stand import PATHS, Stand, message
from tests.support.upstream import json


@pytest.mark.parametrize("client_kind", ["h1", "h2c"])
@pytest.mark.parametrize("path", ["/", "/health", "/health?x=1"])
async def test_it_says_hey(stand: Stand, client_kind: Kind, path: str) -> None:
    async with connect(client_kind, stand.port) as client:
        reply = await client.ask("GET", path)
        assert (reply.status, await reply.rest()) == (200, b"ccproxy says hey!")
        assert reply.header("content-type").startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models"])
async def test_head_has_no_body(stand: Stand, path: str) -> None:
    async with connect("h1", stand.port) as client:
        await client.send("HEAD", path)
        reply = await client.answer()
        assert reply.status in (200, 404)
        again = await client.ask("GET", "/health")  # a body that was sent would stand here
        assert (again.status, await again.rest()) == (200, b"ccproxy says hey!")


MODELS: list[tuple[str, list[tuple[str, str]], str]] = [
    ("/v1/models", [], "openai"),
    ("/v1/models", [("authorization", "Bearer something")], "openai"),
    ("/models", [], "openai"),
    ("/v1/models", [("anthropic-version", "2023-06-01")], "anthropic"),
    ("/v1/models", [("x-api-key", "something")], "anthropic"),
    ("/v1beta/models", [], "google"),
    ("/v1/models", [("x-goog-api-key", "something")], "google"),
]


@pytest.mark.parametrize(("path", "headers", "kind"), MODELS)
async def test_models_are_listed_as_the_client_reads_them(
    stand: Stand, path: str, headers: list[tuple[str, str]], kind: str
) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.ask("GET", path, headers)
        listed: Any = await reply.json()
    assert reply.status == 200
    match kind:
        case "anthropic":
            assert {model["type"] for model in listed["data"]} == {"model"}
            assert listed["has_more"] is False
            assert "claude-opus-5-5" in [model["id"] for model in listed["data"]]
        case "google":
            assert "models/gemini-2.5-pro" in [model["name"] for model in listed["models"]]
        case _:
            assert listed["object"] == "list"
            assert {model["object"] for model in listed["data"]} == {"model"}


@pytest.mark.parametrize("kind", ["anthropic", "openai", "google"])
async def test_with_a_sentinel_the_provider_lists_its_models(stand: Stand, kind: str) -> None:
    path = "/v1beta/models" if kind == "google" else "/v1/models"
    async with stand.upstream("plain", json(200, {"its": "own"})) as upstream, connect("h1", stand.port) as client:
        reply = await client.ask("GET", f"{path}?limit=5", [("authorization", f"Bearer {stand.key(f'plain-{kind}')}")])
        assert await reply.json() == {"its": "own"}
    (request,) = upstream.requests
    assert request.path == f"{path}?limit=5"
    assert request.header("x-api-key") == f"real-plain-{kind}-1"


@pytest.mark.parametrize("kind", PATHS)
async def test_without_a_route_the_client_is_told_in_its_format(stand: Stand, kind: str) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.ask("POST", PATHS[kind], [("content-type", "application/json")], message())
        told = await reply.json()
    assert reply.status == 501
    assert "no provider or transform rule" in told["error"]["message"]
    assert (told.get("type") == "error") == (kind == "anthropic")
    assert ("status" in told["error"]) == (kind == "google")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/favicon.ico", 501),
        ("POST", "/", 404),
        ("POST", "/v1/models", 404),
        ("DELETE", "/health", 404),
        ("GET", "/v1/models/claude-opus-5-5", 501),
        ("POST", "/api/event_logging/v2/batch", 501),
        ("GET", "/mcp/notify", 501),
        ("POST", "/mcp/notify", 501),
    ],
)
async def test_what_nobody_serves_is_refused_in_json(stand: Stand, method: str, path: str, status: int) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.ask(method, path)
        assert reply.status == status
        assert reply.header("content-type") == "application/json"
        assert (await reply.json())["error"]["message"]


async def test_an_unknown_provider_is_named_with_what_there_is(stand: Stand) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plane"))
        assert reply.status == 401
        said = (await reply.json())["error"]["message"]
    assert "plane" in said
    assert "plain" in said


async def test_mcp_reaches_the_mcp_process(stand: Stand) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")]
    async with connect("h1", stand.port) as client:
        reply = await client.ask("POST", "/mcp", headers, jsonlib.dumps(call).encode())
        said = await reply.rest()
        assert reply.status == 200, said
    assert b"list_flows" in said
    assert b"get_flow" in said
