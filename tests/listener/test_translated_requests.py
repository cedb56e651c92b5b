"""What leaves when a request is translated: body, headers, key; and what does not leave at all."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.memory import FOREIGN
from tests.listener.client import H1Client, connect
from tests.listener.stand import Stand, stored
from tests.listener.translating import DIALECTS, EVENTS, MODEL, PAIRS, TEXT, WHOLE, ask, dump, error_of, marked, text_of
from tests.support.daemon import Daemon
from tests.support.upstream import Upstream, json, sse

JSON = ("content-type", "application/json")
OF_APIS = [
    ("anthropic-version", "2099-01-01"),
    ("anthropic-beta", "a,b"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("X-Claude-Code-Session-Id", "s1"),
    ("x-app", "cli"),
    ("openai-organization", "org"),
    ("OpenAI-Beta", "responses=v1"),
    ("x-goog-api-client", "genai"),
    ("x-goog-user-project", "p"),
    ("X-Stainless-Lang", "js"),
    ("x-codex-turn-metadata", "{}"),
    ("originator", "codex_exec"),
    ("session-id", "s2"),
    ("thread-id", "t"),
    ("chatgpt-account-id", "acct"),
    ("x-client-request-id", "r"),
    ("cookie", "a=b"),
]
OTHERS = [("user-agent", "claude-cli/2"), ("traceparent", "00-1-2-01"), ("X-Team", "blue")]


@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_no_header_of_the_clients_api_goes_along(stand: Stand, client_dialect: str, provider: str) -> None:
    path, asked = ask(client_dialect, stream=True)
    accepts = [("accept", "*/*"), ("accept-encoding", "gzip, x-strange, br")]
    async with stand.upstream("plain", sse(EVENTS[provider])) as upstream, connect("h1", stand.port) as client:
        headers = [*OF_APIS, *OTHERS, *accepts]
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=headers)
        assert reply.status == 200, await reply.rest()
    (request,) = upstream.requests
    own = [("anthropic-version", "2023-06-01")] if provider == "anthropic" else []
    expected = {
        "host": f"127.0.0.1:{stand.ports['plain']}",
        "x-api-key": f"real-plain-{provider}-1",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "gzip, br",
        "content-length": str(len(request.body)),
        **{name.lower(): value for name, value in OTHERS},
        **dict(own),
    }
    assert {name.lower(): value for name, value in request.headers} == expected
    assert b"sk-ant-oat-ccproxy" not in request.head + request.body


@pytest.mark.parametrize("slot", ["x-api-key", "authorization", "x-goog-api-key", "api-key", "?key="])
async def test_the_key_goes_where_the_provider_reads_it(slot: str) -> None:
    """The providers' defaults: nothing but a bearer token, or what their configuration says."""
    auth: dict[str, Any] = {"type": "env", "env": "REAL_KEY"}
    async with Upstream(json(200, WHOLE["google"])) as upstream:
        config = {
            "providers": {
                "bearer": {"type": "google", "base_url": upstream.origin, "auth": auth},
                "query": {"type": "google", "base_url": upstream.origin, "auth": {**auth, "query_param": "key"}},
            }
        }
        with Daemon(config, environ={"REAL_KEY": "real-key-0001"}) as daemon:
            for provider in ("bearer", "query"):
                key, path, headers = f"sk-ant-oat-ccproxy-{provider}", "/v1/messages?beta=true", [JSON]
                if slot == "?key=":
                    path += f"&key={key}"
                else:
                    headers.append((slot, f"Bearer {key}" if slot == "authorization" else key))
                async with connect("h1", daemon.port) as client:
                    reply = await client.ask("POST", path, headers, ask("anthropic", stream=False)[1])
                    assert text_of("anthropic", await reply.rest()) == TEXT
        by_bearer, by_query = upstream.requests
        assert by_bearer.header("authorization") == "Bearer real-key-0001"
        assert by_bearer.path == f"/v1beta/models/{MODEL}:generateContent"
        assert by_query.path == f"/v1beta/models/{MODEL}:generateContent?key=real-key-0001"
        assert by_query.header("authorization") == ""
        assert b"ccproxy" not in by_bearer.head + by_query.head


async def test_a_rule_translates_with_and_without_a_key() -> None:
    async with Upstream(json(200, WHOLE["openai"])) as upstream:
        auth = {"type": "env", "env": "REAL_KEY"}
        config = {
            "providers": {"up": {"type": "openai", "base_url": f"{upstream.origin}/v1", "auth": auth}},
            "lightllm": {
                "transforms": [
                    {"match_model": "^always", "action": "transform", "dest_provider": "up", "inject": "always"},
                    {"match_model": "^other", "action": "transform", "dest_provider": "up", "dest_model": "gpt-x"},
                ]
            },
        }
        with Daemon(config, environ={"REAL_KEY": "real-key-0001"}) as daemon:
            for model in ("always-1", "other-1"):
                path, asked = ask("anthropic", stream=False)
                headers = [JSON, ("x-api-key", "sk-ant-the-clients-own"), ("user-agent", model)]
                async with connect("h1", daemon.port) as client:
                    reply = await client.ask("POST", path, headers, asked.replace(MODEL.encode(), model.encode()))
                    assert text_of("anthropic", await reply.rest()) == TEXT
            warnings = {agent: (await stored(daemon, agent)).warnings for agent in ("always-1", "other-1")}
        always, other = upstream.requests
        assert (always.path, always.header("authorization")) == ("/v1/chat/completions", "Bearer real-key-0001")
        assert (other.header("authorization"), other.header("x-api-key")) == ("", "")
        assert [request.json()["model"] for request in upstream.requests] == ["always-1", "gpt-x"]
        assert not warnings["always-1"]
        assert "the client's own key was not sent" in warnings["other-1"][0]


@pytest.mark.parametrize("client_dialect", DIALECTS)
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{nope", 400, "no JSON object"),
        (b"[1]", 400, "no JSON object"),
        (b"", 400, "no JSON object"),
        (b'{"model": "m", "pad": "' + b"x" * (9 << 20) + b'"}', 413, "larger than 8388608 bytes"),
    ],
)
async def test_a_body_that_cannot_be_read(
    stand: Stand, client_dialect: str, body: bytes, status: int, said: str
) -> None:
    path, _ = ask(client_dialect, stream=True)
    provider = "anthropic" if client_dialect != "anthropic" else "openai_responses"
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, body, key=stand.key(f"plain-{provider}"))
        assert said in error_of(client_dialect, await reply.json())[1]
    assert reply.status == status
    assert not upstream.requests


@pytest.mark.parametrize(("client_dialect", "provider"), PAIRS)
async def test_what_must_not_be_left_out_is_an_error(stand: Stand, client_dialect: str, provider: str) -> None:
    picture = {"type": "image", "source": {"type": "file", "file_id": "f"}}
    refused = {
        "anthropic": {"messages": [{"role": "user", "content": [picture]}]},
        "openai": {"n": 3},
        "openai_responses": {"previous_response_id": "resp_1"},
        "google": {"generationConfig": {"candidateCount": 2}},
    }[client_dialect]  # fmt: skip
    path, asked = ask(client_dialect, stream=True, **refused)
    mark = f"refused-{client_dialect}-{provider}"
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key(f"plain-{provider}"), headers=marked(mark))
        message = error_of(client_dialect, await reply.json())[1]
    assert reply.status == 400
    assert not upstream.requests
    record = await stand.flow(mark)
    assert (record.error, record.forwarded, record.route) == (message, None, "transform")


async def test_what_is_left_out_is_a_warning(stand: Stand) -> None:
    path, asked = ask("anthropic", stream=False, top_k=3)
    async with stand.upstream("plain", json(200, WHOLE["openai"])) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, asked, key=stand.key("plain-openai"), headers=marked("dropped-knob"))
        assert reply.status == 200
    assert "top_k" not in upstream.requests[0].json()
    record = await stand.flow("dropped-knob")
    assert [warning for warning in record.warnings if warning.startswith("top_k: left out")]


@pytest.mark.parametrize(
    ("path", "method"),
    [("/v1/messages/batches", "POST"), ("/v1/messages/batches/1", "GET"), ("/v1/responses/resp_1", "GET")],
)
async def test_other_operations_are_not_translated(stand: Stand, path: str, method: str) -> None:
    async with connect("h1", stand.port) as client:
        headers = [JSON, ("x-api-key", stand.key("plain-google"))]
        reply = await client.ask(method, path, headers, b"{}" if method == "POST" else b"")
        assert b"cannot be translated" in await reply.rest()
    assert reply.status == 501


async def test_hooks_see_what_the_provider_gets() -> None:
    """Outbound hooks come after the translation, inbound ones before."""
    async with Upstream(json(200, WHOLE["openai"])) as upstream:
        signature = "You generate Conventional Commit messages"
        hooks = {
            "inbound": ["inject_auth", "extract_session_id"],
            "outbound": [{"hook": "commitbee_compat", "params": {"signature": signature, "instruction": "Bare JSON!"}}],
        }
        provider = {"type": "openai", "base_url": upstream.origin}
        with Daemon({"providers": {"up": provider}, "hooks": hooks}) as daemon:
            async with connect("h1", daemon.port) as client:
                path, asked = ask("anthropic", stream=False, system=signature, metadata={"user_id": "u_session_s77"})
                reply = await client.post(path, asked, key="sk-ant-oat-ccproxy-up", headers=marked("hooked"))
                assert text_of("anthropic", await reply.rest()) == TEXT
            assert (await stored(daemon, "hooked")).session_id == "s77"
        messages = upstream.requests[0].json()["messages"]
        assert messages[0]["content"] == f"{signature}\n\nBare JSON!"


async def test_a_large_body_is_not_streamed_past_the_translation() -> None:
    pad = "x" * 300_000
    async with Upstream(json(200, WHOLE["openai"])) as upstream:
        config = {
            "providers": {"up": {"type": "openai", "base_url": upstream.origin}},
            "inspector": {"mitmproxy": {"stream_large_bodies": "100k"}},
        }
        with Daemon(config) as daemon:
            async with connect("h1", daemon.port) as client:
                path, asked = ask("anthropic", stream=False, system=pad)
                reply = await client.post(path, asked, key="sk-ant-oat-ccproxy-up", headers=marked("large"))
                assert text_of("anthropic", await reply.rest()) == TEXT
            hooks = [hook.name for hook in (await stored(daemon, "large")).hooks]
        assert upstream.requests[0].json()["messages"][0]["content"] == pad
        assert hooks.count("inject_auth") == 1


async def test_a_chunked_upload_is_translated(stand: Stand) -> None:
    path, asked = ask("anthropic", stream=False)
    async with stand.upstream("plain", json(200, WHOLE["google"])), connect("h1", stand.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {stand.key('plain-google')}\r\n".encode()
            + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for piece in (asked[:9], asked[9:], b""):
            await client.send_raw(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert text_of("anthropic", await (await client.answer()).rest()) == TEXT


@pytest.mark.parametrize("client_dialect", ["anthropic", "openai_responses"])
async def test_foreign_thoughts_do_not_reach_the_clients_own_format(stand: Stand, client_dialect: str) -> None:
    kept = {"type": "text", "text": "b"}
    if client_dialect == "anthropic":
        thought = {"type": "thinking", "thinking": "a", "signature": FOREIGN}
        turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [thought, kept]}]
        path, body, expected = (
            "/v1/messages",
            {"model": "m", "messages": turns},
            {"role": "assistant", "content": [kept]},
        )
    else:
        thought = {"type": "reasoning", "summary": [], "encrypted_content": FOREIGN}
        expected = {"role": "user", "content": "hi"}
        path, body = "/v1/responses", {"model": "m", "input": [thought, expected]}
    mark = f"foreign-{client_dialect}"
    async with stand.upstream("plain", json(200, {})) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, dump(body), key=stand.key(f"plain-{client_dialect}"), headers=marked(mark))
        assert reply.status == 200
    (request,) = upstream.requests
    assert FOREIGN.encode() not in request.body
    assert (request.json().get("messages") or request.json()["input"])[-1] == expected
    record = await stand.flow(mark)
    assert record.warnings == ["thoughts of another provider were left out: this one would refuse them"]
