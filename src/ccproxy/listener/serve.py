"""The listener process: mitmproxy, our addon, the web UI, the flow writer, under socket activation.

    await serve(sockets, config, instance, control, start_echo=echo.serve.start)

``sockets["proxy"]`` are served; ``sockets["control"]`` belong to the process around it. Ends when ``control.stopping``
is set, after the exchanges in flight have ended or ``shutdown_timeout_s`` has passed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from ccproxy.auth.credentials import Credentials
from ccproxy.auth.sources import read_secret
from ccproxy.config.folders import make_private_folder
from ccproxy.config.instance import Instance
from ccproxy.config.model import Config
from ccproxy.config.providers import ECHO
from ccproxy.control.process import ProcessControl, Sockets
from ccproxy.control.protocol import CLEAR, JsonObject, Route
from ccproxy.errors import CcproxyError
from ccproxy.flows.kept import StoredMemory
from ccproxy.flows.kept import load as load_memory
from ccproxy.flows.record import FlowRecord
from ccproxy.flows.redact import Redactor
from ccproxy.flows.retention import Limits as FlowLimits
from ccproxy.flows.writer import FlowWriter
from ccproxy.listener.addon import ProxyAddon
from ccproxy.listener.adopt import adopt
from ccproxy.listener.attempt import check_internals
from ccproxy.listener.builtin import builtin_api
from ccproxy.listener.flow_log import log_flows
from ccproxy.listener.forward import Forwarder
from ccproxy.listener.master import ListenerMaster
from ccproxy.listener.memory import give_back, settle
from ccproxy.listener.options import first_options, later_options, quiet_loggers, web_hosts, web_password_of
from ccproxy.listener.policy import Policy, policy_of
from ccproxy.listener.readiness import probe_readiness
from ccproxy.pipeline.load import load as load_pipeline

log = logging.getLogger(__name__)

WEB_TOKEN: Final = "web-token"  # noqa: S105 - a file name
"""File in the listener's runtime folder; the CLI builds the web UI's URL from it."""
FIRST_REQUEST_S: Final = 1.0
"""How long a stop waits for the first request of a connection that was accepted before it."""


class Echo(Protocol):
    """The embedded provider, running."""

    @property
    def port(self) -> int: ...
    @property
    def stop(self) -> Callable[[], Awaitable[None]]: ...


type StartEcho = Callable[[], Awaitable[Echo]]


class Embedded:
    """The embedded provider, from the first configuration on that names it."""

    def __init__(self, start: StartEcho) -> None:
        self.start = start
        self.running: Echo | None = None

    async def port(self, config: Config) -> int | None:
        """Where it listens; None while no configuration wanted it."""
        if self.running is None and any(provider.type == ECHO for provider in config.providers.values()):
            self.running = await self.start()
        return self.running.port if self.running is not None else None

    async def stop(self) -> None:
        if self.running is not None:
            await self.running.stop()


async def serve(
    sockets: Sockets, config: Config, instance: Instance, control: ProcessControl, start_echo: StartEcho
) -> None:
    """Serve until told to stop. Raises ConfigError or CcproxyError when it cannot start."""
    check_internals()
    quiet_loggers(config)
    await probe_readiness(config)
    runtime = make_private_folder(instance.runtime_dir / "listener")
    sidecar_token, web_password = secrets.token_hex(32), await web_password_of(config)
    write_private(instance.sidecar_token_path, sidecar_token)
    write_private(runtime / WEB_TOKEN, web_password)
    credentials = Credentials(config)
    credentials.add_secret("sidecar", sidecar_token)
    credentials.add_secret("web", web_password)
    redactor = Redactor(credentials.secrets)
    control.scrub_logs(redactor.scrub)
    echo = Embedded(start_echo)
    try:
        policy = await policy_for(config, config, credentials, echo)
        limits = FlowLimits.of(config)
        memory = await asyncio.to_thread(load_memory, instance.store_path, limits, time.time())
        writer = FlowWriter(instance.store_path, redactor, limits)
        master = ListenerMaster(
            first_options(config, instance), web_hosts(config), config.limits.web_view_bytes, redactor
        )
        later_options(master, config, web_password)
        addon = ProxyAddon(
            policy=policy,
            credentials=credentials,
            redactor=redactor,
            forwarder=Forwarder(credentials, sidecar_token, builtin_api(lambda: addon.policy), memory),
            keep=keeping(writer, memory),
            show=master.shown.add,
            connections=master.proxyserver.connections,
        )
        master.addons.add(addon)
        log_flows(master, config.inspector.mitmproxy.flow_detail)
        reporting(control, addon, writer, config, echo)
        control.route(CLEAR, clearing(writer, master, memory))
        settle()
        trimming = asyncio.create_task(give_back(lambda: master.shown.passed))
        try:
            await run(master, sockets, control, addon, config.shutdown_timeout_s)
        finally:
            trimming.cancel()
        await asyncio.to_thread(writer.close, 5.0)
    finally:
        await credentials.close()
        await echo.stop()
        (runtime / WEB_TOKEN).unlink(missing_ok=True)


async def policy_for(config: Config, born: Config, credentials: Credentials, echo: Embedded) -> Policy:
    """Load hooks, read the listener token. Raises ConfigError or CredentialError."""
    pipeline = load_pipeline(config.hooks.inbound, config.hooks.outbound)
    token = config.listener_token
    if token is not None:
        token = await read_secret("listener_token", token, config, environ=os.environ)
        credentials.add_secret("listener", token)
    return policy_of(config, born, pipeline, token, await echo.port(config))


def reporting(control: ProcessControl, addon: ProxyAddon, writer: FlowWriter, config: Config, echo: Embedded) -> None:
    """Answer reloads and questions about the state."""

    async def reload(new: Config) -> None:
        policy = await policy_for(new, config, addon.credentials, echo)
        addon.credentials.replace(new)
        addon.replace(policy)
        writer.limits = FlowLimits.of(new)

    def facts() -> JsonObject:
        return {
            "in_flight": len(addon.exchanges),
            "connections": len(addon.connections),
            "flows_lost": writer.lost,
        }

    control.on_reload(reload)
    control.describe(facts)


def keeping(writer: FlowWriter, memory: StoredMemory) -> Callable[[FlowRecord], None]:
    """Has a finished record written, and what its exchange changed in the memory."""

    def keep(record: FlowRecord) -> None:
        if memory.changed or memory.used:
            writer.keep(*memory.take_changes())
        writer.put(record)

    return keep


def clearing(writer: FlowWriter, master: ListenerMaster, memory: StoredMemory) -> Route:
    """Before flows are deleted from the store: nothing more of them is about to be written, or shown."""

    async def clear(asked: JsonObject) -> JsonObject:
        ids = asked.get("ids")
        await asyncio.to_thread(writer.flush)
        if ids is None:
            memory.clear()
        return {"forgotten": master.shown.forget(ids if isinstance(ids, list) else None)}

    return clear


async def run(
    master: ListenerMaster, sockets: Sockets, control: ProcessControl, addon: ProxyAddon, patience_s: float
) -> None:
    """mitmproxy from its first connection to the last drained one. Raises CcproxyError if it ends by itself."""
    listener = await adopt(master, sockets["proxy"])
    running = asyncio.create_task(master.run(), name="mitmproxy")
    stopping = asyncio.create_task(control.stopping.wait())
    up = asyncio.create_task(master.up.wait())
    try:
        await asyncio.wait({running, up}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            addresses = (sock.getsockname() for sock in sockets["proxy"])
            log.info("listening on %s", ", ".join(f"{host}:{port}" for host, port, *_ in addresses))
            control.ready()
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
            raise CcproxyError("mitmproxy ended by itself; the log says why")
        listener.stop_accepting()
        await drain(addon, patience_s)
    finally:
        up.cancel()
        stopping.cancel()
        master.shutdown()  # type: ignore[no-untyped-call]
        await asyncio.wait({running}, timeout=2)


async def drain(addon: ProxyAddon, patience_s: float) -> None:
    """Let exchanges end; their connections close with the answer. What is left in the end is cut, and counted.

    Who connected just now has a moment to send its first request: no new connection is lost.
    """
    addon.closing = True
    now = asyncio.get_running_loop().time
    patience_s += now()
    await asyncio.sleep(0)  # connections that were accepted in this turn of the loop are made in the next
    if addon.unasked:
        with suppress(TimeoutError):
            await asyncio.wait_for(addon.all_asked.wait(), min(FIRST_REQUEST_S, patience_s - now()))
    try:
        await asyncio.wait_for(addon.idle.wait(), patience_s - now())
    except TimeoutError:
        begun = sum(1 for exchange in addon.exchanges.values() if exchange.record.first_byte_at is not None)
        log.warning(
            "%d exchange%s cut when the listener stopped, %d of them before any byte of the answer",
            cut := len(addon.exchanges),
            " was" if cut == 1 else "s were",
            cut - begun,
        )


def write_private(path: Path, text: str) -> None:
    """A file that only we can read, replaced at once. Raises CcproxyError."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        scratch.replace(path)
    except OSError as err:
        raise CcproxyError(f"{path} cannot be written: {err.strerror}") from None
