"""Start-up, reload and shutdown, on a real process with sockets passed to it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy import logs
from ccproxy.activator.child import spawn
from ccproxy.config.inspector import MitmproxyOptions
from ccproxy.config.instance import find_instance
from ccproxy.config.load import Loaded
from ccproxy.config.model import Config
from ccproxy.control.client import ControlClient
from ccproxy.control.lock import read_lock
from ccproxy.control.process import RESTART_KEYS, ProcessControl, changed_keys
from ccproxy.errors import ControlError, Problem
from ccproxy.systemd import Notifier
from tests.control.program import ARGV, PidFd, Program
from tests.support.daemon import TIMEOUT_S
from tests.support.need import need_linux

DEBUG = "ccproxy: {log_level: DEBUG}"


@pytest.fixture
def program() -> Iterator[Program]:
    with Program().listen().start() as running:
        running.told("READY=1")
        yield running


def test_a_process_serves_its_sockets_by_name_and_ends_in_order(program: Program) -> None:
    assert program.ask("pid") == str(program.pid)
    program.send(signal.SIGTERM)
    assert "STOPPING=1" in program.told("STOPPING")
    assert program.wait() == 0


def test_a_request_that_came_before_the_process_is_answered() -> None:
    with Program().listen() as program, socket.create_connection(program.address, timeout=30) as early:
        early.sendall(b"pid\n")
        program.start()
        assert early.makefile().readline().strip() == str(program.pid)


def test_ctrl_c_ends_it_in_order_too(program: Program) -> None:
    program.send(signal.SIGINT)
    assert program.wait() == 0


def test_its_children_inherit_neither_sockets_nor_the_manager(program: Program) -> None:
    environment = program.ask("environment").split()
    assert not [name for name in environment if name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_", "CCPROXY_ACT"))]


def test_it_holds_its_lock_and_says_who_it_is(program: Program) -> None:
    running = read_lock(program.instance, "listener")
    assert running is not None
    assert running.pid == program.pid
    assert running.sockets["proxy"] == [f"127.0.0.1:{program.address[1]}"]
    assert running.sockets["control"] == [str(program.instance.control_path)]
    assert running.log == str(program.instance.log_path)
    program.send(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    assert read_lock(program.instance, "listener") is None


def test_a_second_one_of_the_instance_names_the_first(program: Program) -> None:
    first = program.pid
    program.start()
    try:
        assert program.wait() == 1
        assert f"the listener of instance 'ccproxy' is running already: pid {first}" in program.output()
        assert f"pid {first}" in program.told("ERRNO=16")
    finally:
        program.pid = first


def test_a_reload_by_signal_is_used_and_reported(program: Program) -> None:
    assert program.ask("level") == "INFO"
    program.write_config(DEBUG)
    program.send(signal.SIGHUP)
    reloading = program.told("RELOADING=1")
    assert int(reloading.partition("MONOTONIC_USEC=")[2]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    assert "STATUS=ready" in program.told("READY=1")
    assert program.ask("level") == "DEBUG"


def test_a_reload_that_comes_while_it_starts_waits_until_it_is_ready() -> None:
    with Program(TRIVIAL="gate").listen() as program:
        os.mkfifo(program.folder / "gate")
        program.start()
        with (program.folder / "gate").open("w"):  # both are there now
            program.write_config(DEBUG)
            program.send(signal.SIGHUP)
        assert program.notify.recv(99).startswith(b"READY=1")
        assert program.notify.recv(99).startswith(b"RELOADING=1")
        assert program.notify.recv(99).startswith(b"READY=1")
        assert program.ask("level") == "DEBUG"


def test_a_reload_that_comes_before_the_loop_is_not_lost() -> None:
    """The configuration is a pipe, so that the signal comes while it is being read."""
    with Program().listen() as program:
        os.mkfifo(program.instance.config_file)
        program.start()
        with program.instance.config_file.open("w") as config:
            program.send(signal.SIGHUP)
            config.write("ccproxy: {}")
        program.told("READY=1")
        program.write_config(DEBUG)  # blocks until it is read again
        program.told("RELOADING=1")
        program.told("READY=1")
        assert program.ask("level") == "DEBUG"


@pytest.mark.parametrize("bad", ["ccproxy: {port: many, log_level: LOUD}", "ccproxy: {log_level: CRITICAL}", "a: [b"])
def test_a_bad_file_keeps_the_old_configuration_and_says_so(program: Program, bad: str) -> None:
    program.write_config(bad)
    program.send(signal.SIGHUP)
    program.told("RELOADING=1")
    assert "the old one stays" in program.told("READY=1")
    assert program.ask("level") == "INFO"
    assert "configuration: " in program.output()
    program.write_config(DEBUG)
    assert ControlClient(program.instance).reload().applied
    assert program.ask("level") == "DEBUG"


def test_a_reload_over_the_control_socket_lists_every_problem(program: Program) -> None:
    client = ControlClient(program.instance)
    program.write_config("ccproxy:\n  port: many\n  log_level: LOUD\n  hst: x\n")
    refused = client.reload()
    assert not refused.applied
    assert [problem.split(": ")[1] for problem in refused.problems] == ["port", "log_level", "hst"]
    assert "the old one stays" in client.status().state
    program.write_config("ccproxy: {port: 4999, log_level: DEBUG}")
    applied = client.reload()
    assert applied.applied
    assert applied.problems == ("port: the new value is used after a restart",)
    status = client.status()
    assert (status.pid, status.state, status.facts) == (program.pid, "ready", {"level": "DEBUG"})


@pytest.mark.parametrize(
    ("level", "told"),
    [("ERROR", "listener_token: its file cannot be read"), ("WARNING", "RuntimeError; the log says more")],
)
def test_a_reload_that_fails_says_why_and_keeps_the_old_configuration(program: Program, level: str, told: str) -> None:
    program.write_config(f"ccproxy: {{log_level: {level}}}")
    reply = ControlClient(program.instance).reload()
    assert (reply.applied, reply.problems) == (False, (told,))
    assert program.ask("level") == "INFO"
    assert f"configuration: {told}" in program.output()
    assert ("a defect" in program.output()) == (level == "WARNING"), "a traceback is for defects"


@pytest.mark.parametrize("eager", [False, True])
async def test_reloads_that_come_while_one_runs_are_one(tmp_path: Path, eager: bool) -> None:
    """Also where tasks are eager, as mitmproxy has them."""
    if eager:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    begun, gate = threading.Semaphore(0), threading.Semaphore(0)
    warnings = iter("abc")

    def load() -> Loaded:
        warning = Problem(next(warnings), "…", severity="warning")  # as the file is now, which may change at once
        begun.release()
        assert gate.acquire(timeout=TIMEOUT_S)
        return Loaded(Config(), (warning,), None)

    control = ProcessControl("mcp", find_instance(str(tmp_path), {}), Config(), Notifier(None), load)
    control.ready()
    first = asyncio.create_task(control.reload())
    assert await asyncio.to_thread(begun.acquire, timeout=TIMEOUT_S)
    later = [asyncio.create_task(control.reload()) for _ in range(100)]
    await asyncio.sleep(0)
    later.pop().cancel()  # one who asked went away
    gate.release()
    assert await asyncio.to_thread(begun.acquire, timeout=TIMEOUT_S)
    last = asyncio.create_task(control.reload())
    gate.release(2)
    async with asyncio.timeout(TIMEOUT_S):
        assert (await first).problems == ("a: …",)
        assert {(await each).problems for each in later} == {("b: …",)}
        assert (await last).problems == ("c: …",), "it came when the file had been read already"


@pytest.mark.parametrize(("verbose", "level"), [(False, "WARNING"), (True, "DEBUG")])
async def test_a_reload_changes_the_log_level_unless_a_flag_set_it(tmp_path: Path, verbose: bool, level: str) -> None:
    loggers = (logging.getLogger(), logging.getLogger("ccproxy"))
    before = [each.level for each in loggers]
    try:
        logs.set_level("DEBUG")
        new = Loaded(Config(log_level="WARNING"), (), None)
        instance = find_instance(str(tmp_path), {})
        control = ProcessControl("mcp", instance, Config(), Notifier(None), lambda: new, verbose=verbose)
        control.ready()
        assert (await control.reload()).applied
        assert logging.getLevelName(logging.getLogger("ccproxy").level) == level
    finally:
        for each, number in zip(loggers, before, strict=True):
            each.setLevel(number)


def test_routes_are_added_and_fail_one_at_a_time(program: Program) -> None:
    client = ControlClient(program.instance)
    assert client.post("/shout", {"text": "hey"}) == {"text": "HEY"}
    for message, words in (({}, "text is missing"), ({"text": "bug"}, "RuntimeError in the listener")):
        with pytest.raises(ControlError, match=words):
            client.post("/shout", message)
    with pytest.raises(ControlError, match="does not know 'POST /whisper'"):
        client.post("/whisper")
    assert client.post("/shout", {"text": "still here"}) == {"text": "STILL HERE"}


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("fail", "RuntimeError: a defect"),
        ("leave", "ended without being asked to"),
        ("refuse", "configuration: hooks: cannot be used together"),
    ],
)
def test_a_serve_that_fails_ends_the_process_with_1(mode: str, said: str) -> None:
    with Program(TRIVIAL=mode).listen().start() as program:
        assert program.wait() == 1
        assert said in program.output()
        assert read_lock(program.instance, "listener") is None


def test_a_refused_configuration_is_told_to_the_manager() -> None:
    with Program(config="ccproxy:\n  port: many\n  log_level: LOUD\n").listen().start() as program:
        message = program.told("ERRNO=22")
        assert "port" in message
        assert "log_level" in message
        assert program.wait() == 1
        assert len(program.output().splitlines()) == 2


def test_without_sockets_it_says_who_starts_it() -> None:
    with Program("sidecar").start() as program:
        assert program.wait() == 1
        assert "Run `ccproxy start`" in program.output()


def test_sockets_for_another_process_are_not_taken() -> None:
    with Program("sidecar") as program:
        program.env |= {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "sidecar"}
        assert program.start().wait() == 1


def test_the_watchdog_is_fed() -> None:
    with Program("mcp", WATCHDOG_USEC="50000").listen().start() as program:
        program.told("READY=1")
        for _ in range(3):
            program.told("WATCHDOG=1")


def test_what_does_not_drain_is_ended_by_a_second_signal() -> None:
    with Program("mcp", TRIVIAL="linger").listen().start() as program:
        program.told("READY=1")
        program.send(signal.SIGTERM)
        program.told("STOPPING=1")
        program.send(signal.SIGTERM)
        assert program.wait() == 0
        assert "not drained in time" in program.output()


def test_a_standard_error_that_nobody_reads_stops_nothing() -> None:
    reading, writing = os.pipe()
    with Program("mcp", config="ccproxy: {log_file: null}").listen() as program:
        program.pid = spawn([*ARGV, "mcp"], program.env, program.sockets, writing)
        os.close(writing)
        program.told("READY=1")
        assert program.ask("say 2000") == "said"
        assert program.ask("pid") == str(program.pid)
        with open(reading, "rb") as output:
            said = b""
            while b"lines are missing here" not in said:
                said += output.read1(65536)
            assert b" 0 xxx" in said
            assert program.ask("say 1") == "said"
            program.send(signal.SIGTERM)
            assert b" 0 xxx" in (rest := output.read())
            assert b"stopping" in rest
        assert program.wait() == 0


def test_a_process_ends_though_nobody_reads_its_standard_error() -> None:
    reading, writing = os.pipe()
    with Program("mcp").listen() as program:
        program.pid = spawn([*ARGV, "mcp"], program.env, program.sockets, writing)
        program.told("READY=1")
        assert program.ask("say 200") == "said"
        program.send(signal.SIGTERM)
        assert program.wait() == 0
    for fd in (reading, writing):
        os.close(fd)


def test_it_goes_with_the_activator_that_started_it() -> None:
    need_linux()
    with Program("mcp").listen() as program:
        program.env.pop("NOTIFY_SOCKET")
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            child = program.start().pid
            os.write(writing, str(child).encode())
            signal.pause()
        child = int(os.read(reading, 16))
        assert int(program.ask("pid")) == child
        ended = PidFd(child)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert ended.wait(30)
        for fd in (reading, writing):
            os.close(fd)
        ended.close()


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ({"host": "::1", "port": 1, "sidecar": {"port": 2}}, ["host", "port", "sidecar.port"]),
        (
            {"mcp": {"http": {"enabled": False, "host": "::1", "port": 3, "auth": {"type": "env", "env": "X"}}}},
            ["mcp.http.enabled", "mcp.http.host", "mcp.http.port"],
        ),
        (
            {"inspector": {"port": 4, "cert_dir": "/c", "tls_keylog": True, "transforms": [{"dest_provider": "echo"}]}},
            ["inspector.port", "inspector.cert_dir", "inspector.tls_keylog"],
        ),
        ({"upstream_ca_file": "/ca.pem"}, ["upstream_ca_file"]),
        (
            {"log_file": "/l", "use_journal": True, "journal_identifier": "x", "log_level": "DEBUG"},
            ["log_file", "journal_identifier", "use_journal"],
        ),
        (
            {"limits": {"web_view_bytes": 5, "body_bytes": 6}, "shutdown_timeout_s": 7},
            ["limits.web_view_bytes", "shutdown_timeout_s"],
        ),
    ],
)
def test_only_what_needs_a_restart_is_reported(section: dict[str, object], keys: list[str]) -> None:
    assert changed_keys(Config(), Config.model_validate(section)) == keys


def test_what_is_handed_to_mitmproxy_needs_a_restart_but_for_what_ccproxy_does_itself() -> None:
    ours = {"inspector.mitmproxy.stream_large_bodies"}
    handed = {f"inspector.mitmproxy.{name}" for name in MitmproxyOptions.model_fields} - ours
    assert {key for key in RESTART_KEYS if key.startswith("inspector.mitmproxy.")} == handed
