"""Where a request may go, and what may not go along (threats 1, 3, 5, 8, 16)."""

from __future__ import annotations

import json
import socket

import pytest
from pydantic import ValidationError

from ccproxy.config.model import Config
from ccproxy.config.providers import Provider
from ccproxy.config.rules import TransformRule
from tests.listener.client import Kind, connect
from tests.listener.stand import Site, Stand, message
from tests.security.conftest import CREDENTIAL_HEADERS, FORBIDDEN, INJECT, WRONG
from tests.support.daemon import Daemon
from tests.support.need import need
from tests.support.upstream import Upstream, body
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_metadata_and_disguised_addresses_are_refused(stand: Stand, name: str) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.ask("GET", f"/to/{name}")
        assert reply.status == 403
        assert b"permission_error" in await reply.rest()


@pytest.mark.parametrize("name", ["own-proxy", "own-web", "own-mcp", "own-sidecar"])
async def test_our_own_ports_are_refused(stand: Stand, name: str) -> None:
    async with connect("h1", stand.port) as client:
        reply = await client.ask("GET", f"/to/{name}")
        assert reply.status == 403
        assert b"this proxy itself" in await reply.rest()


async def test_a_name_that_leads_to_our_own_port_is_hung_up_on(stand: Stand) -> None:
    """The name is judged harmless before the dial, and led here: what was really dialled decides."""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    except OSError:
        addresses = set()
    need(bool(addresses), "this machine's own name does not resolve")
    async with connect("h1", stand.port) as client:
        reply = await client.ask("GET", "/to/own-by-name")
        assert reply.status == 403
        assert b"this proxy itself" in await reply.rest()


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("inject", INJECT)
async def test_a_rule_cannot_send_a_credential_to_nearly_the_right_place(stand: Stand, case: str, inject: str) -> None:
    upstreams = [stand.upstream(site, OK) for site in ("tls", "h2")]
    async with upstreams[0], upstreams[1], connect("h1", stand.port) as client:
        for key in (
            ("sk-ant-oat-ccproxy-tls", "a-key-of-its-own") if inject == "always" else ("sk-ant-oat-ccproxy-tls",)
        ):
            reply = await client.post(f"/wrong/{case}/{inject}", message(), key=key)
            assert reply.status == 401, await reply.rest()
            assert b"does not belong" in await reply.rest()
        assert not [each for upstream in upstreams for each in upstream.requests]


@pytest.mark.parametrize(
    "host",
    ["localhost.", "localhost@evil.example", "l\u043ecalhost", "\u24dbocalhost", "loc%61lhost", "127.1", "0x7f000001",
     "[::1%25lo]", "localhost/path", "localhost?x", "localhost#x", "localhost\\@evil.example", "localhost:0x50", "a b"],
)  # fmt: skip
def test_a_host_that_can_be_read_in_two_ways_is_no_configuration(host: str) -> None:
    for text in (f"https://{host}", f"https://{host}:8443"):
        with pytest.raises(ValidationError):
            TransformRule.model_validate({"dest_host": text})
    with pytest.raises(ValidationError):
        Provider.model_validate({"type": "openai", "host": host})


def test_a_credential_over_plain_http_is_no_configuration() -> None:
    """But to an address of this machine. A name is somebody else's to answer, be it ``localhost``."""

    def load(base_url: str) -> None:
        auth = {"type": "env", "env": "REAL"}
        Config.model_validate({"providers": {"up": {"type": "openai", "base_url": base_url, "auth": auth}}})

    load("http://127.0.0.1:8080")
    for base_url in ("http://localhost:8080", "http://api.example.com", "http://192.168.1.5:8080"):
        with pytest.raises(ValidationError, match="plain http"):
            load(base_url)


@pytest.mark.parametrize("site", ["tls", "h2"])
@pytest.mark.parametrize("kind", ["h1", "h2c"])
async def test_every_name_that_is_said_is_the_providers(stand: Stand, kind: Kind, site: Site) -> None:
    async with stand.upstream(site, OK) as upstream, connect(kind, stand.port) as client:
        fields = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")]
        assert (await client.post("/v1/messages", message(), key=stand.key(site), headers=fields)).status == 200
        seen = await upstream.wait_requests()
        assert (seen.server_name, seen.authority) == ("localhost", f"localhost:{stand.ports[site]}")
        assert seen.header_all("host") in ([], [f"localhost:{stand.ports[site]}"])


async def test_a_redirect_of_the_provider_is_not_followed(stand: Stand) -> None:
    elsewhere = Upstream(OK)
    async with elsewhere:
        moved = body(302, b"", [("location", f"{elsewhere.origin}/steal")])
        async with stand.upstream("plain", moved), connect("h1", stand.port) as client:
            reply = await client.post("/v1/messages", message(), key=stand.key("plain"))
            assert reply.status == 302
            assert not elsewhere.requests


async def test_cookies_and_account_headers_of_one_vendor_do_not_reach_another(stand: Stand) -> None:
    foreign = [
        ("cookie", "session=abc"),
        ("openai-organization", "org-1"),
        ("chatgpt-account-id", "acc-1"),
        ("x-goog-user-project", "p-1"),
        ("authorization", "Bearer sk-the-clients-own-key"),
        ("proxy-authorization", "Basic abc"),
    ]
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        await (await client.post("/v1/messages", message(), key=stand.key("plain"), headers=foreign)).rest()
        seen = await upstream.wait_requests()
        sent = {name.lower(): value for name, value in seen.headers}
        assert not sent.keys() & {name for name, _ in foreign}
        assert {name: sent[name] for name in CREDENTIAL_HEADERS if name in sent} == {"x-api-key": "real-plain-1"}


async def test_without_a_sentinel_nothing_is_injected(stand: Stand) -> None:
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        await (await client.ask("POST", "/to/plain", [("content-type", "application/json")], message())).rest()
        seen = await upstream.wait_requests()
        assert not [name for name, _ in seen.headers if name.lower() in CREDENTIAL_HEADERS]


@pytest.mark.parametrize("override", ["-inject_auth", "-inject_auth,+verbose_mode", "inject_auth", "-all"])
async def test_a_header_cannot_switch_off_the_credential_hook(stand: Stand, override: str) -> None:
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        headers = [("x-ccproxy-hooks", override)]
        await (await client.post("/v1/messages", message(), key=stand.key("plain"), headers=headers)).rest()
        seen = await upstream.wait_requests()
        assert seen.header("x-api-key") == "real-plain-1"
        assert "ccproxy" not in repr(seen.headers)


async def test_two_sentinels_are_refused(stand: Stand) -> None:
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        headers = [("authorization", f"Bearer {stand.key('h2')}")]
        reply = await client.post("/v1/messages", message(), key=stand.key("plain"), headers=headers)
        assert reply.status == 400
        assert not upstream.requests


@pytest.mark.parametrize("token", ["abc\r\nx-smuggled: yes", "abc\ndef", "a\0b", "ключ"])
async def test_a_credential_that_would_break_the_message_is_not_sent(stand: Stand, token: str) -> None:
    name = stand.fresh("plain")
    stand.write_token(name, token)
    async with stand.upstream("plain", OK) as upstream, connect("h1", stand.port) as client:
        reply = await client.post("/v1/messages", message(), key=stand.key(name))
        text = await reply.rest()
        assert reply.status == 401
        assert name.encode() in text
        assert b"smuggled" not in text
        assert not upstream.requests


def test_a_sentinel_is_never_sent_when_the_hook_is_not_configured() -> None:
    with Upstream.in_thread(OK) as upstream:
        config = {
            "hooks": {"inbound": ["extract_session_id"], "outbound": []},
            "providers": {"up": {"type": "anthropic", "base_url": upstream.origin}},
            "lightllm": {"transforms": [{"match_path": "/v1", "dest_provider": "up"}]},
        }
        with Daemon(config) as daemon:
            status, text = post(daemon.port, "sk-ant-oat-ccproxy-up")
            assert status == 401
            assert b"inject_auth" in text
        assert not upstream.requests


def test_a_broken_credential_hook_stops_the_request() -> None:
    """A hook that replaces inject_auth's work and fails must not let the request out."""
    module = (
        "from ccproxy.pipeline.hook import hook\n"
        "@hook(reads=['header:x-api-key'], writes=['ctx.sentinel'], critical=True)\n"
        "def guarding(ctx, params):\n    raise RuntimeError('the vault is closed')\n"
    )
    with Upstream.in_thread(OK) as upstream:
        config = {
            "hooks": {"inbound": ["ours.guarding"], "outbound": []},
            "providers": {"up": {"type": "anthropic", "base_url": upstream.origin}},
            "lightllm": {"transforms": [{"match_path": "/v1", "dest_provider": "up"}]},
        }
        daemon = Daemon(config)
        daemon.env["PYTHONPATH"] = str(daemon.folder)
        (daemon.folder / "ours").mkdir()
        (daemon.folder / "ours" / "guarding.py").write_text(module)
        with daemon:
            status, _ = post(daemon.port, "some-key")
            assert status == 500
        assert not upstream.requests


OURS = """
from ccproxy.pipeline.hook import hook

@hook(reads=["header:x-ccproxy-token"], writes=["body.seen"])
def seeing(ctx, params):
    ctx.extras.set("seen", ctx.get_header("x-ccproxy-token"))

@hook(reads=[], writes=["header:x-ccproxy-target-url"])
def saying(ctx, params):
    ctx.set_header("x-ccproxy-target-url", "http://evil.example/")
"""


def test_a_header_of_ours_neither_comes_to_a_hook_nor_leaves_by_one() -> None:
    with Upstream.in_thread(OK) as upstream:
        config = {
            "hooks": {"inbound": ["inject_auth", "ours.headers"], "outbound": []},
            "providers": {"up": {"type": "anthropic", "base_url": upstream.origin}},
        }
        daemon = Daemon(config)
        daemon.env["PYTHONPATH"] = str(daemon.folder)
        (daemon.folder / "ours").mkdir()
        (daemon.folder / "ours" / "headers.py").write_text(OURS)
        with daemon:
            assert post(daemon.port, "sk-ant-oat-ccproxy-up", ("x-ccproxy-token", "forged"))[0] == 200
        [request] = upstream.requests
    assert json.loads(request.body)["seen"] == ""
    assert not [name for name, _ in request.headers if name.lower().startswith("x-ccproxy")]


def post(port: int, key: str, *more: tuple[str, str]) -> tuple[int, bytes]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        headers = {"content-type": "application/json", "x-api-key": key, **dict(more)}
        connection.request("POST", "/v1/messages", message(), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
