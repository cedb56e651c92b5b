"""The activator over real processes: connections, crashes and signals, as they happen."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import pytest

from ccproxy.activator.loop import STOP_MARGIN_S
from ccproxy.activator.unit import GIVE_UP_AFTER
from ccproxy.config.instance import find_instance
from ccproxy.control.lock import Running, read_lock
from ccproxy.control.presence import find_presence
from ccproxy.control.protocol import Unit
from tests.activator import driver
from tests.control.program import PidFd
from tests.support.daemon import TIMEOUT_S, clean_environ, free_ports, wait_for_line
from tests.support.need import need_linux


class Activated:
    """The driver, and somebody who connects."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ccp-"))
        self.proxy, self.sidecar = free_ports(2)
        self.env = clean_environ(self.folder) | {
            "PORTS": f"{self.proxy} {self.sidecar}",
            "PYTHONPATH": str(Path(driver.__file__).parents[2]),
        }
        self.instance = find_instance(None, self.env)
        self.instance.config_dir.mkdir(parents=True)
        self.argv = [sys.executable, "-P", driver.__file__]
        self.log = self.folder / "stderr"
        self.program: subprocess.Popen[str] | None = None

    def behave(self, unit: Unit, how: str) -> None:
        """How a process of this name behaves from its next start on."""
        (self.folder / f"trivial-{unit}").write_text(how)

    def start(self, *flags: str, stderr: int | None = None) -> Self:
        with self.log.open("ab") as log:
            self.program = subprocess.Popen(
                [*self.argv, *flags],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr if stderr is not None else log,
                text=True,
            )
        return self

    def start_eagerly(self) -> Self:
        self.start("--eager")
        assert self._running.stdout is not None
        assert self._running.stdout.readline() == "announced\n", self.said()
        return self

    def ask(self, port: int, line: str) -> str:
        """One question; the activator may have just been started."""
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
                    connection.sendall(line.encode() + b"\n")
                    return connection.makefile().readline().strip()
            except ConnectionRefusedError:
                assert self._running.poll() is None, self.said()

    def process(self, unit: Unit) -> Running | None:
        return read_lock(self.instance, unit)

    def said(self) -> str:
        return self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    def wait(self) -> int:
        return self._running.wait(TIMEOUT_S)

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self.program is not None
        return self.program

    def close(self) -> None:
        if self.program is not None:
            with self.program:
                self.program.terminate()
                try:
                    self.program.wait(TIMEOUT_S)
                finally:
                    self.program.kill()
        for unit in ("listener", "sidecar"):
            if running := self.process(unit):
                os.kill(running.pid, signal.SIGKILL)
        shutil.rmtree(self.folder)


@pytest.fixture
def activated() -> Iterator[Activated]:
    made = Activated()
    yield made
    made.close()


def test_a_process_is_started_by_its_first_connection_and_stays(activated: Activated) -> None:
    pid = activated.start().ask(activated.sidecar, "pid")
    assert activated.ask(activated.sidecar, "pid") == pid
    sidecar = activated.process("sidecar")
    assert sidecar is not None
    assert sidecar.pid == int(pid)
    assert activated.process("listener") is None
    assert find_presence(activated.instance, {})["listener"].state == "waiting"


def test_each_process_has_its_own_sockets_and_no_others(activated: Activated) -> None:
    need_linux()
    activated.start()
    assert activated.ask(activated.proxy, "ports") == str(activated.proxy)
    assert activated.ask(activated.sidecar, "ports") == str(activated.sidecar)


def test_ctrl_c_in_the_terminal_is_for_the_activator_alone(activated: Activated) -> None:
    """A process that got it as well would take the activator's SIGTERM for a second signal, and not drain."""
    pid = int(activated.start().ask(activated.sidecar, "pid"))
    assert activated.program is not None
    assert os.getpgid(pid) == pid != os.getpgid(activated.program.pid)


def test_an_eager_process_runs_before_anybody_connects(activated: Activated) -> None:
    activated.start_eagerly()
    assert activated.process("listener") is not None
    assert activated.process("sidecar") is None


@pytest.mark.parametrize("how", ["kill", "crash"])
def test_a_process_that_dies_is_there_for_the_next_connection_and_the_other_stays(
    activated: Activated, how: str
) -> None:
    activated.start_eagerly()
    listener = activated.ask(activated.proxy, "pid")
    first = activated.ask(activated.sidecar, "pid")
    if how == "kill":
        os.kill(int(first), signal.SIGKILL)
    else:
        assert activated.ask(activated.sidecar, "crash") == ""
    second = activated.ask(activated.sidecar, "pid")
    assert second not in ("", first)
    assert activated.ask(activated.proxy, "pid") == listener
    assert "it is started again at the next connection" in activated.said()


def test_an_eager_process_comes_back_by_itself(activated: Activated) -> None:
    activated.start_eagerly()
    first = activated.process("listener")
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    wait_for_line(activated.log, "listener is ready", count=2)
    second = activated.process("listener")
    assert second is not None
    assert second.pid != first.pid


def test_what_cannot_be_started_is_given_up_with_its_last_words_and_a_reload_tries_again(activated: Activated) -> None:
    activated.behave("sidecar", "crash")
    activated.start_eagerly()
    listener = activated.ask(activated.proxy, "pid")
    with pytest.raises((ConnectionResetError, TimeoutError)):
        assert activated.ask(activated.sidecar, "pid")
        raise ConnectionResetError  # an empty answer: closed as well
    wait_for_line(activated.log, "stays away until")
    assert activated.said().count("last words") == GIVE_UP_AFTER + 1
    assert "sidecar cannot be started. It said last:\n    last words" in activated.said()
    assert find_presence(activated.instance, {})["sidecar"].state == "failed"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", activated.sidecar), timeout=TIMEOUT_S)
    assert activated.ask(activated.proxy, "pid") == listener

    activated.behave("sidecar", "")
    activated.signal(signal.SIGHUP)
    assert activated.ask(activated.sidecar, "pid")
    assert find_presence(activated.instance, {})["sidecar"].state == "running"


@pytest.mark.parametrize("how", ["crash", "refuse"])
def test_nobody_else_can_have_the_port_of_what_was_given_up(activated: Activated, how: str) -> None:
    """Who has the sidecar's port is sent credentials."""
    need_linux()
    activated.behave("sidecar", how)
    activated.start_eagerly()
    for count in (1, 2):
        with suppress(ConnectionError):
            activated.ask(activated.sidecar, "pid")
        wait_for_line(activated.log, "stays away until", count=count)
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", activated.sidecar))
        activated.signal(signal.SIGHUP)


def test_a_reload_waits_for_a_process_that_starts(activated: Activated) -> None:
    os.mkfifo(activated.folder / "gate")
    activated.behave("sidecar", "gate")
    activated.start_eagerly()
    with socket.create_connection(("127.0.0.1", activated.sidecar), timeout=TIMEOUT_S):
        with (activated.folder / "gate").open("w"):  # the sidecar has been started
            activated.signal(signal.SIGHUP)
            wait_for_line(activated.log, "configuration read again")  # by the listener
        wait_for_line(activated.log, "configuration read again", count=2)


def test_a_standard_error_that_nobody_reads_stops_nothing(activated: Activated) -> None:
    reading, writing = os.pipe()
    activated.start("--eager", stderr=writing)
    os.close(writing)
    for port in (activated.proxy, activated.sidecar):
        assert activated.ask(port, "say 1000") == "said"
    os.kill(int(activated.ask(activated.sidecar, "pid")), signal.SIGKILL)
    assert activated.ask(activated.sidecar, "pid")
    with open(reading, "rb") as output:
        said = b""
        while b"lines are missing here" not in said:
            said += output.read1(65536)
        assert activated.ask(activated.proxy, "say 1") == "said"
        activated.signal(signal.SIGTERM)
        assert b" 0 xxx" in output.read()
    assert activated.wait() == 0


def test_it_ends_though_nobody_reads_its_standard_error(activated: Activated) -> None:
    reading, writing = os.pipe()
    activated.start("--eager", stderr=writing)
    assert activated.ask(activated.proxy, "say 1000") == "said"
    activated.signal(signal.SIGTERM)
    assert activated.wait() == 0
    for fd in (reading, writing):
        os.close(fd)


def test_a_stopped_activator_stops_no_process(activated: Activated) -> None:
    """Ctrl-Z, and their standard error is a pipe to it."""
    activated.start_eagerly()
    activated.signal(signal.SIGSTOP)
    assert activated.ask(activated.proxy, "say 1000") == "said"
    assert activated.ask(activated.proxy, "pid")
    activated.signal(signal.SIGCONT)
    wait_for_line(activated.log, "lines are missing here")


@pytest.mark.parametrize(("how", "attempts"), [("crash", GIVE_UP_AFTER), ("refuse", 1)])
def test_without_its_eager_process_it_is_of_no_use(activated: Activated, how: str, attempts: int) -> None:
    activated.behave("listener", how)
    assert activated.start("--eager").wait() == 1
    said = {"crash": "last words", "refuse": "CRITICAL configuration: hooks: cannot be used together"}[how]
    assert activated.said().count(said) == attempts + 1
    assert "listener cannot be started" in activated.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_everything_in_order(activated: Activated, number: signal.Signals) -> None:
    activated.start_eagerly()
    activated.ask(activated.sidecar, "pid")
    activated.signal(number)
    assert activated.wait() == 0
    assert activated.process("listener") is activated.process("sidecar") is activated.process("activator") is None
    assert activated.said().count("ccproxy.control.process        INFO     stopping") == 2
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", activated.proxy), timeout=TIMEOUT_S)
    assert not list(activated.instance.runtime_dir.glob("notify-*"))


def test_a_process_that_does_not_end_is_killed_in_time(activated: Activated) -> None:
    activated.behave("listener", "linger")
    activated.env["SHUTDOWN_TIMEOUT_S"] = str(0.3 - STOP_MARGIN_S)
    activated.start_eagerly()
    activated.signal(signal.SIGTERM)
    assert activated.wait() == 0
    assert "not ended in time: killed" in activated.said()
    assert activated.process("listener") is None


def test_a_second_signal_hurries(activated: Activated) -> None:
    activated.behave("listener", "linger")
    activated.start_eagerly()
    activated.signal(signal.SIGTERM)
    wait_for_line(activated.log, "ccproxy.control.process        INFO     stopping")
    activated.signal(signal.SIGTERM)
    assert activated.wait() == 0
    assert "not drained in time" in activated.said()


def test_a_reload_reaches_what_runs(activated: Activated) -> None:
    activated.start_eagerly()
    assert activated.ask(activated.sidecar, "level") == "INFO"
    activated.instance.config_file.write_text("ccproxy: {log_level: DEBUG}")
    activated.signal(signal.SIGHUP)
    wait_for_line(activated.log, "configuration read again", count=2)
    assert activated.ask(activated.sidecar, "level") == activated.ask(activated.proxy, "level") == "DEBUG"


def test_killing_the_activator_leaves_no_orphan(activated: Activated) -> None:
    need_linux()
    pid = int(activated.start().ask(activated.sidecar, "pid"))
    with closing(PidFd(pid)) as sidecar:
        activated.signal(signal.SIGKILL)
        assert sidecar.wait(TIMEOUT_S)


def test_closing_the_terminal_is_a_stop_not_a_reload(activated: Activated) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(activated.argv[0], [*activated.argv, "--eager"], activated.env)
    with closing(PidFd(pid)) as activator, open(terminal, "rb", buffering=0) as shown:
        text = b""
        while b"announced" not in text:
            text += shown.read(4096)
        shown.close()
        assert activator.wait(TIMEOUT_S)
    # 120: the interpreter could not flush standard output, which went with the terminal.
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (0, 120)
    assert activated.process("listener") is None
