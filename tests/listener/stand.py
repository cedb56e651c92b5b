"""One daemon for many tests: its configuration names every provider that a test may want, at ports kept for them.

A test starts the upstream behind a port with its own script::

    async with stand.upstream("h2", json(200, {})) as upstream, connect("h1", stand.port) as client:
        await client.post("/v1/messages", b"{}", key=stand.key("h2"))

===============  ==========================================================================
upstream         speaks
===============  ==========================================================================
``plain``        HTTP/1.1
``tls``          HTTP/1.1 over TLS
``h2``           HTTP/2 over TLS
``stranger``     HTTP/1.1 over TLS, with a certificate that nobody trusts
``nobody``       nothing: connections are refused
===============  ==========================================================================
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ccproxy.errors import StoreError
from ccproxy.flows.reader import FlowReader
from ccproxy.flows.record import FlowRecord
from tests.support.certificates import Authority
from tests.support.daemon import Daemon, Via
from tests.support.upstream import Answer, Upstream

type Site = Literal["plain", "tls", "h2", "stranger", "nobody"]
SITES: tuple[Site, ...] = ("plain", "tls", "h2", "stranger", "nobody")
TLS: tuple[Site, ...] = ("tls", "h2", "stranger")
TYPES = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "openai_responses": "/v1/responses"}
GOOGLE = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
PATHS = {**TYPES, "google": GOOGLE}
"""Wire format → a request path of it that asks for an event stream."""
FRESH = 24
"""Providers with a token file of their own, per site that wants them: a renewal is not repeated for two seconds."""
WAIT_S = 15.0
VIA: Via = "systemd-socket-activate" if os.environ.get("CCPROXY_TEST_VIA") == "systemd" else "ccproxy start"
"""Who starts the processes. CCPROXY_TEST_VIA=systemd: the suite as it is under socket units."""
FLAKY = """
from ccproxy.pipeline.hook import hook

def breaking_guard(ctx):
    return ctx.get_header("x-break") != ""

@hook(reads=["header:x-break"], writes=["body.broken"])
def breaking(ctx, params):
    ctx.extras.set("broken", True)
    raise ValueError("this hook has a defect")

def tagging_guard(ctx):
    return ctx.get_header("x-tag") != ""

@hook(reads=["header:x-tag"], writes=["body.tag"])
def tagging(ctx, params):
    ctx.extras.set("tag", ctx.get_header("x-tag"))
"""
"""A module of somebody's own: one hook that fails when a request asks for it, one that writes."""


class Stand:
    """A daemon, the ports of its upstreams, and the tokens of its providers."""

    def __init__(self, folder: Path, **extra: Any) -> None:
        """``extra`` are further top-level keys of the configuration."""
        self.folder = folder
        for name in ("ours", "strange"):
            (folder / name).mkdir()
        self.authority = Authority(folder / "ours")
        self.strange = Authority(folder / "strange")
        self.ports: Mapping[str, int] = dict(zip(SITES, quiet_ports(len(SITES)), strict=True))
        self._fresh = {site: itertools.count() for site in SITES}
        providers: dict[str, Any] = {"echo": {"type": "echo"}}
        for site in SITES:
            providers[site] = self._provider(site, site)
            for kind in PATHS:
                providers[f"{site}-{kind}"] = self._provider(site, f"{site}-{kind}", kind)
            providers[f"{site}-open"] = {"type": "anthropic", "base_url": self.origin(site)}
            if site in ("plain", "h2"):
                for number in range(FRESH):
                    providers[f"{site}-{number}"] = self._provider(site, f"{site}-{number}")
                    providers[f"{site}-{number}-command"] = self._commanded(site, f"{site}-{number}")
        package = folder / "modules" / "own"
        package.mkdir(parents=True)
        (package / "flaky.py").write_text(FLAKY)
        self.settings: dict[str, Any] = {
            "providers": providers,
            "upstream_ca_file": str(self.authority.ca_file),
            "hooks": {"inbound": ["inject_auth", "extract_session_id", "own.flaky"], "outbound": ["verbose_mode"]},
            **extra,
        }
        """The configuration below ``ccproxy:``, without its ports."""
        self.daemon = Daemon(self.settings, environ={"PYTHONPATH": str(folder / "modules")}, via=VIA)

    def _provider(self, site: str, name: str, kind: str = "anthropic") -> dict[str, Any]:
        self.write_token(name, f"real-{name}-1")
        source = {"type": "file", "file": str(self.token_file(name)), "header": "x-api-key"}
        return {"type": kind, "base_url": self.origin(site), "auth": source}

    def _commanded(self, site: str, name: str) -> dict[str, Any]:
        runs, token = (shlex.quote(str(file)) for file in (self.runs_file(name), self.token_file(name)))
        command = f"echo run >> {runs}; cat {token}"
        source = {"type": "command", "command": command, "header": "x-api-key"}
        return {"type": "anthropic", "base_url": self.origin(site), "auth": source}

    def origin(self, site: str) -> str:
        scheme = "https" if site in TLS else "http"
        return f"{scheme}://{'localhost' if site in TLS else '127.0.0.1'}:{self.ports[site]}"

    @property
    def port(self) -> int:
        return self.daemon.port

    @staticmethod
    def key(name: str) -> str:
        """The sentinel of a provider."""
        return f"sk-ant-oat-ccproxy-{name}"

    def fresh(self, site: Site) -> str:
        """A provider at this site whose token no other test touches; it is ``real-NAME-1``.

        ``NAME-command`` is another one, whose token is what ``cat`` prints of the same file.
        """
        number = next(self._fresh[site])
        assert number < FRESH, "make FRESH larger"
        return f"{site}-{number}"

    def token_file(self, name: str) -> Path:
        return self.folder / f"{name}.token"

    def runs_file(self, name: str) -> Path:
        """A line for each run of ``NAME-command``'s command."""
        return self.folder / f"{name}.runs"

    def write_token(self, name: str, token: str) -> None:
        """Replace a provider's token at once, as a vendor's tool does."""
        scratch = self.folder / f"{name}.scratch"
        scratch.write_text(token)
        scratch.chmod(0o600)
        scratch.replace(self.token_file(name))

    def upstream(self, site: Site, answer: Answer) -> Upstream:
        """The provider at this site, for ``async with``."""
        return Upstream(answer, **self.upstream_options(site))

    def upstream_options(self, site: Site) -> dict[str, Any]:
        """For ``Upstream.in_thread``."""
        authority = self.strange if site == "stranger" else self.authority
        secure = {"tls": True, "authority": authority} if site in TLS else {}
        return {"port": self.ports[site], "http2": site == "h2", **secure}

    async def flow(self, mark: str) -> FlowRecord:
        """``stored``, in this daemon."""
        return await stored(self.daemon, mark)

    def facts(self) -> dict[str, Any]:
        """What the listener says of itself."""
        from ccproxy.control.client import ControlClient

        return dict(ControlClient(self.daemon.instance).status().facts)

    def wait_until_idle(self) -> None:
        """Come back when no exchange is under way. One that was forgotten would hold up every stop."""
        deadline = time.monotonic() + WAIT_S
        while (under_way := self.facts()["in_flight"]) and time.monotonic() < deadline:
            time.sleep(0.05)  # nothing tells when the last one has ended
        assert not under_way, f"{under_way} exchanges never ended\n{self.daemon.logs()}"

    def web(self) -> tuple[int, str]:
        """Port and token of the web UI."""
        token = (self.daemon.instance.runtime_dir / "listener" / "web-token").read_text()
        return self.daemon.web_port, token


async def stored(daemon: Daemon, mark: str) -> FlowRecord:
    """The record of the request with ``mark`` in its path or user-agent, once there is one.

    A translated request leaves with another path.
    """
    reader = FlowReader(daemon.instance.store_path)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for row in reader.list(200):
            if mark in row.path or mark in row.user_agent:
                try:
                    return reader.get(row.id)
                except StoreError:  # a store that was cleared meanwhile
                    continue
        await asyncio.sleep(0.01)  # nothing tells when a row was written
    raise AssertionError(f"no flow with {mark!r} was stored\n{daemon.logs()}")


def quiet_ports(count: int) -> list[int]:
    """Free ports of 127.0.0.1 below those that the kernel gives to outgoing connections, so they stay free."""
    return list(itertools.islice(_quiet_ports(), count))


def _quiet_ports() -> Iterator[int]:
    while True:
        port = random.randrange(12_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def message(**more: Any) -> bytes:
    """A small request body in the Anthropic format."""
    asked = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps({**asked, **more}).encode()
