"""An MCP server in the test's own loop, on a real socket, and ways to speak to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from ccproxy.config.instance import Instance, find_instance
from ccproxy.config.load import Loaded
from ccproxy.config.model import Config
from ccproxy.control.process import ProcessControl
from ccproxy.flows.record import FlowRecord
from ccproxy.flows.store import FlowWriter
from ccproxy.mcp.serve import serve
from ccproxy.systemd import Notifier
from tests.flows.records import redactor

LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
}


def instance_in(folder: Path) -> Instance:
    """An instance whose folders are all in ``folder``."""
    return find_instance(
        None,
        {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_DATA_HOME": str(folder / "data"),
        },
    )


def config_with(**http: object) -> Config:
    """A configuration with these keys of ``mcp.http``; others after ``top_``."""
    top = {key.removeprefix("top_"): http.pop(key) for key in list(http) if key.startswith("top_")}
    return Config.model_validate({"mcp": {"http": http}, **top})


@dataclass
class Running:
    """A server that serves."""

    port: int
    instance: Instance
    control: ProcessControl
    config: Config
    """What the next reload reads."""
    http: httpx.AsyncClient

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @asynccontextmanager
    async def client(self, headers: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
        """The official client, connected."""
        async with (
            httpx2.AsyncClient(headers=dict(headers or {}), trust_env=False, timeout=20) as http,
            Client(streamable_http_client(self.url, http_client=http)) as client,
        ):
            yield client

    async def post(self, headers: Mapping[str, str] | None = None, message: object = None) -> httpx.Response:
        """One JSON-RPC message by hand."""
        return await self.http.post(self.url, json=message or LIST_TOOLS, headers={**HEADERS, **(headers or {})})

    async def raw(self, *lines: str) -> str:
        """The status line that answers these lines of a request head."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
            return (await asyncio.wait_for(reader.readline(), 10)).decode().strip()
        finally:
            writer.close()

    def record(self, *records: FlowRecord) -> list[str]:
        """Put flows into the store, as the listener does."""
        writer = FlowWriter(self.instance.store_path, redactor())
        for one in records:
            writer.put(one)
        assert writer.close(20.0)
        return [one.id for one in records]

    async def reload(self, config: Config) -> tuple[str, ...]:
        """Problems, if it was refused."""
        self.config = config
        reply = await self.control.reload()
        return () if reply.applied else reply.problems


@asynccontextmanager
async def running(folder: Path, config: Config | None = None) -> AsyncIterator[Running]:
    """Serve on a free port until the block ends."""
    config = config or Config()
    instance = instance_in(folder)
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        running: Running
        control = ProcessControl("mcp", instance, config, Notifier(None), lambda: Loaded(running.config, (), None))
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        running = Running(port, instance, control, config, http)
        serving = asyncio.create_task(serve({"mcp": [listening]}, config, instance, control))
        await asyncio.wait({serving, asyncio.create_task(control.ready_event.wait())}, return_when="FIRST_COMPLETED")
        try:
            yield running
        finally:
            control.stopping.set()
            async with asyncio.timeout(20):
                await serving


def structured(result: Any) -> Any:
    """What a tool gave; fails if it gave an error."""
    assert not result.is_error, result.content
    found = result.structured_content
    return found["result"] if set(found) == {"result"} else found
