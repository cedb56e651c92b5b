"""``ccproxy sidecar`` as systemd starts it: one process, one socket, a configuration file, signals."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from ccproxy.config.instance import Instance, find_instance
from tests.sidecar.support import PROFILE, TOKEN
from tests.support.daemon import clean_environ
from tests.support.need import need_linux
from tests.support.upstream import Upstream, body, sse

CANARY = "sk-canary-0b5e"
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "sidecar"}
os.execv(sys.executable, [sys.executable, "-P", "-m", "ccproxy", "sidecar"])
"""
"""What systemd does between fork and exec."""
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""Coverage's own memory is not ours."""
RSS_LIMIT = 60 * 1024 * 1024


@dataclass
class Process:
    """The process, and a client that speaks to it as the listener does."""

    popen: subprocess.Popen[bytes]
    instance: Instance
    port: int
    log: Path
    client: httpx.AsyncClient

    async def ask(self, target: str, content: bytes = b"{}") -> httpx.Response:
        contract = {"x-ccproxy-target-url": target, "x-ccproxy-impersonate": PROFILE, "x-ccproxy-token": TOKEN}
        headers = {**contract, "authorization": f"Bearer {CANARY}"}
        return await self.client.post(f"http://127.0.0.1:{self.port}/", headers=headers, content=content)

    def rss(self) -> int:
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    async def stop(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.popen.wait, 20)


def write_config(instance: Instance, upstream: Upstream, **keys: object) -> None:
    provider = {"type": "openai", "base_url": upstream.origin, "fingerprint_profile": PROFILE}
    whole = {"providers": {"p": provider}, "upstream_ca_file": str(upstream.ca_file), **keys}
    instance.config_dir.mkdir(parents=True, exist_ok=True)
    instance.config_file.write_text(yaml.safe_dump({"ccproxy": whole}))


@asynccontextmanager
async def process(
    folder: Path, upstream: Upstream, environ: Mapping[str, str] | None = None, **keys: object
) -> AsyncIterator[Process]:
    env = clean_environ(folder) | dict(environ or {})
    instance = find_instance(None, env)
    write_config(instance, upstream, **keys)
    instance.sidecar_token_path.parent.mkdir(mode=0o700, parents=True)
    instance.sidecar_token_path.write_text(TOKEN)
    log = folder / "stderr"
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as stderr:
        popen = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(listening.fileno())],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            pass_fds=[listening.fileno()],
        )
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
                yield Process(popen, instance, listening.getsockname()[1], log, client)
        finally:
            popen.kill()
            popen.wait()


async def test_request_that_came_before_the_process_was_up_is_answered_and_nothing_leaks(tmp_path: Path):
    stray = tmp_path / "stray-keylog"
    environ = {"HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1", "SSLKEYLOGFILE": str(stray)}
    async with (
        Upstream(body(200, b"ok"), tls=True, http2=True) as upstream,
        process(tmp_path, upstream, environ, log_level="DEBUG") as sidecar,
    ):
        assert (await sidecar.ask(f"{upstream.origin}/v1?key={CANARY}")).content == b"ok"
        assert (await sidecar.ask(f"https://evil.test/?key={CANARY}")).status_code == 403
        assert upstream.requests[0].header("authorization") == f"Bearer {CANARY}"
        arguments = Path(f"/proc/{sidecar.popen.pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
        assert await sidecar.stop() == 0
        written = sidecar.log.read_text() + "".join(
            file.read_text(errors="replace") for file in sidecar.instance.state_dir.rglob("*") if file.is_file()
        )
        for secret in (CANARY, TOKEN):
            assert secret not in written
            assert secret.encode() not in arguments
        assert not stray.exists(), "a key log that nobody configured"


async def test_key_log_where_the_configuration_wants_one(tmp_path: Path):
    async with (
        Upstream(body(200, b"ok"), tls=True) as upstream,
        process(tmp_path, upstream, inspector={"tls_keylog": True}) as sidecar,
    ):
        assert (await sidecar.ask(upstream.origin + "/")).content == b"ok"
        path = sidecar.instance.tls_keylog_path
        assert "CLIENT_TRAFFIC_SECRET_0" in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600


async def test_sighup_reads_the_configuration_again(tmp_path: Path):
    async with (
        Upstream(body(200, b"one"), tls=True) as one,
        Upstream(body(200, b"two"), tls=True) as two,
        process(tmp_path, one) as sidecar,
    ):
        assert (await sidecar.ask(two.origin + "/")).status_code == 403
        write_config(sidecar.instance, two)
        sidecar.popen.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while (response := await sidecar.ask(two.origin + "/")).status_code == 403:
                await asyncio.sleep(0.02)
        assert response.content == b"two"
        assert (await sidecar.ask(one.origin + "/")).status_code == 403


async def test_it_stays_small(tmp_path: Path):
    need_linux()
    events = [b"data: %d\n\n" % i for i in range(100)]
    async with (
        Upstream(sse(events), tls=True, http2=True) as upstream,
        process(tmp_path, upstream, UNMEASURED) as sidecar,
    ):
        assert (await sidecar.ask(upstream.origin + "/")).status_code == 200
        for _ in range(20):
            answers = await asyncio.gather(*(sidecar.ask(upstream.origin + "/", bytes(10_000)) for _ in range(10)))
            assert {answer.content for answer in answers} == {b"".join(events)}
        assert sidecar.rss() <= RSS_LIMIT, f"{sidecar.rss() / 2**20:.1f} MiB"
