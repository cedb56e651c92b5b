"""A credential goes over verified TLS only, whatever ``ssl_insecure`` allows other requests (threat 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.listener.client import connect
from tests.listener.stand import message, quiet_ports
from tests.support.certificates import Authority
from tests.support.daemon import Daemon
from tests.support.upstream import Upstream
from tests.support.upstream import json as answer_json

OK = answer_json(200, {"type": "message"})
TOKEN = "real-token-of-the-provider"


class Insecure:
    """A daemon with ``ssl_insecure``, and upstreams whose certificates are worth nothing, each on a port of its own."""

    def __init__(self, folder: Path) -> None:
        for name in ("ours", "strange"):
            (folder / name).mkdir()
        self.ours, self.strange = Authority(folder / "ours"), Authority(folder / "strange")
        self.ports = dict(zip(("stranger", "misnamed", "good"), quiet_ports(3), strict=True))
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        self.daemon = Daemon(self.config("stranger", "misnamed", "good"))

    def origin(self, name: str) -> str:
        return f"https://localhost:{self.ports[name]}"

    def config(self, *keyed: str) -> dict[str, Any]:
        """Providers with a credential are those of ``keyed``; each upstream can be asked without one, too."""
        auth = {"type": "file", "file": str(self.token), "header": "x-api-key"}
        rules = [
            {"match_path": f"^/bare/{name}", "action": "passthrough", "dest_host": self.origin(name)}
            for name in self.ports
        ]
        providers = {name: {"type": "anthropic", "base_url": self.origin(name), "auth": auth} for name in keyed}
        return {
            "upstream_ca_file": str(self.ours.ca_file),
            "inspector": {"mitmproxy": {"ssl_insecure": True}},
            "lightllm": {"transforms": rules},
            "providers": providers or {"echo": {"type": "echo"}},
        }

    def upstream(self, name: str) -> Upstream:
        names = ["elsewhere.example"] if name == "misnamed" else ["localhost"]
        authority = self.strange if name == "stranger" else self.ours
        return Upstream(OK, tls=True, names=names, authority=authority, port=self.ports[name])


@pytest.fixture(scope="module")
def insecure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Insecure]:
    insecure = Insecure(tmp_path_factory.mktemp("insecure"))
    with insecure.daemon:
        yield insecure


@pytest.mark.parametrize("name", ["stranger", "misnamed"])
@pytest.mark.parametrize("kind", ["h1", "h2c"])
async def test_no_credential_for_a_certificate_that_proves_nothing(insecure: Insecure, name: str, kind: str) -> None:
    async with insecure.upstream(name) as upstream, connect(kind, insecure.daemon.port) as client:
        reply = await client.post("/v1/messages", message(), key=f"sk-ant-oat-ccproxy-{name}")
        assert reply.status == 502
        assert b"certificate" in (await reply.rest()).lower()
        assert not upstream.requests


async def test_a_good_certificate_is_enough(insecure: Insecure) -> None:
    async with insecure.upstream("good") as upstream, connect("h1", insecure.daemon.port) as client:
        reply = await client.post("/v1/messages", message(), key="sk-ant-oat-ccproxy-good")
        assert reply.status == 200
        assert upstream.requests[0].header("x-api-key") == TOKEN


async def test_an_unverified_connection_is_not_used_again_for_a_credential(tmp_path: Path) -> None:
    """It was good enough for a request without one; then a reload makes its host a provider's."""
    insecure = Insecure(tmp_path)
    insecure.daemon.write_config(insecure.config())
    with insecure.daemon as daemon:
        async with insecure.upstream("stranger") as upstream, connect("h1", daemon.port) as client:
            reply = await client.ask("GET", "/bare/stranger")
            await reply.rest()
            assert reply.status == 200
            daemon.write_config(insecure.config("stranger"))
            assert (await asyncio.to_thread(daemon.cli, "reload")).returncode == 0
            reply = await client.post("/v1/messages", message(), key="sk-ant-oat-ccproxy-stranger")
            assert reply.status == 502
            assert [seen.path for seen in upstream.requests] == ["/bare/stranger"]
