"""The doors beside the proxy's own: MCP, sidecar, web UI, control socket, and what each takes (threats 5, 6, 7, 19)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.listener.client import H1Client, bounded, connect, head
from tests.listener.stand import Stand
from tests.security.residue import MCP
from tests.security.test_arrival import nobody
from tests.support.need import need_tool

TOOLS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).encode()
AGENT = [*MCP.items()]
OWN = "localhost:{port}"


def ask_as_nobody(url: str, *more: str) -> tuple[int, str]:
    """Status and body of what another account of this machine is answered; 0 if it could not even connect."""
    curl = [need_tool("curl"), "-sS", "-m", "10", "-w", "\n%{http_code}", *more, url]
    done = subprocess.run([*nobody(), *curl], capture_output=True, text=True, timeout=20, check=False, env={})
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body or done.stderr


def flags(headers: list[tuple[str, str]]) -> list[str]:
    return [flag for name, value in headers for flag in ("-H", f"{name}: {value}")]


# ---- other users of this machine ----


async def test_another_user_does_not_read_flows_by_mcp(stand: Stand) -> None:
    url = f"http://127.0.0.1:{stand.daemon.mcp_port}/mcp"
    status, body = ask_as_nobody(url, *flags(AGENT), "-d", TOOLS.decode())
    assert status == 403, body
    assert "list_flows" not in body
    status, body = ask_as_nobody(f"http://127.0.0.1:{stand.port}/mcp", *flags(AGENT), "-d", TOOLS.decode())
    assert status == 403, body
    assert "list_flows" not in body
    async with connect("h1", stand.daemon.mcp_port) as client:
        reply = await client.ask("POST", "/mcp", AGENT, TOOLS)
        assert b"list_flows" in await reply.rest()


def test_another_user_with_a_stolen_token_is_not_served_by_the_sidecar(stand: Stand) -> None:
    token = stand.daemon.instance.sidecar_token_path.read_text()
    contract = [("x-ccproxy-target-url", "https://localhost/"), ("x-ccproxy-impersonate", "chrome131")]
    contract.append(("x-ccproxy-token", token))
    status, body = ask_as_nobody(f"http://127.0.0.1:{stand.daemon.sidecar_port}/", *flags(contract))
    assert status == 403
    assert "own user" in body


@pytest.mark.parametrize("contract", [[], [("x-ccproxy-token", "")], [("x-ccproxy-token", "a" * 64)]])
async def test_the_sidecar_wants_the_listeners_token(stand: Stand, contract: list[tuple[str, str]]) -> None:
    contract = [("x-ccproxy-target-url", stand.origin("tls")), ("x-ccproxy-impersonate", "chrome131"), *contract]
    async with connect("h1", stand.daemon.sidecar_port) as client:
        reply = await client.ask("GET", "/", contract)
        assert reply.status == 403
        assert b"x-ccproxy-token" in await reply.rest()


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/", "http://127.0.0.1:1/", "https://evil.example/", "http://localhost@evil.example/", "file:///etc/passwd"],
)  # fmt: skip
async def test_the_sidecar_goes_only_where_the_configuration_says(stand: Stand, target: str) -> None:
    token = stand.daemon.instance.sidecar_token_path.read_text()
    contract = [("x-ccproxy-target-url", target), ("x-ccproxy-impersonate", "chrome131"), ("x-ccproxy-token", token)]
    async with connect("h1", stand.daemon.sidecar_port) as client:
        assert (await client.ask("GET", "/", contract)).status in (400, 403)


def test_another_user_does_not_see_the_web_ui(stand: Stand) -> None:
    for path in ("/flows", "/flows?token=guess", "/options"):
        status, body = ask_as_nobody(f"http://127.0.0.1:{stand.daemon.web_port}{path}")
        assert status == 403, body


@pytest.fixture
def opened(stand: Stand) -> Iterator[Path]:
    """The control socket, as it would be if the modes of its folders let everybody through."""
    socket = stand.daemon.instance.control_path
    changed = {path: path.stat().st_mode for path in (stand.daemon.folder, *socket.parents[:2], socket)}
    yield socket
    for path, mode in changed.items():
        path.chmod(mode & 0o777)


def test_another_user_does_not_reach_the_control_socket(stand: Stand, opened: Path) -> None:
    ask = ("--unix-socket", str(opened))
    status, error = ask_as_nobody("http://control/status", *ask)
    assert status == 0, "the folder's mode keeps others out"
    for path in (stand.daemon.folder, *opened.parents[:2]):
        path.chmod(0o711)
    status, error = ask_as_nobody("http://control/status", *ask)
    assert status == 0, "the socket's mode does"
    opened.chmod(0o666)
    status, error = ask_as_nobody("http://control/status", *ask)
    assert status == 0, "the peer's user does"
    assert "Permission denied" not in error


# ---- pages, names, sizes ----


@pytest.mark.parametrize("path", ["/mcp", "/mcp/notify", "/v1/models", "/health"])
@pytest.mark.parametrize(
    "header", [("origin", "https://evil.example"), ("host", "evil.example"), ("sec-fetch-site", "cross-site")]
)
async def test_a_foreign_page_reaches_no_endpoint_of_the_listener(
    stand: Stand, path: str, header: tuple[str, str]
) -> None:
    async with connect("h1", stand.port) as client:
        if header[0] == "host":
            client.host = header[1]
        fields = [*AGENT, *([header] if header[0] != "host" else [])]
        reply = await client.ask("POST" if "mcp" in path else "GET", path, fields, TOOLS if "mcp" in path else b"")
        assert reply.status == 403
        assert b"list_flows" not in await reply.rest()


async def test_notify_keeps_nothing_while_it_is_not_built(stand: Stand) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.ask("POST", "/mcp/notify", AGENT, b'{"session_id": "s", "event": "run this"}')
        assert reply.status == 501


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_mcp_takes_json_only(stand: Stand, content_type: str) -> None:
    """Anything else a page may send without asking first."""
    async with connect("h1", stand.daemon.mcp_port) as client:
        fields = [(name, content_type if name == "content-type" else value) for name, value in AGENT]
        reply = await client.ask("POST", "/mcp", fields, TOOLS)
        assert reply.status in (400, 415)
        assert b"list_flows" not in await reply.rest()


@pytest.mark.parametrize("door", ["web", "mcp"])
@pytest.mark.parametrize(
    "hosts", [[], ["localhost:{port}", "localhost:{port}"], ["localhost:{port}", "evil.example"], ["a b"]]
)
async def test_a_doubled_or_malformed_host_is_refused_at_every_door(stand: Stand, door: str, hosts: list[str]) -> None:
    port, token = stand.web()
    port, path = (port, f"/flows?token={token}") if door == "web" else (stand.daemon.mcp_port, "/health")
    async with connect("h1", port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(head("GET", path, [("host", host.format(port=port)) for host in hosts]))
        assert (await client.answer()).status in (400, 403, 421)


async def announced(port: int, path: str, size: int, fields: list[tuple[str, str]]) -> int:
    """The status of the answer to a body of this size that is only announced; 0 if the connection was closed."""
    async with connect("h1", port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(head("POST", path, [("host", client.host), *fields, ("content-length", str(size))]))
        line = (await bounded(client.reader.readline())).split()
        return int(line[1]) if line else 0


async def chunked(port: int, path: str, size: int, fields: list[tuple[str, str]]) -> int:
    """The same for one that says no length, and is sent."""
    async with connect("h1", port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(head("POST", path, [("host", client.host), *fields, ("transfer-encoding", "chunked")]))
        try:
            for _ in range(size >> 20):
                await client.send_raw(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
            await client.send_raw(b"0\r\n\r\n")
            line = (await bounded(client.reader.readline())).split()
        except ConnectionError:
            return 0
        return int(line[1]) if line else 0


async def test_no_door_takes_a_body_without_end(stand: Stand) -> None:
    web, token = stand.web()
    bearer = [("authorization", f"Bearer {token}")]
    assert await announced(stand.daemon.mcp_port, "/mcp", 5 << 20, AGENT) == 413
    assert await chunked(stand.daemon.mcp_port, "/mcp", 5 << 20, AGENT) in (0, 413)
    assert await chunked(stand.port, "/mcp", 34 << 20, AGENT) == 413
    assert await chunked(stand.port, "/v1/messages", 34 << 20, AGENT) == 413
    assert await announced(web, "/flows/dump", 1 << 40, bearer) in (0, 400, 413)
    assert await chunked(web, "/flows/dump", 66 << 20, bearer) in (0, 400, 413)
    assert await announced(stand.daemon.sidecar_port, "/", 1 << 40, []) in (403, 413)
