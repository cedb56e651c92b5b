"""What the web UI's owner, or somebody with its token, can make of a request: never a credential (threats 1, 2, 9)."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ccproxy.auth.credentials import SECRETS_KEPT
from tests.listener.client import H1Client, bounded, connect
from tests.listener.stand import Site, Stand, message
from tests.security import residue
from tests.support.daemon import Daemon
from tests.support.upstream import Upstream
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})
XSRF = "00112233445566778899aabbccddeeff"


def ask(stand: Stand, method: str, path: str, content: Any = None, *, token: str | None = None) -> tuple[int, bytes]:
    """One call of the web UI's own API, as its page makes it."""
    port, own = stand.web()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    headers = {"authorization": f"Bearer {token or own}", "cookie": f"_mitmproxy_xsrf={XSRF}", "x-xsrftoken": XSRF}
    body = None if content is None else json.dumps(content).encode()
    try:
        connection.request(method, path, body, headers | {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@asynccontextmanager
async def stopped(stand: Stand, name: str) -> AsyncIterator[tuple[H1Client, str]]:
    """A request to this provider that the web UI holds before it is sent: its client, and its id."""
    assert ask(stand, "PUT", "/options", {"intercept": "~u held-back"})[0] == 200
    try:
        async with connect("h1", stand.port) as client:
            assert isinstance(client, H1Client)
            fields = [("content-type", "application/json"), ("x-api-key", stand.key(name))]
            await client.send("POST", "/v1/messages?held-back", fields, message())
            yield client, await bounded(held(stand))
    finally:
        ask(stand, "PUT", "/options", {"intercept": ""})
        ask(stand, "POST", "/flows/resume")
        ask(stand, "POST", "/clear")


async def held(stand: Stand) -> str:
    """Its id, once it is ready to be sent: until then its sentinel is there, and an edit would be overwritten."""
    while True:
        for flow in json.loads((await asyncio.to_thread(ask, stand, "GET", "/flows"))[1]):
            if flow["intercepted"] and "x-api-key" not in dict(flow["request"]["headers"]):
                return str(flow["id"])
        await asyncio.sleep(0.02)  # nothing tells when a flow is intercepted


@pytest.mark.parametrize("change", ["host", "port", "scheme"])
async def test_a_held_request_cannot_be_sent_elsewhere_with_its_credential(stand: Stand, change: str) -> None:
    """Elsewhere is a place that the configuration names, or the address alone would be refused."""
    wish = {"host": {"host": "localhost"}, "port": {"port": stand.ports["nobody"]}, "scheme": {"scheme": "https"}}[
        change
    ]
    elsewhere = Upstream(OK, port=stand.ports["nobody"])
    async with elsewhere, stand.upstream("plain", OK) as upstream, stopped(stand, "plain") as (client, id):
        status, said = await asyncio.to_thread(ask, stand, "PUT", f"/flows/{id}", {"request": wish})
        assert status == 200, said
        await asyncio.to_thread(ask, stand, "POST", f"/flows/{id}/resume")
        reply = await client.answer()
        assert reply.status in (401, 403)
        assert b"nothing was sent" in await reply.rest()
        assert not elsewhere.connections
        assert not upstream.connections


FIELDS = [["content-type", "application/json"], ["content-length", str(len(message()))]]
EDITS = {
    "another Host": {"headers": [["host", "evil.example"], *FIELDS]},
    "two Hosts": {"headers": [["host", "{host}"], ["host", "evil.example"], *FIELDS]},
    "a line break in a header": {"headers": [["host", "{host}"], ["x-a", "b\r\nx-smuggled: yes"], *FIELDS]},
    "a line break in the path": {"path": "/v1/messages HTTP/1.1\r\nx-smuggled: yes\r\nx:"},
    "a sentinel": {"headers": [["host", "{host}"], ["x-note", "sk-ant-oat-ccproxy-tls"], *FIELDS]},
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("site", ["plain", "h2"])
async def test_a_held_request_is_judged_again_when_it_was_edited(stand: Stand, site: Site, edit: str) -> None:
    host = stand.origin(site).partition("://")[2]
    wish = json.loads(json.dumps(EDITS[edit]).replace("{host}", host))
    async with stand.upstream(site, OK) as upstream, stopped(stand, site) as (client, id):
        assert (await asyncio.to_thread(ask, stand, "PUT", f"/flows/{id}", {"request": wish}))[0] == 200
        await asyncio.to_thread(ask, stand, "POST", f"/flows/{id}/resume")
        assert (await client.answer()).status in (400, 401)
        assert not upstream.requests


async def test_a_held_request_may_be_changed_and_sent_where_it_was_going(stand: Stand) -> None:
    async with stand.upstream("plain", OK) as upstream, stopped(stand, "plain") as (client, id):
        assert "real-plain" not in repr(ask(stand, "GET", "/flows"))
        edit = {"content": '{"model": "another"}', "path": "/v1/messages/count_tokens"}
        ask(stand, "PUT", f"/flows/{id}", {"request": edit})
        await asyncio.to_thread(ask, stand, "POST", f"/flows/{id}/resume")
        assert (await client.answer()).status == 200
        seen = await upstream.wait_requests()
        assert (seen.path, seen.body) == ("/v1/messages/count_tokens", b'{"model": "another"}')
        assert seen.header("x-api-key") == "real-plain-1"


@pytest.mark.parametrize("how", ["replay", "replay elsewhere"])
async def test_a_replay_carries_no_credential(stand: Stand, how: str) -> None:
    async with Upstream(OK) as elsewhere, stand.upstream("plain", OK) as upstream:
        async with connect("h1", stand.port) as client:
            reply = await client.post("/v1/messages?played", message(), key=stand.key("plain"))
            await reply.rest()
        [flow] = [each for each in json.loads(ask(stand, "GET", "/flows")[1]) if "played" in each["request"]["path"]]
        if how == "replay elsewhere":
            ask(stand, "PUT", f"/flows/{flow['id']}", {"request": {"port": elsewhere.port}})
        assert ask(stand, "POST", f"/flows/{flow['id']}/replay")[0] == 200
        await bounded(ended(stand, flow["id"]))
        assert not elsewhere.requests
        assert len(upstream.requests) == 1
    ask(stand, "POST", "/clear")


async def ended(stand: Stand, id: str) -> None:
    """Until the replay of this flow is over."""
    while True:
        flows = json.loads((await asyncio.to_thread(ask, stand, "GET", "/flows"))[1])
        if all(flow.get("response") or flow.get("error") for flow in flows if flow["is_replay"]) and any(
            flow["is_replay"] for flow in flows
        ):
            return
        await asyncio.sleep(0.02)  # nothing tells when a replay has ended


async def test_a_credential_is_in_no_flow_even_when_it_was_forgotten(tmp_path: Path) -> None:
    """What is shown is searched for the last values of each provider only, so that older ones must not be there."""
    token, scratch = tmp_path / "token", tmp_path / "scratch"
    auth = {"type": "file", "file": str(token), "header": "x-vendor"}
    names = [f"credential-of-number-{number:03}" for number in range(SECRETS_KEPT + 1)]
    async with Upstream(OK) as upstream:
        config = {"providers": {"up": {"type": "anthropic", "base_url": upstream.origin, "auth": auth}}}
        with Daemon(config) as daemon:
            async with connect("h1", daemon.port) as client:
                for name in names:
                    scratch.write_text(name)
                    scratch.chmod(0o600)
                    scratch.replace(token)
                    await (await client.post("/v1/messages", message(), key="sk-ant-oat-ccproxy-up")).rest()
            password = (daemon.instance.runtime_dir / "listener" / "web-token").read_text()
            shown = await asyncio.to_thread(residue.web_ui, daemon, password)
        assert [request.header("x-vendor") for request in upstream.requests] == names
        assert len([page for page in shown if page.endswith("/request/content.data of /v1/messages")]) == len(names)
        assert not [page for page, text in shown.items() if b"credential-of-number" in text]
