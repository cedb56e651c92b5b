"""The trivial process, started with sockets as systemd starts it, and the test in systemd's place."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from ccproxy.activator.child import spawn
from ccproxy.config.instance import find_instance
from ccproxy.control.protocol import Unit
from tests.control import trivial
from tests.support.daemon import TIMEOUT_S, clean_environ

ARGV = (sys.executable, "-P", trivial.__file__)


class Program:
    """One trivial process in folders of its own."""

    def __init__(
        self, unit: Unit = "listener", config: str = "", *, argv: Sequence[str] = ARGV, **environ: str
    ) -> None:
        self.unit = unit
        self.argv = argv
        """The program; the unit's name is added to it."""
        self.folder = Path(tempfile.mkdtemp(prefix="ccp-"))
        self.env = clean_environ(self.folder) | environ
        self.instance = find_instance(None, self.env)
        self.instance.config_dir.mkdir(parents=True)
        self.instance.runtime_dir.mkdir(mode=0o700)
        if config:
            self.write_config(config)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify"))
        self.notify.settimeout(TIMEOUT_S)
        self.env["NOTIFY_SOCKET"] = str(self.folder / "notify")
        self.sockets: list[tuple[str, socket.socket]] = []
        self.pid = 0
        self._log = self.folder / "stderr"

    def listen(self) -> Self:
        """Make the sockets that a listener is given; a process is given all of them, by name."""
        tcp = socket.create_server(("127.0.0.1", 0))
        control = socket.socket(socket.AF_UNIX)
        control.bind(str(self.instance.control_path))
        control.listen()
        self.sockets = [("control", control), ("proxy", tcp)] if self.unit == "listener" else [(self.unit, tcp)]
        return self

    @property
    def address(self) -> tuple[str, int]:
        return self.sockets[-1][1].getsockname()[:2]

    def start(self) -> Self:
        with self._log.open("ab") as output:
            self.pid = spawn([*self.argv, self.unit], self.env, self.sockets, output.fileno())
        return self

    def ask(self, line: str) -> str:
        with socket.create_connection(self.address, timeout=TIMEOUT_S) as connection:
            connection.sendall(line.encode() + b"\n")
            return connection.makefile().readline().strip()

    def told(self, text: str) -> str:
        """The next notification that holds ``text``."""
        while True:
            message = self.notify.recv(65536).decode()
            if text in message:
                return message

    def write_config(self, text: str) -> None:
        self.instance.config_file.write_text(text)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit status, negative for a signal."""
        with contextlib.closing(PidFd(self.pid)) as ended:
            assert ended.wait(TIMEOUT_S), self.output()
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def output(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        for _, each in self.sockets:
            each.close()
        self.notify.close()
        shutil.rmtree(self.folder)


class PidFd:
    """Waits for any process to end; where there is no pidfd_open(2), by looking."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._fd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1

    def wait(self, timeout_s: float) -> bool:
        if self._fd >= 0:
            return bool(select.select([self._fd], [], [], timeout_s)[0])
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.01)
        return False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
