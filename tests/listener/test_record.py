"""What is remembered of an exchange, and what a hook of somebody's own may and may not do to it."""

from __future__ import annotations

import gzip
import json as jsonlib
from typing import Any

import pytest

from ccproxy.lightllm.usage import Usage
from tests.listener.client import Kind, connect
from tests.listener.stand import PATHS, Site, Stand, message
from tests.support.upstream import json, sse


def events(*documents: Any) -> list[bytes]:
    """Server-sent events, named where Anthropic and Responses name them."""
    return [
        (f"event: {document['type']}\n" if "type" in document else "").encode()
        + f"data: {jsonlib.dumps(document)}\n\n".encode()
        for document in documents
    ]


USAGE: dict[str, dict[str, Any]] = {
    "anthropic": {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 7},
    "openai": {"prompt_tokens": 103, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 100}},
    "openai_responses": {"input_tokens": 103, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 100}},
    "google": {"promptTokenCount": 103, "candidatesTokenCount": 7, "cachedContentTokenCount": 100},
}
WHOLE: dict[str, Any] = {
    "anthropic": {"type": "message", "model": "m-1", "stop_reason": "end_turn", "usage": USAGE["anthropic"]},
    "openai": {"model": "m-1", "choices": [{"index": 0, "finish_reason": "stop"}], "usage": USAGE["openai"]},
    "openai_responses": {"model": "m-1", "status": "completed", "usage": USAGE["openai_responses"]},
    "google": {"modelVersion": "m-1", "candidates": [{"finishReason": "STOP"}], "usageMetadata": USAGE["google"]},
}
STREAM: dict[str, list[bytes]] = {
    "anthropic": events(
        {"type": "message_start", "message": {"model": "m-1", "usage": {**USAGE["anthropic"], "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ),
    "openai": [
        *events(
            {"model": "m-1", "choices": [{"index": 0, "delta": {"content": "a"}}]},
            {"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"model": "m-1", "choices": [], "usage": USAGE["openai"]},
        ),
        b"data: [DONE]\n\n",
    ],
    "openai_responses": events({"type": "response.completed", "response": WHOLE["openai_responses"]}),
    "google": events({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}, WHOLE["google"]),
}
STOP = {"anthropic": "end_turn", "openai": "stop", "google": "STOP", "openai_responses": "completed"}
EXPECTED = Usage(input=103, output=7, cache_read=100)


def marked(kind: str, mark: str, path: str = "") -> str:
    path = path or PATHS[kind]
    return f"{path}{'&' if '?' in path else '?'}mark={mark}"


@pytest.mark.parametrize("kind", PATHS)
async def test_the_usage_of_a_stream_is_kept(stand: Stand, kind: str) -> None:
    async with stand.upstream("plain", sse(STREAM[kind])), connect("h1", stand.port) as client:
        reply = await client.post(
            marked(kind, f"usage-stream-{kind}"), message(stream=True), key=stand.key(f"plain-{kind}")
        )
        assert await reply.rest() == b"".join(STREAM[kind])
    record = await stand.flow(f"mark=usage-stream-{kind}")
    assert record.usage == EXPECTED
    assert (record.stop_reason, record.complete, record.error) == (STOP[kind], True, None)


@pytest.mark.parametrize("kind", PATHS)
async def test_the_usage_of_a_buffered_answer_is_kept(stand: Stand, kind: str) -> None:
    path = PATHS[kind].replace("streamGenerateContent?alt=sse", "generateContent")
    async with stand.upstream("plain", json(200, WHOLE[kind])), connect("h1", stand.port) as client:
        reply = await client.post(marked(kind, f"usage-whole-{kind}", path), message(), key=stand.key(f"plain-{kind}"))
        assert await reply.json() == WHOLE[kind]
    record = await stand.flow(f"mark=usage-whole-{kind}")
    assert record.usage == EXPECTED
    assert (record.stop_reason, record.error) == (STOP[kind], None)


async def test_an_error_event_of_the_provider_is_kept_and_not_repeated(stand: Stand) -> None:
    told = events({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    async with stand.upstream("plain", sse(told)), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages?mark=told", message(stream=True), key=stand.key("plain"))
        assert await reply.rest() == told[0]
    assert "Overloaded" in ((await stand.flow("mark=told")).error or "")


async def test_a_record_says_who_asked_for_what_and_where_it_went(stand: Stand) -> None:
    user = {"user_id": jsonlib.dumps({"session_id": "5d0c1c2e-0000-4000-8000-000000000001"})}
    async with stand.upstream("plain", json(200, WHOLE["anthropic"])), connect("h1", stand.port) as client:
        await client.post("/v1/messages?mark=asked", message(metadata=user), key=stand.key("plain"))
    record = await stand.flow("mark=asked")
    assert (record.listener, record.dialect, record.operation) == ("reverse", "anthropic", "generate")
    assert (record.model, record.provider, record.route) == ("claude", "plain", "redirect")
    assert record.session_id == "5d0c1c2e-0000-4000-8000-000000000001"
    assert record.client.startswith("127.0.0.1:")
    assert record.forwarded is not None
    assert record.forwarded.url == f"{stand.origin('plain')}/v1/messages?mark=asked"
    assert [(hook.name, hook.status) for hook in record.hooks] == [
        ("inject_auth", "ok"),
        ("extract_session_id", "ok"),
        ("breaking", "skipped"),
        ("tagging", "skipped"),
        ("verbose_mode", "skipped"),
    ]
    assert record.created_at <= (record.first_byte_at or 0) <= (record.ended_at or 0)


async def test_a_failing_hook_is_recorded_and_stops_nothing(stand: Stand) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(
            "/v1/messages?mark=flaky", message(), key=stand.key("plain"), headers=[("x-break", "1")]
        )
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert upstream.requests[0].body == message(), "what a failed hook wrote is undone"
    record = await stand.flow("mark=flaky")
    (result,) = [hook for hook in record.hooks if hook.status == "error"]
    assert (result.name, result.detail) == ("breaking", "ValueError: this hook has a defect")
    shown = stand.daemon.cli("flows", "show", record.id).stdout
    assert "breaking" in shown
    assert "this hook has a defect" in shown


@pytest.mark.parametrize(("client_kind", "site"), [("h1", "plain"), ("h2c", "plain"), ("h2c", "h2")])
async def test_what_a_hook_writes_goes_out_and_the_rest_stays(stand: Stand, client_kind: Kind, site: Site) -> None:
    odd = b'{ "model":"m" , "messages" : [ ] }'
    async with stand.upstream(site, json(200, {})) as upstream, connect(client_kind, stand.port) as client:
        reply = await client.post("/v1/messages", odd, key=stand.key(site), headers=[("x-tag", "blue")])
        assert reply.status == 200
    (request,) = upstream.requests
    assert request.json() == {"model": "m", "messages": [], "tag": "blue"}
    assert request.body.startswith(b'{ "model":"m" , "messages" : [ ]')
    assert request.header("content-length") in ("", str(len(request.body)))


async def test_a_compressed_body_that_a_hook_writes_goes_out_plain(stand: Stand) -> None:
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        headers = [("content-encoding", "gzip"), ("x-tag", "blue")]
        reply = await client.post("/v1/messages", gzip.compress(message()), key=stand.key("plain"), headers=headers)
        assert reply.status == 200
    (request,) = upstream.requests
    assert request.json()["tag"] == "blue"
    assert request.header("content-encoding") == ""


async def test_a_client_can_switch_a_hook_off(stand: Stand) -> None:
    headers = [("x-tag", "blue"), ("x-ccproxy-hooks", "-tagging,-inject_auth")]
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages?mark=off", message(), key=stand.key("plain"), headers=headers)
        assert reply.status == 200
    assert upstream.requests[0].body == message()
    assert upstream.requests[0].header("x-api-key") == "real-plain-1", "not what guards credentials"
    assert [hook.status for hook in (await stand.flow("mark=off")).hooks if hook.name == "tagging"] == ["skipped"]
