"""What all formats share: paths, determinism, limits, pace."""

from __future__ import annotations

import asyncio
import gzip
import json
import time

import httpx
import pytest

from ccproxy.echo.app import BODY_LIMIT

CHAT = {"model": "echo", "messages": [{"role": "user", "content": "say pong"}]}
MESSAGES = {**CHAT, "max_tokens": 99}
RESPONSES = {"model": "echo", "input": "say pong"}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "say pong"}]}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", MESSAGES),
        ("/v1/messages?beta=true", MESSAGES),
        ("/messages", MESSAGES),
        ("/vendor/v1/messages", MESSAGES),
        ("/v1/chat/completions", CHAT),
        ("/chat/completions", CHAT),
        ("/api/v1/chat/completions", CHAT),
        ("/v1/responses", RESPONSES),
        ("/responses", RESPONSES),
        ("/v1/models/m:generateContent", GEMINI),
        ("/v1/models/m%3AgenerateContent", GEMINI),
        ("/v1beta/models/vendor/m:generateContent", GEMINI),
        ("/v1alpha/tunedModels/m:streamGenerateContent", GEMINI),
        ("/models/m:generateContent", GEMINI),
    ],
)
async def test_paths_and_determinism(base: str, path: str, body: dict[str, object]) -> None:
    async with httpx.AsyncClient() as http:
        first, second = [await http.post(base + path, json=body) for _ in range(2)]
    assert first.status_code == 200
    assert "pong" in first.text
    assert first.content == second.content


async def test_the_same_conversation_costs_the_same_everywhere(base: str) -> None:
    async with httpx.AsyncClient() as http:
        messages = (await http.post(f"{base}/v1/messages", json=MESSAGES)).json()["usage"]
        chat = (await http.post(f"{base}/v1/chat/completions", json=CHAT)).json()["usage"]
        responses = (await http.post(f"{base}/v1/responses", json=RESPONSES)).json()["usage"]
        gemini = (await http.post(f"{base}/v1beta/models/m:generateContent", json=GEMINI)).json()["usageMetadata"]
    assert (messages["input_tokens"], messages["output_tokens"]) == (2, 2)
    assert (chat["prompt_tokens"], chat["completion_tokens"]) == (2, 2)
    assert (responses["input_tokens"], responses["output_tokens"]) == (2, 2)
    assert (gemini["promptTokenCount"], gemini["candidatesTokenCount"]) == (2, 2)


@pytest.mark.parametrize(
    ("headers", "path", "key"),
    [
        ({"anthropic-version": "2023-06-01"}, "/v1/nothing", "type"),
        ({"authorization": "Bearer x"}, "/v1/nothing", "error"),
        ({"x-goog-api-key": "x"}, "/v1/nothing", "error"),
        ({}, "/v1beta/nothing", "error"),
    ],
)
async def test_unknown_paths_answer_in_the_clients_format(
    base: str, headers: dict[str, str], path: str, key: str
) -> None:
    async with httpx.AsyncClient(headers=headers) as http:
        response = await http.post(base + path, json={})
    assert response.status_code == 404
    assert key in response.json()
    assert ("status" in response.json()["error"]) == ("x-goog-api-key" in headers or "v1beta" in path)


async def test_probes(base: str) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.get(base)).json()["provider"] == "echo"
        head = await http.head(base)
    assert (head.status_code, head.content) == (200, b"")


async def test_a_large_text_is_said_back_in_few_events(base: str) -> None:
    text = "many words " * 200_000
    body = {**CHAT, "stream": True, "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(timeout=30) as http:
        response = await http.post(f"{base}/v1/chat/completions", json=body)
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    assert len(events) < 300
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events) == text


async def test_a_gzipped_body_is_read(base: str) -> None:
    async with httpx.AsyncClient(headers={"content-encoding": "gzip", "content-type": "application/json"}) as http:
        whole = await http.post(f"{base}/v1/messages", content=gzip.compress(json.dumps(MESSAGES).encode()))
        plain = await http.post(f"{base}/v1/messages", content=json.dumps(MESSAGES).encode())
    assert whole.json()["content"][0]["text"] == "say pong"
    assert plain.status_code == 200, "a body that claims gzip and is plain JSON is read as it is"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_body_too_large_is_refused(base: str, encoding: str) -> None:
    body = b" " * (BODY_LIMIT + 1)
    async with httpx.AsyncClient(headers={"content-encoding": encoding}, timeout=30) as http:
        response = await http.post(
            f"{base}/v1/messages", content=gzip.compress(body, 1) if encoding == "gzip" else body
        )
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "request_too_large"


@pytest.mark.parametrize("text", ["a\0b", "é€😀", "\ud800", "\u2028", '"\\'])
async def test_odd_characters(base: str, text: str) -> None:
    body = json.dumps({**CHAT, "messages": [{"role": "user", "content": text}]})
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{base}/v1/chat/completions", content=body)
    assert response.json()["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b"7", b"[" * 100_000], ids=lambda body: repr(body[:4]))
@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/models/m:generateContent"]
)
async def test_bad_json(base: str, path: str, body: bytes) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.post(base + path, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["message"]


async def test_pace(base: str) -> None:
    request = {**MESSAGES, "stream": True, "messages": [{"role": "user", "content": "slow 0.05 hello"}]}
    started = time.monotonic()
    async with httpx.AsyncClient() as http, http.stream("POST", f"{base}/v1/messages", json=request) as response:
        arrived = [time.monotonic() - started async for line in response.aiter_lines() if line.startswith("event:")]
    assert arrived[-1] >= 0.05 * len(arrived)
    assert arrived[0] < arrived[-1] / 2, "events come one by one"


async def test_a_client_that_leaves_ends_the_stream() -> None:
    """The application returns as soon as the client has gone, in the middle of a pause of a minute."""
    from ccproxy.echo.app import app

    body = json.dumps({**CHAT, "stream": True, "messages": [{"role": "user", "content": "slow 60 hello"}]}).encode()
    incoming = iter([{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}])
    sent: list[str] = []

    async def receive() -> dict[str, object]:
        return next(incoming)

    async def send(message: dict[str, object]) -> None:
        sent.append(str(message["type"]))

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"", "headers": []}
    await asyncio.wait_for(app(scope, receive, send), 5)
    assert sent == ["http.response.start"]
