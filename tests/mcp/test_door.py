"""Who gets in, and who does not, on every path."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from ccproxy.mcp.door import Door, Policy

OPEN = Policy(enabled=True, host="127.0.0.1", allowed_hosts=(), trust_windows_host=False, token=None)
WITH_TOKEN = Policy(enabled=True, host="127.0.0.1", allowed_hosts=(), trust_windows_host=False, token=b"s3cret-t0ken")
OWN, OTHER = 1000, 1001


async def knock(
    policy: Policy = OPEN,
    *,
    host: bytes | None = b"127.0.0.1:4030",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    path: bytes = b"/mcp",
    uid: int | None = OWN,
    server: tuple[str, int] | None = ("127.0.0.1", 4030),
    client: tuple[str, int] | None = ("127.0.0.1", 51000),
) -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
    """Status, JSON body and headers of the answer; 200 is the app behind the door."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Any:
        raise AssertionError("the door reads no body")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": unquote(path.decode()),
        "raw_path": path,
        "headers": [*([(b"host", host)] if host is not None else []), *headers],
        "server": server,
        "client": client,
    }
    await Door(app, policy, uid_of=lambda ours, theirs: uid, own_uid=OWN)(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"]), dict(sent[0]["headers"])


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:4030", b"localhost", b"LOCALHOST:4000", b"[::1]:4030", b"127.0.0.1", b"ccproxy.localhost"]
)
async def test_local_names_get_in(host):
    assert (await knock(host=host))[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"evil.example:4030", 421),
        (b"127.0.0.1.evil.example", 421),
        (b"192.168.1.5:4030", 421),
        (b"localhost.evil.example", 421),
        (None, 400),
        (b"", 400),
        (b"127.0.0.1:4030@evil.example", 400),
        (b"127.0.0.1/..", 400),
        (b"127.0.0.1:99999", 400),
        (b"127.0.0.1 evil", 400),
        (b"127.0.0.1, evil.example", 400),
    ],
)
async def test_foreign_and_malformed_hosts_stay_out(host, status):
    assert (await knock(host=host))[0] == status


async def test_two_hosts_stay_out_even_when_they_agree():
    assert (await knock(headers=((b"Host", b"127.0.0.1:4030"),)))[0] == 400


async def test_configured_hosts_get_in():
    policy = Policy(True, "10.1.2.3", ("*.lan",), False, None)

    assert (await knock(policy, host=b"box.lan:4030"))[0] == 200
    assert (await knock(policy, host=b"10.1.2.3:4030"))[0] == 200
    assert (await knock(policy, host=b"10.9.9.9:4030", server=("10.9.9.9", 4030)))[0] == 200, "bound to all addresses"
    assert (await knock(policy, host=b"box.wan:4030"))[0] == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://localhost:3000", 200),
        (b"http://127.0.0.1:4030", 200),
        (b"https://evil.example", 403),
        (b"http://127.0.0.1.evil.example", 403),
        (b"http://evil.example:4030", 403),
        (b"null", 403),
        (b"", 403),
    ],
)
async def test_origins(origin, status):
    assert (await knock(headers=((b"origin", origin),)))[0] == status


async def test_any_of_two_origins_counts():
    both = ((b"origin", b"http://localhost"), (b"origin", b"https://evil.example"))

    assert (await knock(headers=both))[0] == 403


@pytest.mark.parametrize("path", [b"/mcp", b"/health", b"/", b"/mcp/../health", b"/%68ealth", b"//health"])
async def test_the_door_is_before_every_path(path):
    assert (await knock(path=path, host=b"evil.example"))[0] == 421
    assert (await knock(path=path, headers=((b"origin", b"https://evil.example"),)))[0] == 403
    assert (await knock(path=path, uid=OTHER))[0] == 403
    assert (await knock(path=path))[0] == 200


async def test_users():
    assert (await knock(uid=OWN))[0] == 200
    status, body, _ = await knock(uid=OTHER)
    assert (status, body["error"]) == (403, "forbidden")
    assert "uid 1000 only" in body["error_description"]
    assert "another user (uid 1001)" in body["error_description"]
    assert (await knock(uid=None))[0] == 403
    assert (await knock(uid=OWN, client=None))[0] == 403


async def test_the_windows_host_is_let_in_if_it_is_trusted():
    policy = Policy(True, "127.0.0.1", (), True, None)

    assert (await knock(policy, uid=None))[0] == 200
    assert (await knock(policy, uid=OTHER))[0] == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (b"Bearer s3cret-t0ken", 200),
        (b"bearer s3cret-t0ken", 200),
        (b"Bearer s3cret-t0ke", 401),
        (b"Bearer s3cret-t0ken2", 401),
        (b"Bearer ", 401),
        (b"Bearer", 401),
        (b"Basic s3cret-t0ken", 401),
        (b"s3cret-t0ken", 401),
        (b"Bearer \xff", 401),
        (None, 401),
    ],
)
@pytest.mark.parametrize("uid", [OWN, OTHER, None])
async def test_a_token_counts_whoever_shows_it(authorization, status, uid):
    headers = ((b"authorization", authorization),) if authorization is not None else ()
    got, body, answered = await knock(WITH_TOKEN, headers=headers, uid=uid)

    assert got == status
    if status == 401:
        assert body == {"error": "invalid_token", "error_description": "Authentication required"}
        assert answered[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')


async def test_two_tokens_are_none():
    one = (b"authorization", b"Bearer s3cret-t0ken")

    assert (await knock(WITH_TOKEN, headers=(one, one)))[0] == 401


async def test_health_needs_no_token_but_only_spelt_so():
    assert (await knock(WITH_TOKEN, path=b"/health"))[0] == 200
    for path in (b"/mcp/../health", b"/%68ealth", b"//health", b"/health/", b"/health?x", b"/HEALTH"):
        assert (await knock(WITH_TOKEN, path=path))[0] == 401


async def test_what_is_switched_off_says_so():
    status, body, _ = await knock(Policy(False, "127.0.0.1", (), False, None))

    assert status == 503
    assert "mcp.http.enabled" in body["error_description"]
