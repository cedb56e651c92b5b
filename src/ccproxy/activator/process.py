"""One process of the activator, with what the kernel has of it: sockets, notification socket, standard error."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ccproxy.activator.child import spawn
from ccproxy.activator.ports import check_length, listen_again, refuse
from ccproxy.activator.unit import Unit, read_notification

KEPT_LINES = 20
"""What a failed process said last."""
READ_BYTES = 65536
READS = 16
"""Before somebody else has a turn; the pipe of a process that has ended holds less."""


class Process:
    """Sockets that wait for a program, and the program."""

    def __init__(self, unit: Unit, argv: Sequence[str], notify_path: Path, write: Callable[[bytes], None]) -> None:
        """``write`` takes the lines that the program writes."""
        self.unit = unit
        self.sockets: list[tuple[str, socket.socket]] = []
        """(name, socket)"""
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        """Where the program says READY, STATUS, …"""
        self.output = -1
        """Read end of its standard output and error; -1 without one."""
        self.said: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._line = b""
        """The beginning of a line whose end has not been read yet."""
        self._write = write
        self._argv = argv
        self._notify_path = notify_path
        check_length(notify_path)
        notify_path.unlink(missing_ok=True)
        self.notify.bind(str(notify_path))
        notify_path.chmod(0o600)
        self.notify.setblocking(False)

    def start(self, environ: Mapping[str, str], now: float) -> None:
        """Run the program."""
        self.said.clear()
        self.output, writing = os.pipe()
        os.set_blocking(self.output, False)
        try:
            own = {**environ, "NOTIFY_SOCKET": str(self._notify_path)}
            self.unit.started(spawn(self._argv, own, self.sockets, writing), now)
        finally:
            os.close(writing)

    def send(self, number: signal.Signals) -> None:
        """A signal for the program, if it runs."""
        if self.unit.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.unit.pid, number)

    def read_notifications(self) -> bool:
        """Take in what the program told; whether it became READY for the first time."""
        first_ready = False
        with suppress(BlockingIOError):
            while True:
                first_ready |= read_notification(self.unit, self.notify.recv(READ_BYTES))
        return first_ready

    def relay_output(self) -> bool:
        """Pass on what the program has written, and keep its end; False when there will be no more."""
        for _ in range(READS):
            try:
                data = os.read(self.output, READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            lines, end, self._line = (self._line + data).rpartition(b"\n")
            self._pass_on(lines + end)
            if len(self._line) > READ_BYTES:
                self._pass_on(self._line)
                self._line = b""
        return True

    def close_output(self) -> None:
        """Read no more of it."""
        if self.output >= 0:
            if self._line:
                self._pass_on(self._line + b"\n")
                self._line = b""
            os.close(self.output)
            self.output = -1

    def _pass_on(self, lines: bytes) -> None:
        self.said.extend(lines.splitlines())
        self._write(lines)

    def refuse(self) -> None:
        """Nothing will serve the sockets for now. Only when the program does not run: it has the same ones."""
        for _, each in self.sockets:
            refuse(each)

    def listen_again(self) -> None:
        """The end of ``refuse``. Raises OSError."""
        for _, each in self.sockets:
            listen_again(each)

    def close_sockets(self) -> None:
        """Refuse connections from here on, as far as this process is concerned."""
        for _, each in self.sockets:
            each.close()
        self.sockets.clear()

    def close(self) -> None:
        self.close_sockets()
        self.close_output()
        self.notify.close()
        self._notify_path.unlink(missing_ok=True)

    def last_words(self) -> str:
        """What the program wrote last, one line each."""
        return "\n".join(line.decode("utf-8", "replace") for line in self.said)
