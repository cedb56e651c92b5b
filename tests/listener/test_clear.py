"""`flows clear` deletes what the listener still holds, too (threat 20)."""

from __future__ import annotations

import json

from tests.listener.client import connect
from tests.listener.stand import message
from tests.support.daemon import Daemon

PROMPT = "the-prompt-that-must-go-7531"


async def shown(daemon: Daemon) -> str:
    """What the web UI lists."""
    token = (daemon.instance.runtime_dir / "listener" / "web-token").read_text()
    async with connect("h1", daemon.web_port) as client:
        client.host = f"127.0.0.1:{daemon.web_port}"
        reply = await client.ask("GET", f"/flows?token={token}")
        return json.dumps(await reply.json())


async def test_a_cleared_flow_is_gone_from_store_and_web_ui() -> None:
    with Daemon({"providers": {"echo": {"type": "echo"}}}) as daemon:
        for mark in ("keep", "go"):
            async with connect("h1", daemon.port) as client:
                path = f"/v1/messages?mark={mark}"
                await (await client.post(path, message(system=PROMPT), key="sk-ant-oat-ccproxy-echo")).rest()
        assert "mark=go" in await shown(daemon)
        done = daemon.cli("flows", "clear", "--jq", 'map(select(.path | contains("mark=go")))')
        assert done.returncode == 0, done.stderr
        listed = await shown(daemon)
        assert "mark=go" not in listed
        assert "mark=keep" in listed
        assert daemon.cli("flows", "clear", "--all").stdout == "1 flow deleted.\n"
        assert await shown(daemon) == "[]"
        kept = [file for file in daemon.instance.state_dir.iterdir() if PROMPT.encode() in file.read_bytes()]
        assert not kept


def test_clearing_without_a_listener_starts_none() -> None:
    daemon = Daemon()
    try:
        done = daemon.cli("flows", "clear", "--all")
        assert (done.returncode, done.stdout) == (0, "0 flows deleted.\n")
        assert daemon.running("listener") is None
    finally:
        daemon.__exit__()
