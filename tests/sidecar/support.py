"""A sidecar in the test's own loop, on a real socket, and requests to it as the listener makes them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ccproxy.config.instance import Instance, find_instance
from ccproxy.config.load import Loaded
from ccproxy.config.model import Config
from ccproxy.control.process import ProcessControl
from ccproxy.sidecar.serve import serve
from ccproxy.systemd import Notifier
from tests.support.upstream import Upstream

TOKEN = "the-sidecar-token"
PROFILE = "chrome131"


def instance_in(folder: Path) -> Instance:
    """An instance whose folders are all in ``folder``; the token is written."""
    instance = find_instance(
        None,
        {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_DATA_HOME": str(folder / "data"),
        },
    )
    instance.sidecar_token_path.parent.mkdir(parents=True)
    instance.sidecar_token_path.write_text(f"{TOKEN}\n")
    return instance


def config_for(*upstreams: Upstream | str, ca: Path | None = None, **keys: object) -> Config:
    """A configuration with one fingerprinted provider for each upstream."""
    origins = [up if isinstance(up, str) else up.origin for up in upstreams]
    return Config.model_validate(
        {
            "providers": {
                f"p{i}": {"type": "openai", "base_url": origin, "fingerprint_profile": PROFILE}
                for i, origin in enumerate(origins)
            },
            "upstream_ca_file": ca,
            **keys,
        }
    )


@dataclass
class Running:
    """A sidecar that serves."""

    port: int
    instance: Instance
    control: ProcessControl
    config: Config
    """What the next reload reads."""
    client: httpx.AsyncClient

    def request(self, target: str, method: str = "POST", *, drop: str = "", **options: object) -> httpx.Request:
        """A request as the listener makes it; ``drop`` leaves one of the contract headers out."""
        headers = {
            "x-ccproxy-target-url": target,
            "x-ccproxy-impersonate": PROFILE,
            "x-ccproxy-token": TOKEN,
            **options.pop("headers", {}),  # type: ignore[dict-item]
        }
        headers.pop(drop, None)
        url = f"http://127.0.0.1:{self.port}/"
        return self.client.build_request(method, url, headers=headers, **options)  # type: ignore[arg-type]

    async def ask(self, target: str, method: str = "POST", **options: object) -> httpx.Response:
        """The whole answer."""
        return await self.client.send(self.request(target, method, **options))

    @asynccontextmanager
    async def stream(self, target: str, method: str = "POST", **options: object) -> AsyncIterator[httpx.Response]:
        """The answer while it comes."""
        response = await self.client.send(self.request(target, method, **options), stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    def listens(self) -> bool:
        """Whether a new connection is accepted."""
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0

    async def reload(self, config: Config) -> tuple[str, ...]:
        """Why it was refused, or what of it is not used yet."""
        self.config = config
        return (await self.control.reload()).problems


@asynccontextmanager
async def running(folder: Path, config: Config) -> AsyncIterator[Running]:
    """Serve on a free port until the block ends."""
    instance = instance_in(folder)
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(trust_env=False, timeout=30, limits=limits, headers=_bare()) as client:
        running: Running
        control = ProcessControl(
            unit="sidecar",
            instance=instance,
            config=config,
            notifier=Notifier(None),
            load=lambda: Loaded(running.config, (), None),
        )
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        running = Running(port, instance, control, config, client)
        serving = asyncio.create_task(serve({"sidecar": [listening]}, config, instance, control))
        await asyncio.wait({serving, asyncio.create_task(control.ready_event.wait())}, return_when="FIRST_COMPLETED")
        try:
            yield running
        finally:
            control.stopping.set()
            async with asyncio.timeout(20):
                await serving


def _bare() -> Mapping[str, str]:
    return {"accept": "*/*", "user-agent": "the-client/1"}
