"""Starts, stops, reloads and crashes, while requests come in."""

from __future__ import annotations

import asyncio
import http.client
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest

from ccproxy.control.client import ControlClient
from ccproxy.flows.reader import FlowReader
from tests.e2e.load import Load
from tests.listener.client import Broken, Kind, connect
from tests.listener.stand import message, quiet_ports
from tests.support.certificates import Authority
from tests.support.daemon import Daemon, Via
from tests.support.upstream import Answer, Gate, Upstream, sse

ECHO = "sk-ant-oat-ccproxy-echo"
SCRIPTED = "sk-ant-oat-ccproxy-scripted"
SECURE = "sk-ant-oat-ccproxy-secure"
EVENTS = [
    b'event: message_start\ndata: {"type":"message_start"}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
WAIT_S = 15.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """What ``condition`` gives, once that is true. Nothing tells when a process has ended or written."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {WAIT_S:g} s")


class Sites:
    """Where the scripted upstreams are: one in plain HTTP/1.1, one in HTTP/2 over TLS."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.ports = quiet_ports(2)

    def plain(self, answer: Answer) -> AbstractContextManager[Upstream]:
        return Upstream.in_thread(answer, port=self.ports[0])

    def secure(self, answer: Answer) -> AbstractContextManager[Upstream]:
        return Upstream.in_thread(answer, port=self.ports[1], http2=True, authority=self.authority)

    def settings(self, **more: Any) -> dict[str, Any]:
        """A configuration that names them, and echo."""
        providers = {
            "echo": {"type": "echo"},
            "scripted": {"type": "anthropic", "base_url": f"http://127.0.0.1:{self.ports[0]}"},
            "secure": {"type": "anthropic", "base_url": f"https://localhost:{self.ports[1]}"},
        }
        trusted = str(self.authority.ca_file)
        return {"providers": providers, "upstream_ca_file": trusted, "shutdown_timeout_s": 5, **more}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    return Sites(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def daemon(sites: Sites) -> Iterator[Daemon]:
    with Daemon(sites.settings()) as daemon:
        yield daemon


def stopping(daemon: Daemon) -> bool:
    """Whether the listener that runs has been told to stop."""
    return "stopping" in daemon.logs().rpartition("listening on")[2]


def ask(port: int, body: bytes | None = None) -> tuple[int, bytes]:
    """One echo request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("POST", "/v1/messages", body or message(), {"x-api-key": ECHO})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def restarted(daemon: Daemon, old: int) -> bool:
    running = daemon.running("listener")
    return running is not None and running.pid != old


@pytest.mark.parametrize("via", get_args(Via.__value__))
def test_a_request_made_before_the_listener_runs_is_answered(via: Via) -> None:
    daemon = Daemon(via=via)
    try:
        daemon.start(wait=False)
        connection = until(lambda: connected(daemon.port), "a bound port")
        assert daemon.running("listener") is None
        body = message()
        connection.sendall(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (ECHO.encode(), len(body), body)
        )
        connection.settimeout(WAIT_S)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert daemon.running("listener") is not None
        assert ask(daemon.port)[0] == 200
        connection.close()
    finally:
        daemon.__exit__()


def connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    except ConnectionRefusedError:
        return None


def test_restarts_of_the_listener_lose_no_new_connection(daemon: Daemon) -> None:
    with Load(daemon.port, ECHO) as load:
        for _ in range(3):
            load.wait_for(30)
            old = daemon.kill("listener", signal.SIGTERM)
            until(partial(restarted, daemon, old), "another listener")
        load.wait_for(30)
    assert not load.failures, f"{load.failures}\n{daemon.logs()}"


def test_restarts_break_kept_connections_only_before_an_answer(daemon: Daemon) -> None:
    with Load(daemon.port, ECHO, kept=True) as load:
        for _ in range(2):
            load.wait_for(30)
            old = daemon.kill("listener", signal.SIGTERM)
            until(partial(restarted, daemon, old), "another listener")
        load.wait_for(30)
    assert not load.failures, f"{load.failures}\n{daemon.logs()}"


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
async def test_a_stream_in_flight_ends_whole_while_new_connections_wait(
    daemon: Daemon, sites: Sites, client_kind: Kind
) -> None:
    gate = Gate()
    with sites.plain(sse(EVENTS, gap=gate)):
        async with connect(client_kind, daemon.port) as client, connect("h1", daemon.port) as idle:
            assert (await idle.ask("GET", "/health")).status == 200
            reply = await client.post("/v1/messages", message(stream=True), key=SCRIPTED)
            assert await reply.piece() == EVENTS[0]
            old = daemon.kill("listener", signal.SIGTERM)
            until(lambda: stopping(daemon), "the stop")
            async with connect("h1", daemon.port) as late:
                await late.submit("/v1/messages", message(), key=ECHO)
                with pytest.raises(TimeoutError):  # it waits for the next process
                    await asyncio.wait_for(late.reader.read(1), 0.3)
                gate.step()
                assert await reply.rest() == b"".join(EVENTS)
                assert (await late.answer()).status == 200
    assert restarted(daemon, old)


async def test_a_connection_that_was_accepted_before_a_stop_is_served(daemon: Daemon) -> None:
    async with connect("h1", daemon.port) as client:
        until(lambda: ControlClient(daemon.instance).status().facts["connections"], "the connection")
        old = daemon.kill("listener", signal.SIGTERM)
        until(lambda: stopping(daemon), "the stop")
        with pytest.raises(TimeoutError):  # it is not closed at once
            await asyncio.wait_for(client.reader.read(1), 0.3)
        reply = await client.post("/v1/messages", message(), key=ECHO)
        assert (reply.status, reply.header("connection")) == (200, "close")
        assert b"hi" in await reply.rest()
    until(lambda: restarted(daemon, old), "another listener")


@pytest.mark.parametrize("key", [ECHO, SECURE])
@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
async def test_answers_that_begin_during_a_stop_close_their_connection(
    daemon: Daemon, sites: Sites, client_kind: Kind, key: str
) -> None:
    gate = Gate()
    with sites.plain(sse(EVENTS, gap=gate)), sites.secure(sse(EVENTS)):
        async with connect("h1", daemon.port) as streaming, connect(client_kind, daemon.port) as kept:
            assert await (await kept.ask("GET", "/health")).rest()
            reply = await streaming.post("/v1/messages", message(stream=True), key=SCRIPTED)
            assert await reply.piece() == EVENTS[0]
            old = daemon.kill("listener", signal.SIGTERM)
            until(lambda: stopping(daemon), "the stop")
            late = await kept.post("/v1/messages", message(stream=True), key=key)
            assert late.status == 200
            assert b"message_stop" in await late.rest()
            if client_kind == "h1":
                assert late.header("connection") == "close"
                assert await kept.closed() == b""
            else:
                assert not late.header("connection"), "RFC 9113 §8.2.2 forbids it"
            gate.step()
            assert await reply.rest() == b"".join(EVENTS)
    until(lambda: restarted(daemon, old), "another listener")


def test_a_killed_listener_is_there_again_for_the_next_connection(daemon: Daemon) -> None:
    for _ in range(2):
        old = daemon.kill("listener")
        assert ask(daemon.port)[0] == 200
        assert restarted(daemon, old)


def test_killing_sidecar_and_mcp_fails_no_request(daemon: Daemon) -> None:
    for port, unit in ((daemon.sidecar_port, "sidecar"), (daemon.mcp_port, "mcp")):
        activate(daemon, port, unit)
    with Load(daemon.port, ECHO, clients=2) as load:
        for port, unit in ((daemon.sidecar_port, "sidecar"), (daemon.mcp_port, "mcp")):
            load.wait_for(20)
            old = daemon.kill(unit)
            load.wait_for(20)
            activate(daemon, port, unit)
            assert daemon.pid(unit) != old
    assert not load.failures


def activate(daemon: Daemon, port: int, unit: str) -> None:
    """Ask until the process behind this port answers: whoever connected to one that was killed is cut off."""

    def answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    until(answers, unit)


# ---- reload ----


@pytest.mark.parametrize("how", ["SIGHUP", "control socket"])
def test_a_reload_changes_the_routes_and_loses_nothing(daemon: Daemon, sites: Sites, how: str) -> None:
    def reload() -> None:
        if how == "SIGHUP":
            seen = daemon.logs().count("configuration read again")
            daemon.kill("listener", signal.SIGHUP)
            until(lambda: daemon.logs().count("configuration read again") > seen, "the reload")
        else:
            assert ControlClient(daemon.instance).reload().applied

    def status(key: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=WAIT_S)
        connection.request("POST", "/v1/messages", message(), {"x-api-key": key})
        answered = connection.getresponse().status
        connection.close()
        return answered

    pid = daemon.pid("listener")
    with Load(daemon.port, ECHO) as load:
        load.wait_for(10)
        more = sites.settings()
        more["providers"]["second"] = {"type": "echo"}
        daemon.write_config(more)
        reload()
        assert status("sk-ant-oat-ccproxy-second") == 200
        load.wait_for(10)
        daemon.write_config(sites.settings())
        reload()
        assert status("sk-ant-oat-ccproxy-second") == 401
        load.wait_for(10)
    assert not load.failures
    assert daemon.pid("listener") == pid


@pytest.mark.parametrize(
    "bad",
    ["ccproxy: [", "ccproxy: {port: many}", "ccproxy: {hooks: {inbound: [no.such.module]}}", "ccproxy: {lisener: 1"],
)
def test_a_bad_configuration_is_refused_and_the_old_one_stays(daemon: Daemon, sites: Sites, bad: str) -> None:
    try:
        daemon.write_config(bad)
        reply = ControlClient(daemon.instance).reload()
        assert not reply.applied
        assert reply.problems
        assert ask(daemon.port)[0] == 200
        assert "the old one stays" in daemon.logs()
    finally:
        daemon.write_config(sites.settings())
    assert ControlClient(daemon.instance).reload().applied


def test_a_reload_can_add_the_embedded_provider(sites: Sites) -> None:
    config = sites.settings()
    del config["providers"]["echo"]
    with Daemon(config) as daemon:
        assert ask(daemon.port)[0] == 401
        daemon.write_config(sites.settings())
        assert ControlClient(daemon.instance).reload().applied
        assert ask(daemon.port)[0] == 200


# ---- the store cannot be written ----


def test_a_full_disk_stops_no_traffic_and_the_loss_is_told() -> None:
    with Daemon() as daemon:
        assert ask(daemon.port)[0] == 200
        reader = FlowReader(daemon.instance.store_path)
        until(lambda: reader.count() == 1, "the first flow")
        pid = daemon.pid("listener")
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))  # EFBIG, as ENOSPC on a full disk
        for _ in range(5):
            assert ask(daemon.port, message(filler="f" * 20_000))[0] == 200
        lost = until(lambda: ControlClient(daemon.instance).status().facts["flows_lost"], "the loss")
        assert lost == 5
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        assert ask(daemon.port)[0] == 200
        until(lambda: reader.count() == 2, "the flow after it")
        assert "5 flows are not recorded" in daemon.logs()


def test_a_state_folder_that_cannot_be_made_stops_no_traffic_and_the_loss_is_told() -> None:
    daemon = Daemon()
    daemon.instance.state_dir.parent.mkdir(exist_ok=True)
    daemon.instance.state_dir.write_text("a file in its place")
    with daemon:
        assert ask(daemon.port)[0] == 200
        until(lambda: ControlClient(daemon.instance).status().facts["flows_lost"], "the loss")
        assert "1 flow is not recorded" in daemon.logs()


# ---- who else ----


def test_a_second_daemon_of_the_instance_names_the_first(daemon: Daemon) -> None:
    done = daemon.cli("start")
    assert done.returncode == 1
    assert str(daemon.pid("activator")) in done.stderr


def test_a_port_in_use_names_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = Daemon({"port": taken.getsockname()[1]})
        try:
            done = daemon.cli("start")
        finally:
            daemon.__exit__()
    assert done.returncode == 1
    assert f"pid {os.getpid()}" in done.stderr
    assert f"uid {os.getuid()}" in done.stderr


# ---- the end ----


async def test_a_stream_that_goes_on_is_cut_after_its_time(sites: Sites) -> None:
    with (
        sites.plain(sse(EVENTS, gap=Gate())) as upstream,
        Daemon(sites.settings(shutdown_timeout_s=0.5)) as daemon,
    ):
        async with connect("h1", daemon.port) as client:
            reply = await client.post("/v1/messages", message(stream=True), key=SCRIPTED)
            assert await reply.piece() == EVENTS[0]
            began = time.monotonic()
            assert daemon.stop() == 0
            took = time.monotonic() - began
            with pytest.raises(Broken):
                await reply.rest()
        assert took < 5
        assert "1 exchange was cut when the listener stopped, 0 of them before any byte" in daemon.logs()
        upstream.block_until(lambda seen: bool(seen.broken_off))


def test_a_stop_leaves_no_process_and_no_secret_behind() -> None:
    daemon = Daemon()
    with daemon:
        assert ask(daemon.port)[0] == 200
        pids = [daemon.pid(unit) for unit in ("activator", "listener")]
        runtime = daemon.instance.runtime_dir / "listener"
        assert (runtime / "web-token").stat().st_mode & 0o777 == 0o600
        assert daemon.stop() == 0
        assert not (runtime / "web-token").exists()
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        ps = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert str(daemon.folder) not in ps
