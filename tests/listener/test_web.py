"""The web UI: where it is, who may see it, and how much of the past it shows."""

from __future__ import annotations

import json as jsonlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.listener.client import Pairs, Reply, connect
from tests.listener.stand import Stand, message
from tests.support.daemon import Daemon
from tests.support.need import need_linux
from tests.support.upstream import json, script, silence

PASSWORD = "a-password-of-mine"
BROWSER = """#!/bin/sh
printf '%s' "$1" > "$0.opened"
"""
IGNORED, ALLOWED = r"^pinned\.example:443$", r"^opened\.example:443$"


class Shown(Stand):
    """A daemon with a web UI of its own making: another address, a chosen password, a browser, little memory."""

    def __init__(self, folder: Path) -> None:
        options = {
            "web_host": "127.0.0.2",
            "web_password": PASSWORD,
            "web_open_browser": True,
            "ignore_hosts": [IGNORED],
            "allow_hosts": [ALLOWED],
        }
        super().__init__(folder, inspector={"mitmproxy": options}, limits={"web_view_bytes": 400_000})
        self.browser = folder / "bin" / "wslview"
        self.browser.parent.mkdir()
        self.browser.write_text(BROWSER)
        self.browser.chmod(0o755)
        self.daemon.env["PATH"] = f"{self.browser.parent}{os.pathsep}{self.daemon.env['PATH']}"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    need_linux()  # elsewhere 127.0.0.2 is no address
    shown = Shown(tmp_path_factory.mktemp("shown"))
    with shown.daemon:
        yield shown
        shown.wait_until_idle()


async def get(daemon: Daemon, path: str, headers: Pairs = (), *, address: str = "127.0.0.1", host: str = "") -> Reply:
    async with connect("h1", daemon.web_port, address) as client:
        client.host = host or f"{address}:{daemon.web_port}"
        reply = await client.ask("GET", path, headers)
        await reply.rest()
        return reply


def bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


async def test_the_web_ui_is_on_its_port_with_its_password(stand: Stand, shown: Shown) -> None:
    _, token = stand.web()
    for daemon, address, password in ((stand.daemon, "127.0.0.1", token), (shown.daemon, "127.0.0.2", PASSWORD)):
        for path in ("/", "/flows", "/options"):
            for wrong in ([], bearer("wrong"), bearer("")):
                assert (await get(daemon, path, wrong, address=address)).status == 403
            reply = await get(daemon, path, bearer(password), address=address)
            assert (reply.status, bool(reply.body)) == (200, True)
        by_query = await get(daemon, f"/flows?token={password}", address=address)
        assert by_query.status == 200
    assert len(token) >= 32


async def test_the_web_ui_is_on_its_host(stand: Stand, shown: Shown) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", shown.daemon.web_port), timeout=5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", stand.daemon.web_port), timeout=5)


async def test_only_its_own_pages_may_ask(stand: Stand) -> None:
    port, token = stand.web()
    ours = bearer(token)
    assert (await get(stand.daemon, "/flows", ours, host=f"localhost:{port}")).status == 200
    assert (await get(stand.daemon, "/flows", ours, host=f"rebound.example:{port}")).status == 403
    assert (await get(stand.daemon, "/flows", [*ours, ("host", "x")])).status in (400, 403)
    assert (await get(stand.daemon, "/flows", [*ours, ("origin", f"http://127.0.0.1:{port}")])).status == 200
    for foreign in ("https://evil.example", "null", f"http://evil.example:{port}"):
        assert (await get(stand.daemon, "/flows", [*ours, ("origin", foreign)])).status == 403


async def listed(stand: Stand) -> list[dict[str, Any]]:
    """The flows that the web UI of ``stand`` lists."""
    _, token = stand.web()
    flows: list[dict[str, Any]] = jsonlib.loads((await get(stand.daemon, "/flows", bearer(token))).body)
    return flows


async def test_a_request_is_listed_while_it_runs_and_with_its_answer(stand: Stand) -> None:
    answer = script(json(200, {"answer": 1}), silence())
    async with stand.upstream("plain", answer) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages?mark=listed", message(), key=stand.key("plain"))
        await reply.rest()
        await client.submit("/v1/messages?mark=running", message(), key=stand.key("plain"))
        await upstream.wait_requests(2)
        flows = {flow["request"]["path"]: flow for flow in await listed(stand)}
        ended, running = flows["/v1/messages?mark=listed"], flows["/v1/messages?mark=running"]
        assert (ended["response"]["status_code"], ended["request"]["host"]) == (200, "127.0.0.1")
        assert not running.get("response")
        _, token = stand.web()
        for part, content in (("request", message()), ("response", b'{"answer": 1}')):
            path = f"/flows/{ended['id']}/{part}/content.data"
            assert (await get(stand.daemon, path, bearer(token))).body == content
        text = jsonlib.dumps(list(flows.values()))
    assert "real-plain-1" not in text
    assert upstream.requests[0].header("x-api-key") == "real-plain-1"


async def test_the_web_view_is_bounded_by_bytes(shown: Shown) -> None:
    count = 40
    async with shown.upstream("plain", json(200, {"filler": "a" * 20_000})), connect("h1", shown.port) as client:
        for number in range(count):
            reply = await client.post(f"/v1/messages?n={number}", message(), key=shown.key("plain"))
            await reply.rest()
    reply = await get(shown.daemon, "/flows", bearer(PASSWORD), address="127.0.0.2")
    paths = [flow["request"]["path"] for flow in jsonlib.loads(reply.body)]
    assert paths[-1] == f"/v1/messages?n={count - 1}", "the newest stays"
    assert 2 <= len(paths) <= 20


async def options(stand: Stand) -> Any:
    reply = await get(stand.daemon, "/options", bearer(PASSWORD), address="127.0.0.2")
    return {name: option["value"] for name, option in jsonlib.loads(reply.body).items()}


async def test_ignored_hosts_are_not_opened(shown: Shown) -> None:
    """They act on the traffic of jails; here only that mitmproxy knows them, and leaves the reverse proxy alone."""
    (pattern,) = (await options(shown))["ignore_hosts"]
    assert IGNORED in pattern
    await is_served(shown)


async def test_only_allowed_hosts_are_opened(shown: Shown) -> None:
    assert ALLOWED in (await options(shown))["allow_hosts"]
    await is_served(shown)


async def is_served(shown: Shown) -> None:
    """A request to the reverse proxy is, by whatever name."""
    async with connect("h1", shown.port) as client:
        for host in (f"127.0.0.1:{shown.port}", "localhost", "localhost:443"):
            client.host = host
            reply = await client.post("/v1/messages", message(), key=shown.key("echo"))
            assert (reply.status, b"hi" in await reply.rest()) == (200, True)


async def test_connections_are_not_ended_while_a_provider_thinks(shown: Shown) -> None:
    assert (await options(shown))["tcp_timeout"] >= 24 * 3600


async def test_web_open_browser(stand: Stand, shown: Shown) -> None:
    opened = shown.browser.with_name("wslview.opened").read_text()
    assert opened.startswith(f"http://127.0.0.2:{shown.daemon.web_port}/")
    assert PASSWORD not in opened, "a browser's arguments are seen by every user of the machine"
