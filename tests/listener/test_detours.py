"""What happens between the guard's word and the send: waiting, editing, other ports, streaming."""

from __future__ import annotations

import json as jsonlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.listener.client import connect
from tests.listener.stand import Stand, message
from tests.support.daemon import Daemon
from tests.support.need import need
from tests.support.upstream import Upstream, json

OK = json(200, {"type": "message"})


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port on which no further connection gets through."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for each in waiting:
            each.close()


def settings(origin: str, **more: object) -> dict[str, object]:
    auth = {"type": "env", "env": "REAL_KEY", "header": "x-api-key"}
    return {"providers": {"up": {"type": "anthropic", "base_url": origin, "auth": auth}}, **more}


KEY = "sk-ant-oat-ccproxy-up"
REAL = {"REAL_KEY": "real-key-0001"}


async def test_provider_timeout_covers_the_connect() -> None:
    with (
        full_backlog() as port,
        Daemon(settings(f"http://127.0.0.1:{port}", provider_timeout=1), environ=REAL) as daemon,
    ):
        async with connect("h1", daemon.port) as client:
            reply = await client.post("/v1/messages", message(), key=KEY)
            assert reply.status == 504
            assert "within 1 s" in (await reply.json())["error"]["message"]


async def test_an_edit_in_the_web_ui_does_not_go_round_the_guard() -> None:
    async with Upstream(OK) as right, Upstream(OK) as wrong:
        with Daemon(settings(right.origin), environ=REAL) as daemon:
            async with connect("h1", daemon.port) as client, Ui(daemon) as ui:
                await ui.ask("PUT", "/options", {"intercept": "~q", "intercept_active": True})
                head = [("content-type", "application/json"), ("x-api-key", KEY)]
                await client.send("POST", "/v1/messages", head, message())
                flow = await ui.intercepted()
                await ui.ask("PUT", f"/flows/{flow}", {"request": {"port": wrong.port}})
                await ui.ask("POST", f"/flows/{flow}/resume", {})
                reply = await client.answer()
                assert reply.status == 403
                assert b"readdressed" in await reply.rest()
        assert not right.requests
        assert not wrong.requests


class Ui:
    """The web UI's API."""

    def __init__(self, daemon: Daemon) -> None:
        self.port = daemon.web_port
        self.token = (daemon.instance.runtime_dir / "listener" / "web-token").read_text()

    async def __aenter__(self) -> Ui:
        self.context = connect("h1", self.port)
        self.client = await self.context.__aenter__()
        self.client.host = f"127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.context.__aexit__(None, None, None)

    async def ask(self, method: str, path: str, data: object = None) -> object:
        headers = [("authorization", f"Bearer {self.token}"), ("content-type", "application/json")]
        name = f"mitmproxy-xsrf-{self.port}"
        headers += [("cookie", f"{name}=a; _mitmproxy_xsrf=a; _xsrf=a"), ("x-xsrftoken", "a")]
        body = b"" if data is None else jsonlib.dumps(data).encode()
        reply = await self.client.ask(method, path, headers, body)
        text = await reply.rest()
        assert reply.status < 300, (path, reply.status, text)
        return jsonlib.loads(text) if text.startswith((b"[", b"{")) else None

    async def intercepted(self) -> str:
        for _ in range(400):
            flows = await self.ask("GET", "/flows")
            assert isinstance(flows, list)
            if held := [flow["id"] for flow in flows if flow["intercepted"]]:
                return str(held[0])
        raise AssertionError("nothing was intercepted")


async def test_the_credential_replaces_the_clients_own_query_parameter() -> None:
    async with Upstream(OK) as upstream:
        auth = {"type": "env", "env": "REAL_KEY", "query_param": "key"}
        config = {"providers": {"up": {"type": "google", "base_url": upstream.origin, "auth": auth}}}
        with Daemon(config, environ=REAL) as daemon:
            async with connect("h1", daemon.port) as client:
                path = "/v1beta/models/m:generateContent?alt=json&k%65y=mine"
                await (await client.post(path, b"{}", key=KEY)).rest()
        query = parse_qsl(urlsplit(upstream.requests[0].path).query)
        assert query == [("alt", "json"), ("key", "real-key-0001")]


async def test_a_large_body_is_streamed_through_only_once_it_was_judged() -> None:
    large = b'{"a":"' + b"x" * 300_000 + b'"}'
    async with Upstream(OK) as upstream:
        config = settings(upstream.origin, inspector={"mitmproxy": {"stream_large_bodies": "100k"}})
        with Daemon(config, environ=REAL) as daemon:
            async with connect("h1", daemon.port) as client:
                assert (await client.post("/v1/messages", large, key=KEY)).status == 200
            async with connect("h1", daemon.port) as client:  # no length: it is collected first
                head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\n"
                head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
                client.writer.write(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large))
                assert (await client.answer()).status == 200
        assert [request.body for request in upstream.requests] == [large, large]
        assert {request.header("x-api-key") for request in upstream.requests} == {"real-key-0001"}


async def test_a_builtin_page_stays_ours_whatever_key_comes_along(stand: Stand) -> None:
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        for method, path in (("GET", "/health"), ("GET", "/"), ("HEAD", "/")):
            reply = await client.ask(method, path, [("x-api-key", stand.key("plain"))])
            assert reply.status == 200
            if method == "GET":
                await reply.rest()
        assert not upstream.requests


HOLDER = """
import os, socket, sys
os.setuid(65534)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("held", flush=True)
connection, _ = listening.accept()
connection.settimeout(5)
try: print("got", connection.recv(4096), flush=True)
except OSError: print("got nothing", flush=True)
"""


@pytest.mark.parametrize("held", [True, False])
async def test_nothing_goes_to_somebody_else_on_the_sidecars_port(held: bool) -> None:
    """The sidecar is given credentials, so who holds its port must be us."""
    need(os.geteuid() == 0, "acting as another user takes root")
    auth = {"type": "env", "env": "REAL_KEY", "header": "x-api-key"}
    up = {"type": "anthropic", "host": "api.example", "auth": auth, "fingerprint_profile": "chrome131"}
    daemon = Daemon({"providers": {"up": up}}, environ=REAL, via="systemd-socket-activate")
    daemon.skipped_units = ("sidecar",) if held else ()
    with daemon:
        if not held:
            async with connect("h1", daemon.port) as client:
                said = await (await client.post("/v1/messages", message(), key=KEY)).rest()
                assert b"somebody" not in said
            return
        command = [sys.executable, "-c", HOLDER, str(daemon.sidecar_port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            try:
                assert other.stdout.readline() == "held\n"
                async with connect("h1", daemon.port) as client:
                    reply = await client.post("/v1/messages", message(), key=KEY)
                    assert reply.status == 403
                    assert b"should be a process of ccproxy's own" in await reply.rest()
                assert "real-key" not in other.stdout.readline()
            finally:
                other.kill()
