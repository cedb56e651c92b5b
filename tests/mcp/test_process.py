"""``ccproxy mcp`` as systemd starts it: one process, one socket, a configuration file, signals."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from ccproxy.config.instance import Instance, find_instance
from ccproxy.flows.store import FlowWriter
from tests.flows.records import record, redactor
from tests.mcp.support import HEADERS, LIST_TOOLS
from tests.support.daemon import clean_environ
from tests.support.need import need_linux

TOKEN = "canary-mcp-token-7c1d"
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "mcp"}
os.execv(sys.executable, [sys.executable, "-P", "-m", "ccproxy", "mcp"])
"""
"""What systemd does between fork and exec."""
RSS_LIMIT = 80 * 1024 * 1024
"""74 MiB when it is up and 76 after a hundred calls; 2 of them for rich, which the SDK takes where it finds it."""


@dataclass
class Process:
    popen: subprocess.Popen[bytes]
    instance: Instance
    port: int
    log: Path
    client: httpx.AsyncClient

    async def ask(self, message: object, token: str = TOKEN) -> httpx.Response:
        headers = HEADERS | {"authorization": f"Bearer {token}"}
        return await self.client.post(f"http://127.0.0.1:{self.port}/mcp", json=message, headers=headers)

    def rss(self) -> int:
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def configure(self, **http: object) -> None:
        self.instance.config_file.write_text(yaml.safe_dump({"ccproxy": {"mcp": {"http": http}}}))


@asynccontextmanager
async def process(folder: Path, *, measured: bool = True) -> AsyncIterator[Process]:
    """``measured``: coverage may look on, which takes memory."""
    env = {name: text for name, text in clean_environ(folder).items() if measured or not name.startswith("COVERAGE")}
    instance = find_instance(None, env)
    instance.config_dir.mkdir(parents=True)
    log = folder / "stderr"
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as stderr:
            command = [sys.executable, "-c", ACTIVATE, str(listening.fileno())]
            streams = {"stdin": subprocess.DEVNULL, "stdout": stderr, "stderr": stderr}
            port = listening.getsockname()[1]
            waiting = Process(None, instance, port, log, client)  # type: ignore[arg-type]
            waiting.configure(auth=TOKEN)
            waiting.popen = subprocess.Popen(command, env=env, pass_fds=[listening.fileno()], **streams)
            try:
                yield waiting
            finally:
                waiting.popen.kill()
                waiting.popen.wait()


async def test_requests_reload_and_stop(tmp_path: Path):
    async with process(tmp_path) as mcp:
        assert len((await mcp.ask(LIST_TOOLS)).json()["result"]["tools"]) == 2, "it came before the process was up"
        assert (await mcp.ask(LIST_TOOLS, "wrong")).status_code == 401

        mcp.configure(auth="another-token")
        mcp.popen.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while (await mcp.ask(LIST_TOOLS, "another-token")).status_code == 401:
                await asyncio.sleep(0.02)

        mcp.popen.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(mcp.popen.wait, 20) == 0
        written = mcp.log.read_text() + "".join(
            file.read_text(errors="replace") for file in mcp.instance.state_dir.rglob("*") if file.is_file()
        )
        assert "Traceback" not in written
        assert TOKEN not in written


async def test_it_stays_small(tmp_path: Path):
    need_linux()
    async with process(tmp_path, measured=False) as mcp:
        writer = FlowWriter(mcp.instance.store_path, redactor())
        for n in range(200):
            writer.put(record(f"{n} " + "x" * 1000))
        assert writer.close(20.0)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_flows", "arguments": {}}}
        for _ in range(20):
            answers = await asyncio.gather(*(mcp.ask(call) for _ in range(5)))
            assert all(len(answer.json()["result"]["structuredContent"]["result"]) == 50 for answer in answers)
        assert mcp.rss() <= RSS_LIMIT, f"{mcp.rss() / 2**20:.1f} MiB"
