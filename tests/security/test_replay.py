"""A credential that is renewed, or redefined while its request is under way, still goes to one host only (threat 3)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.listener.client import H1Client, bounded, connect, head
from tests.listener.stand import Stand, message
from tests.support.answers import Gate
from tests.support.daemon import Daemon
from tests.support.exchange import Received, Send
from tests.support.upstream import Upstream, body, script
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})
REFUSED = answer_json(401, {"type": "error"})
KEY = "sk-ant-oat-ccproxy-up"


async def test_a_replay_goes_to_the_same_host_and_once(stand: Stand) -> None:
    """Even if there is a newer token after each refusal."""
    name, numbers = stand.fresh("plain"), itertools.count(2)

    async with Upstream(OK) as elsewhere:
        lure = [("location", f"{elsewhere.origin}/v1/messages"), ("alt-svc", f'h2="{elsewhere.origin}"')]
        again = body(401, b"{}", lure)

        async def refuse(request: Received, send: Send) -> None:
            stand.write_token(name, f"real-{name}-{next(numbers)}")
            await again(request, send)

        answers = script(refuse, refuse, OK)
        async with stand.upstream("plain", answers) as upstream, connect("h1", stand.port) as client:
            reply = await client.post("/v1/messages", message(), key=stand.key(name))
            await reply.rest()
            assert reply.status == 401
            assert [seen.header("x-api-key") for seen in upstream.requests] == [f"real-{name}-1", f"real-{name}-2"]
        assert not elsewhere.connections


async def test_the_clients_own_key_is_not_replaced_after_a_401(stand: Stand) -> None:
    async with stand.upstream("plain", REFUSED) as upstream, connect("h1", stand.port) as client:
        fields = [("content-type", "application/json"), ("x-api-key", "the-clients-own")]
        assert (await client.ask("POST", "/to/plain", fields, message())).status == 401
        assert [seen.header("x-api-key") for seen in upstream.requests] == ["the-clients-own"]


class Moving:
    """A daemon whose one provider moves from one host to another, with another token for each."""

    def __init__(self, folder: Path, old: Upstream, new: Upstream) -> None:
        self.folder, self.old, self.new = folder, old, new
        self.upstreams = {"the-old": old, "the-new": new}
        for name in ("old", "new"):
            (folder / name).write_text(f"token-of-{name}")
            (folder / name).chmod(0o600)
        self.daemon = Daemon(self.config(old, "old"))

    def config(self, upstream: Upstream, token: str) -> dict[str, Any]:
        auth = {"type": "file", "file": str(self.folder / token), "header": "x-api-key"}
        providers: dict[str, Any] = {"up": {"type": "anthropic", "base_url": upstream.origin, "auth": auth}}
        # Without these the old host, on loopback, might not be dialled any more: that is not what is tested here.
        providers |= {name: {"type": "anthropic", "base_url": each.origin} for name, each in self.upstreams.items()}
        return {"providers": providers}

    async def move(self) -> None:
        self.daemon.write_config(self.config(self.new, "new"))
        done = await asyncio.to_thread(self.daemon.cli, "reload")
        assert done.returncode == 0, done.stderr

    def check(self) -> None:
        seen = [request.header("x-api-key") for request in self.old.requests]
        assert "token-of-new" not in seen
        assert not [request for request in self.new.requests if request.header("x-api-key") != "token-of-new"]


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Moving]:
    with Upstream.in_thread(OK) as old, Upstream.in_thread(OK) as new:
        moving = Moving(tmp_path, old, new)
        with moving.daemon:
            yield moving


async def test_a_request_from_before_a_reload_does_not_get_the_new_credential(moving: Moving) -> None:
    """Its destination was decided under the old configuration, or will be under the old one."""
    async with connect("h1", moving.daemon.port) as client:
        assert isinstance(client, H1Client)
        fields = [("host", client.host), ("content-type", "application/json"), ("x-api-key", KEY)]
        fields.append(("content-length", str(len(message()))))
        await client.send_raw(head("POST", "/v1/messages", fields) + message()[:9])
        async with connect("h1", moving.daemon.port) as other:  # the first has been read when this is answered
            assert (await other.ask("GET", "/health")).status == 200
        await moving.move()
        await client.send_raw(message()[9:])
        reply = await client.answer()
        await reply.rest()
        moving.check()
        assert reply.status == 200 or b"configuration" in reply.body


async def test_a_401_from_before_a_reload_is_not_answered_with_the_new_credential(moving: Moving) -> None:
    moved, asked = Gate(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def refuse(request: Received, send: Send) -> None:
        loop.call_soon_threadsafe(asked.set)
        await moved.passed()
        await REFUSED(request, send)

    moving.old.answer = refuse
    async with connect("h1", moving.daemon.port) as client:
        await client.send("POST", "/v1/messages", [("content-type", "application/json"), ("x-api-key", KEY)], message())
        await bounded(asked.wait())
        await moving.move()
        moved.open()
        reply = await client.answer()
        assert reply.status == 401
        moving.check()
