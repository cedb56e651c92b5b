"""One lock file for each process of an instance, ``$RUNTIME/<unit>.lock``.

The process holds flock(2) on it as long as it lives, however it ends, and writes into it who it is. So there is one
listener per instance, and anybody can ask "is it running?" without a connection, which would start it::

    {"pid": 4711, "version": "3.0.0", "started_at": 1795000000.0, "log": "/…/ccproxy.log",
     "sockets": {"proxy": ["127.0.0.1:4000"], "control": ["/run/user/1000/ccproxy/control"]}, "failed": []}

The file is never removed: a second process could then lock a file that nobody else can see.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ccproxy import __version__
from ccproxy.config.folders import make_private_folder
from ccproxy.control.protocol import Unit
from ccproxy.errors import CcproxyError

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance

ATTEMPTS = 20
ATTEMPT_PAUSE_S = 0.01
"""A reader holds the lock for some microseconds, a writer's file is empty for as long: both look again."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the holder of a lock says of itself."""

    pid: int
    """0: it holds the lock and has not said who it is."""
    version: str = ""
    started_at: float = 0.0
    """Unix seconds."""
    sockets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses by socket name: ``127.0.0.1:4000``, ``[::1]:4000``, a path."""
    log: str = ""
    """``journal:IDENTIFIER``, a file's path, ``stderr``."""
    failed: tuple[str, ...] = ()
    """Of an activator: the processes that it has given up starting."""


class Lock:
    """Held by this process until it ends, or until the ``with`` block does."""

    def __init__(self, fd: int, running: Running) -> None:
        self._fd = fd
        self.running = running

    @classmethod
    def take(cls, instance: Instance, unit: Unit, *, sockets: Mapping[str, Sequence[str]], log: str = "") -> Lock:
        """Become the instance's ``unit``. Raises CcproxyError, naming the pid, if another process is."""
        path = instance.lock_path(unit)
        make_private_folder(path.parent)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise CcproxyError(f"the lock file {path} cannot be opened: {error.strerror}") from None
        for _ in range(ATTEMPTS):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(ATTEMPT_PAUSE_S)
        else:
            os.close(fd)
            holder = read_lock(instance, unit)
            what = "daemon" if unit == "activator" else unit
            pid = holder.pid if holder is not None else "unknown"
            raise CcproxyError(f"the {what} of instance {instance.name!r} is running already: pid {pid}")
        lock = cls(fd, Running(os.getpid(), __version__, time.time(), sockets, log))
        lock._write()
        return lock

    def mark_failed(self, failed: Iterable[str]) -> None:
        """Say which processes this activator has given up."""
        self.running = replace(self.running, failed=tuple(failed))
        self._write()

    def release(self) -> None:
        """Let another process have it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _write(self) -> None:
        data = json.dumps(asdict(self.running)).encode()
        os.pwrite(self._fd, data, 0)
        os.ftruncate(self._fd, len(data))


def read_lock(instance: Instance, unit: Unit) -> Running | None:
    """Who runs as ``unit``; None when nobody does. Starts nothing, and does not raise for a strange file."""
    try:
        fd = os.open(instance.lock_path(unit), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        running = None
        for _ in range(ATTEMPTS):
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                running = decode_running(os.pread(fd, 65536, 0))
                if running is not None:
                    return running
                time.sleep(ATTEMPT_PAUSE_S)
            else:
                return None
        return Running(pid=0)
    finally:
        os.close(fd)


def signal_unit(instance: Instance, unit: Unit, number: signal.Signals) -> bool:
    """Send a signal to whoever runs as ``unit``; whether there was somebody. The lock tells that the pid is its own."""
    running = read_lock(instance, unit)
    if running is None or running.pid <= 0:
        return False
    os.kill(running.pid, number)
    return True


def decode_running(data: bytes) -> Running | None:
    """The lock file's content; None while it is being written."""
    try:
        found = json.loads(data)
        return Running(
            pid=int(found["pid"]),
            version=str(found["version"]),
            started_at=float(found["started_at"]),
            sockets={str(name): [str(a) for a in addresses] for name, addresses in found["sockets"].items()},
            log=str(found["log"]),
            failed=tuple(str(unit) for unit in found["failed"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def describe_sockets(sockets: Mapping[str, Iterable[socket.socket]]) -> dict[str, list[str]]:
    """The addresses of listening sockets as text, by name."""
    return {name: [address_text(each) for each in group] for name, group in sockets.items()}


def address_text(listening: socket.socket) -> str:
    """``127.0.0.1:4000``, ``[::1]:4000``, or the path of a Unix socket."""
    address = listening.getsockname()
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return os.fsdecode(address)
