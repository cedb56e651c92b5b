"""What a provider wants back in the next turn reaches it byte for byte, also after a restart, and nobody else."""

from __future__ import annotations

import base64
import json as jsonlib
from typing import Any

import pytest

from ccproxy.lightllm.memory import FOREIGN
from tests.listener.client import connect
from tests.listener.translating import EVENTS, MODEL, TEXT, WHOLE, dump, sse
from tests.support.daemon import Daemon
from tests.support.upstream import Upstream, json
from tests.support.upstream import sse as streamed

SIGNATURE = base64.b64encode(b"the provider's own seal " * 9).decode()
ARGUMENTS = {"path": "a.txt"}
TOOL = {"type": "object", "properties": {"path": {"type": "string"}}}
CALLS: dict[str, list[bytes]] = {
    "anthropic": sse(
        {
            "type": "message_start",
            "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
            },
        },
        {
            "type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Look first."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": SIGNATURE}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start", "index": 1,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
        },
        {
            "type": "content_block_delta", "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": jsonlib.dumps(ARGUMENTS)},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ),
    "google": sse(
        {
            "candidates": [
                {
                    "index": 0, "finishReason": "STOP",
                    "content": {
                        "role": "model",
                        "parts": [{"functionCall": {"name": "read", "args": ARGUMENTS}, "thoughtSignature": SIGNATURE}],
                    },
                }
            ],
            "modelVersion": "m-1",
        }
    ),
}  # fmt: skip


def turns(client: str, call: dict[str, Any] | None) -> tuple[str, bytes]:
    """The first request of a tool loop, or the second."""
    if client == "openai":
        messages: list[dict[str, Any]] = [{"role": "user", "content": "read it"}]
        if call is not None:
            called = {**call, "type": "function", "function": {"name": "read", "arguments": jsonlib.dumps(ARGUMENTS)}}
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [called]},
                {"role": "tool", "tool_call_id": call["id"], "content": "done"},
            ]
        tools: list[Any] = [{"type": "function", "function": {"name": "read", "parameters": TOOL}}]
        return "/v1/chat/completions", dump({"model": MODEL, "stream": True, "messages": messages, "tools": tools})
    messages = [{"role": "user", "content": "read it"}]
    if call is not None:
        messages += [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "done"}]},
        ]
    tools = [{"name": "read", "input_schema": TOOL}]
    body = {"model": MODEL, "max_tokens": 99, "stream": True, "messages": messages, "tools": tools}
    return "/v1/messages", dump(body)


def call_of(client: str, got: bytes) -> dict[str, Any]:
    """The tool call in a streamed answer, as the client sends it back."""
    documents = [jsonlib.loads(line[6:]) for line in got.split(b"\n") if line.startswith(b"data: {")]
    if client == "openai":
        calls = [call for d in documents for c in d["choices"] for call in c["delta"].get("tool_calls", ())]
        return {"id": calls[0]["id"]}
    (block,) = [d["content_block"] for d in documents if d.get("content_block", {}).get("type") == "tool_use"]
    return {**block, "input": ARGUMENTS}


async def talk(daemon: Daemon, client: str, provider: str, call: dict[str, Any] | None) -> bytes:
    path, asked = turns(client, call)
    async with connect("h1", daemon.port) as connection:
        reply = await connection.post(path, asked, key=f"sk-ant-oat-ccproxy-{provider}")
        got = await reply.rest()
        assert reply.status == 200, got
        return got


def config(upstream: Upstream) -> dict[str, Any]:
    kinds = {"google": "google", "anthropic": "anthropic", "other": "google", "responses": "openai_responses"}
    return {"providers": {name: {"type": kind, "base_url": upstream.origin} for name, kind in kinds.items()}}


@pytest.mark.parametrize(
    ("client", "provider"), [("openai", "anthropic"), ("openai", "google"), ("anthropic", "google")]
)
async def test_a_signature_survives_a_restart(client: str, provider: str) -> None:
    async with Upstream(streamed(CALLS[provider])) as upstream:
        daemon = Daemon(config(upstream))
        with daemon:
            call = call_of(client, await talk(daemon, client, provider, None))
            upstream.answer = streamed(EVENTS[provider])
            await talk(daemon, client, provider, call)
            daemon.stop()
            daemon.start()
            await talk(daemon, client, provider, call)
            upstream.answer = streamed(EVENTS["google"])
            await talk(daemon, client, "other", call)
            assert daemon.cli("flows", "clear", "--all").returncode == 0
            upstream.answer = streamed(EVENTS[provider])
            await talk(daemon, client, provider, call)
        first, second, restarted, other, cleared = upstream.requests
    assert SIGNATURE.encode() not in first.body
    assert second.body == restarted.body
    assert SIGNATURE.encode() not in other.body + cleared.body
    sent = second.json()
    if provider == "google":
        parts = [part for turn in sent["contents"] for part in turn["parts"] if "functionCall" in part]
        assert [part["thoughtSignature"] for part in parts] == [SIGNATURE]
    else:
        (turn,) = [turn for turn in sent["messages"] if turn["role"] == "assistant"]
        assert turn["content"][0] == {"type": "thinking", "thinking": "Look first.", "signature": SIGNATURE}
        assert turn["content"][1]["id"] == "toolu_1"


async def test_thoughts_are_shown_with_a_signature_that_is_nobodys() -> None:
    """The conversation goes on at a provider of the client's own format, and none of it gets there."""
    thought = {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "hmm", "thought": True}]}}]}
    async with Upstream(streamed([*sse(thought), *EVENTS["google"]])) as upstream:
        with Daemon(config(upstream)) as daemon:
            got = await talk(daemon, "anthropic", "google", None)
            assert FOREIGN.encode() in got
            _, asked = turns("anthropic", None)
            document = jsonlib.loads(asked)
            thinking = {"type": "thinking", "thinking": "hmm", "signature": FOREIGN}
            document["messages"] += [{"role": "assistant", "content": [thinking, {"type": "text", "text": TEXT}]}]
            document["messages"] += [{"role": "user", "content": "go on"}]
            upstream.answer = json(200, WHOLE["anthropic"])
            async with connect("h1", daemon.port) as client:
                reply = await client.post("/v1/messages", dump(document), key="sk-ant-oat-ccproxy-anthropic")
                assert reply.status == 200
        sent = upstream.requests[1].json()["messages"]
        assert sent[1] == {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}


@pytest.mark.parametrize(("first", "second"), [("google", "google"), ("anthropic", "openai_responses")])
async def test_a_name_that_is_given_to_another_vendor_brings_nothing_along(first: str, second: str) -> None:
    other = Upstream(streamed(EVENTS[second]), host="127.0.0.2" if first == second else "127.0.0.1")
    async with Upstream(streamed(CALLS[first])) as upstream, other:
        with Daemon({"providers": {"mine": {"type": first, "base_url": upstream.origin}}}) as daemon:
            call = call_of("openai", await talk(daemon, "openai", "mine", None))
            await talk(daemon, "openai", "mine", call)
            daemon.write_config({"providers": {"mine": {"type": second, "base_url": other.origin}}})
            assert daemon.cli("reload").returncode == 0
            await talk(daemon, "openai", "mine", call)
        assert SIGNATURE.encode() in upstream.requests[1].body
        assert SIGNATURE.encode() not in other.requests[0].body
