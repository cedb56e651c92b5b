"""The MCP server over real HTTP, with the official client."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time

import pytest
from mcp.shared.exceptions import MCPError

from ccproxy.errors import CredentialError
from ccproxy.flows.record import Message
from ccproxy.mcp.app import BODY_CHARACTERS
from tests.flows.records import SENTINEL, body, record
from tests.mcp.support import HEADERS, config_with, running, structured
from tests.support.need import need, need_linux, need_tool
from tests.support.unprivileged import NOBODY

TOKEN = "canary-mcp-token-7c1d"


async def test_the_tools_are_listed(tmp_path):
    async with running(tmp_path) as server, server.client() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert set(tools) == {"list_flows", "get_flow"}
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools.values())
    assert set(tools["list_flows"].input_schema["properties"]) == {"jq_filter", "limit"}
    assert tools["get_flow"].input_schema["required"] == ["flow_id"]


async def test_flows_are_listed_and_shown(tmp_path):
    async with running(tmp_path) as server, server.client() as client:
        assert structured(await client.call_tool("list_flows", {})) == [], "a store that is not there is empty"
        ids = server.record(*(record(f"question {n}", created_at=time.time() - 9 + n, model=f"m{n}") for n in range(4)))

        flows = structured(await client.call_tool("list_flows", {}))
        assert [flow["id"] for flow in flows] == ids
        assert flows[0]["provider"] == "deepseek"
        assert [f["id"] for f in structured(await client.call_tool("list_flows", {"limit": 2}))] == ids[2:]

        flow = structured(await client.call_tool("get_flow", {"flow_id": ids[1][:8]}))
        assert json.loads(flow["request"]["body"]["text"])["messages"][0]["content"] == "question 1"
        assert flow["forwarded"]["url"] == "https://api.deepseek.com/anthropic/v1/messages?beta=true"
        assert flow["response"]["status"] == 200
        assert flow["hooks"][0]["name"] == "inject_auth"
        assert flow["usage"]["input"] == 12
        assert ["x-api-key", SENTINEL] in flow["request"]["headers"]


async def test_jq(tmp_path):
    need_tool("jq")
    async with running(tmp_path) as server, server.client() as client:
        ids = server.record(*(record(created_at=time.time() - 9 + n, model=f"m{n % 2}") for n in range(4)))

        def ask(one: str):
            return client.call_tool("list_flows", {"jq_filter": one, "limit": 1})

        assert [flow["id"] for flow in structured(await ask('map(select(.model == "m0"))'))] == [ids[2]]
        assert structured(await ask("map(.model)")) == ["m1"]
        assert structured(await ask("[env, $ENV]")) == [{}]
        for wrong in ("map(", ".[]", 'import "x" as $x; .'):
            answer = await ask(wrong)
            assert answer.is_error
            assert "jq" in answer.content[0].text


async def test_errors_are_told_to_the_model(tmp_path):
    async with running(tmp_path) as server, server.client() as client:
        missing = await client.call_tool("get_flow", {"flow_id": "nope"})
        assert missing.is_error
        assert "no flow begins with 'nope'" in missing.content[0].text
        server.instance.store_path.parent.mkdir(parents=True)
        server.instance.store_path.write_bytes(b"garbage" * 1000)
        damaged = await client.call_tool("list_flows", {})
        assert damaged.is_error
        assert "move the file away" in damaged.content[0].text
        assert (await client.call_tool("list_flows", {"limit": 0})).is_error


async def test_long_bodies_are_shortened(tmp_path):
    async with running(tmp_path) as server, server.client() as client:
        (flow_id,) = server.record(record(response=Message((), body(b"x" * (BODY_CHARACTERS + 1)), status=200)))
        flow = structured(await client.call_tool("get_flow", {"flow_id": flow_id}))

    assert len(flow["response"]["body"]["text"]) == BODY_CHARACTERS
    assert "shortened" in flow["response"]["body"]


async def test_a_slow_filter_does_not_hold_up_others(tmp_path):
    need_tool("jq")
    async with running(tmp_path) as server, server.client() as client:
        slow = asyncio.create_task(
            client.call_tool("list_flows", {"jq_filter": "[limit(1; range(1e18) | select(. < 0))]"})
        )
        await asyncio.sleep(0)
        began = time.monotonic()
        async with server.client() as other:
            structured(await other.call_tool("list_flows", {}))
        assert not slow.done()
        assert time.monotonic() - began < 3
        assert "longer than" in (await slow).content[0].text


async def test_stateless_requests_need_no_session(tmp_path):
    async with running(tmp_path) as server:
        answer = await server.post()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.json()["result"]["tools"]) == 2


async def test_health(tmp_path):
    async with running(tmp_path, config_with(auth=TOKEN)) as server:
        answer = await server.http.get(server.url.replace("/mcp", "/health"))

    assert (answer.status_code, answer.text) == (200, "ok")


async def test_a_token_is_asked_for(tmp_path):
    async with running(tmp_path, config_with(auth=TOKEN)) as server:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answer = await server.post(headers)
            assert answer.status_code == 401
            assert answer.json() == {"error": "invalid_token", "error_description": "Authentication required"}
        async with server.client({"authorization": f"Bearer {TOKEN}"}) as client:
            assert len((await client.list_tools()).tools) == 2
        with pytest.raises((MCPError, ExceptionGroup)):
            async with server.client({"authorization": "Bearer wrong"}) as client:
                await client.list_tools()


async def test_foreign_pages_and_names_stay_out(tmp_path):
    async with running(tmp_path) as server:
        assert (await server.post({"origin": "https://evil.example"})).status_code == 403
        assert (await server.post({"host": "evil.example"})).status_code == 421
        assert (await server.post({"origin": "http://localhost:6274"})).status_code == 200
        health = await server.http.get(server.url.replace("/mcp", "/health"), headers={"host": "evil.example"})
        assert health.status_code == 421


async def test_host_tricks(tmp_path):
    async with running(tmp_path) as server:
        port = server.port
        for lines, status in {
            (f"GET /health HTTP/1.1\nHost: 127.0.0.1:{port}"): "200",
            (f"GET /health HTTP/1.1\nHost: 127.0.0.1:{port}\nHost: evil.example"): "400",
            ("GET /health HTTP/1.1\nHost: 127.0.0.1:4030@evil.example"): "400",
            ("GET /health HTTP/1.1\nHost: evil.example/health?"): "400",
            ("GET /health HTTP/1.1"): "400",
            ("GET /health HTTP/1.0"): "400",
            (f"GET http://evil.example/health HTTP/1.1\nHost: 127.0.0.1:{port}"): "404",
        }.items():
            assert (await server.raw(*lines.split("\n"), "Connection: close")).split()[1] == status, lines


async def test_other_bodies_than_json_are_refused(tmp_path):
    async with running(tmp_path) as server:
        answer = await server.http.post(server.url, content=b"{}", headers=HEADERS | {"content-type": "text/plain"})

    assert answer.status_code == 400


async def test_a_body_above_4_mib_is_refused(tmp_path):
    async with running(tmp_path) as server:
        answer = await server.http.post(server.url, content=b" " * (4 * 1024 * 1024 + 1), headers=HEADERS)
        assert answer.status_code == 413

        async def endless():
            for _ in range(80):
                yield b" " * 65536

        assert (await server.http.post(server.url, content=endless(), headers=HEADERS)).status_code == 413
        assert (await server.post()).status_code == 200


async def test_reload(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    async with running(tmp_path) as server:
        assert (await server.post()).status_code == 200
        assert await server.reload(config_with(auth=TOKEN)) == ()
        assert (await server.post()).status_code == 401
        assert (await server.post({"authorization": f"Bearer {TOKEN}"})).status_code == 200

        problems = await server.reload(config_with(auth={"type": "env", "env": "NO_SUCH_TOKEN"}))
        assert any("mcp.http.auth" in problem for problem in problems)
        assert (await server.post({"authorization": f"Bearer {TOKEN}"})).status_code == 200, "the old one stays"

        assert await server.reload(config_with(top_allowed_hosts=["box.lan"])) == ()
        assert (await server.post({"host": "box.lan"})).status_code == 200
        assert await server.reload(config_with(enabled=False)) == ()
        assert (await server.post()).status_code == 503


async def test_a_token_that_cannot_be_had_lets_nobody_in(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)

    with pytest.raises(CredentialError, match=r"mcp\.http\.auth"):
        async with running(tmp_path, config_with(auth={"type": "env", "env": "NO_SUCH_TOKEN"})):
            pass


async def test_another_user_of_this_machine_stays_out(tmp_path):
    need_linux()
    need(os.geteuid() == 0, "this test becomes another user, and only root can")
    async with running(tmp_path) as server:
        request = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        for uid, status in ((NOBODY, b"403"), (0, b"200")):
            os.seteuid(uid)  # a socket belongs to whom its maker is at that moment
            try:
                connection = socket.socket()
                connection.connect(("127.0.0.1", server.port))
            finally:
                os.seteuid(0)
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(request)
            assert (await asyncio.wait_for(reader.readline(), 10)).split()[1] == status
            writer.close()
