"""Who may ask: web pages, rebound names, other users, forged internal headers (threats 6, 7, 8, 19)."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.listener.client import connect
from tests.listener.stand import Stand, message
from tests.security.conftest import TOKEN
from tests.support.need import need, need_tool
from tests.support.upstream import Upstream
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})
PATHS = {
    "/v1/messages": lambda body: body["error"]["type"] == "permission_error",
    "/v1/chat/completions": lambda body: body["error"]["code"] == "permission_denied",
    "/v1/responses": lambda body: body["error"]["code"] == "permission_denied",
    "/v1beta/models/m:generateContent": lambda body: body["error"]["status"] == "PERMISSION_DENIED",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
async def test_a_foreign_page_is_refused_in_the_clients_own_format(stand: Stand, path: str, origin: str) -> None:
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        reply = await client.post(path, message(), key=stand.key("plain"), headers=[("origin", origin)])
        body = await reply.json()
        assert reply.status == 403
        assert PATHS[path](body), body
        assert not upstream.requests


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:4000", "https://a.corp.example"])
async def test_a_local_or_allowed_page_may_ask(stand: Stand, origin: str) -> None:
    async with stand.upstream("plain", OK), connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"), headers=[("origin", origin)])
        assert reply.status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:4000", 403),
        ("127.0.0.1.evil.example", 403),
        ("corp.example.evil", 403),
        ("localhost", 200),
        ("[::1]:4000", 200),
        ("a.corp.example", 200),
        ("127.0.0.1@evil.example", 400),
        ("a b", 400),
        ("localhost:99999", 400),
        ("", 400),
    ],
)
async def test_a_rebound_or_malformed_host_is_refused(stand: Stand, host: str, status: int) -> None:
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        client.host = host
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
        assert reply.status == status
        assert len(upstream.requests) == (1 if status == 200 else 0)


async def raw(stand: Stand, text: bytes) -> bytes:
    """What the listener answers to these bytes, until it closes or a moment has passed without more."""
    async with connect("h1", stand.port) as client:
        client.writer.write(text)
        await client.writer.drain()
        client.writer.write_eof()
        return await client.closed()


HEAD = "Host: 127.0.0.1\r\nContent-Type: application/json\r\nx-api-key: {key}\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        "POST /v1/messages HTTP/1.1\r\n{head}Host: evil.example\r\nContent-Length: 2\r\n\r\n{{}}",
        "POST http://evil.example/v1/messages HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}",
        "POST /v1/messages HTTP/1.1\r\n{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        "POST /smuggled HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}",
        "POST /v1/messages HTTP/1.1\r\n{head}Content-Length: 2\r\nContent-Length: 60\r\n\r\n{{}}",
        "POST /v1/messages HTTP/1.1\r\n{head}Content-Length: +2\r\n\r\n{{}}",
        "POST /v1/messages HTTP/1.1\r\n{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\n{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\n{head}X-Long: a\r\n folded: b\r\nContent-Length: 2\r\n\r\n{{}}",
        "POST /v1/messages HTTP/1.1\r\n{head}X-Nul: a\0b\r\nContent-Length: 2\r\n\r\n{{}}",
    ],
)
async def test_ambiguous_requests_never_reach_an_upstream(stand: Stand, lines: str) -> None:
    text = lines.format(head=HEAD.format(key=stand.key("plain")))
    async with stand.upstream("plain", OK) as upstream:
        answer = await raw(stand, text.encode("latin-1"))
        assert answer.startswith(b"HTTP/1.1 400") or not answer, answer[:200]
        assert not [r for r in upstream.requests if r.path == "/smuggled" or r.header("x-long") or r.header("x-nul")]
        assert not upstream.requests


async def test_a_sentinel_in_the_query_needs_a_json_body(stand: Stand) -> None:
    path = f"/v1beta/models/m:generateContent?key={stand.key('plain-google')}"
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        refused = await client.ask("POST", path, [("content-type", "text/plain")], b"{}")
        assert refused.status == 403
        await refused.rest()
        assert not upstream.requests
        taken = await client.ask("POST", path, [("content-type", "application/json")], b"{}")
        assert taken.status == 200
        seen = await upstream.wait_requests()
        assert "key=" not in seen.path
        assert seen.header("x-api-key") == "real-plain-google-1"


async def test_internal_headers_of_a_client_do_not_leave(stand: Stand) -> None:
    forged = [("x-ccproxy-token", "a"), ("X-CCProxy-Target-Url", "http://evil.example/"), ("x_ccproxy_hop", "b")]
    hooks = [("x-ccproxy-hooks", "-verbose_mode")]
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        await (await client.post("/v1/messages", message(), key=stand.key("plain"), headers=forged + hooks)).rest()
        seen = await upstream.wait_requests()
        assert not [name for name, _ in seen.headers if name.lower().replace("_", "-").startswith("x-ccproxy")]


@pytest.mark.parametrize("door", ["web", "mcp"])
@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_the_other_doors_refuse_foreign_pages(stand: Stand, door: str, header: dict[str, str]) -> None:
    port, token = stand.web()
    if door == "mcp":
        port = stand.daemon.mcp_port
    async with connect("h1", port) as client:
        client.host = header.get("Host", f"127.0.0.1:{port}")
        origin = [("origin", header["Origin"])] if "Origin" in header else []
        path = f"/flows?token={token}" if door == "web" else "/mcp"
        reply = await client.ask("GET", path, origin)
        assert reply.status in (403, 421)


async def test_the_web_ui_wants_its_token(stand: Stand) -> None:
    port, token = stand.web()
    async with connect("h1", port) as client:
        client.host = f"127.0.0.1:{port}"
        assert (await client.ask("GET", "/flows")).status == 403
    async with connect("h1", port) as client:
        client.host = f"127.0.0.1:{port}"
        assert (await client.ask("GET", f"/flows?token={token}")).status == 200


def nobody() -> list[str]:
    """What runs the command behind it as another account of this machine."""
    need(os.geteuid() == 0, "acting as another user takes root")
    return [need_tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]


def as_nobody(stand: Stand, key: str) -> tuple[int, str]:
    """Status and body of a request from another account of this machine."""
    command = [*nobody(), need_tool("curl"), "-sS", "-m", "10"]
    command += ["-w", "\n%{http_code}", "-H", "content-type: application/json", "-H", f"x-api-key: {key}"]
    command += ["-d", message().decode(), f"http://127.0.0.1:{stand.port}/v1/messages"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env={})
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_another_user_cannot_spend_the_credential(stand: Stand) -> None:
    with Upstream.in_thread(OK, **stand.upstream_options("plain")) as upstream:
        status, body = as_nobody(stand, stand.key("plain"))
        assert status == 403
        assert json.loads(body)["error"]["type"] == "permission_error"
        assert "listener_token" in body
        status, _ = as_nobody(stand, f"{stand.key('plain')}.wrong-token")
        assert status == 403
        assert not upstream.requests


def test_another_user_with_the_listeners_token_is_let_in(stand: Stand) -> None:
    with Upstream.in_thread(OK, **stand.upstream_options("plain")) as upstream:
        status, _ = as_nobody(stand, f"{stand.key('plain')}.{TOKEN}")
        assert status == 200
        assert TOKEN not in repr(upstream.requests)


def test_files_and_sockets_are_the_users_own(stand: Stand) -> None:
    instance = stand.daemon.instance
    for folder in (instance.state_dir, instance.runtime_dir, instance.data_dir):
        assert folder.stat().st_mode & 0o077 == 0, folder
    private = [instance.control_path, instance.sidecar_token_path, instance.store_path]
    private += [instance.data_dir / "mitmproxy-ca.pem"]
    for file in private:
        assert file.stat().st_mode & 0o077 == 0, file
