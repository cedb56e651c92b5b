"""Processes that the benchmark starts, watches and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

START_S = 30.0
STOP_S = 15.0


class BenchError(Exception):
    """A run that could not be done: what, and the end of the log that says why."""


@contextlib.contextmanager
def running(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, fds: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own, given ``fds``; the whole group is ended with the block.

    Raises BenchError where it had ended by itself before.
    """
    with log.open("ab") as sink:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=env,
            pass_fds=fds,
            start_new_session=True,
        )
    try:
        yield child
        if child.poll() is not None:
            raise BenchError(_ended(child, log))
    except BenchError as error:
        if child.poll() is None or "ended with status" in str(error):
            raise
        raise BenchError(f"{error}\n{_ended(child, log)}") from error
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(STOP_S)


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody has at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]


def wait_listening(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody listens on a port, without connecting: a connection would activate."""
    wait_for(lambda: _listening(port), child, log, f"port {port} was not opened")


def wait_for(condition: Callable[[], bool], child: subprocess.Popen[bytes], log: Path, what: str) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if child.poll() is not None:
            raise BenchError(f"{what}: {_ended(child, log)}")
        if time.monotonic() > deadline:
            raise BenchError(f"{what} within {START_S:g} s\n{tail(log)}")
        time.sleep(0.002)


def _ended(child: subprocess.Popen[bytes], log: Path) -> str:
    return f"{child.args!r} ended with status {child.returncode}\n{tail(log)}"


def tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _listening(port: int) -> bool:
    listen = "0A"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == listen and int(fields[1].rpartition(":")[2], 16) == port:
            return True
    return False


def children(pid: int) -> dict[int, str]:
    """The direct children of a process with their command lines."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            with contextlib.suppress(OSError):
                argv = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                found[int(child)] = b" ".join(argv).decode(errors="replace").strip()
    return found


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, all threads, user and system, in nanosecond resolution.

    The clock id is what clock_getcpuclockid(3) computes.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int) -> float:
    """Resident memory in MB (10^6 bytes), shared pages included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchError(f"process {pid} is gone")


def proportional(pid: int) -> float:
    """Proportional memory in MB: shared pages divided among those who share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchError(f"process {pid} is gone")
