"""Who listens on a port? From /proc/net/tcp{,6} (proc(5)): uid and inode of the socket; from /proc/PID/fd: its process.

A process of another user does not show its descriptors, so its pid stays unknown, but its uid does not.
"""

from __future__ import annotations

import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LISTEN = "0A"
"""TCP_LISTEN in the column `st`."""
ANY = frozenset({b"\0" * 4, b"\0" * 16})


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that listens."""

    uid: int
    pid: int | None
    """None: another user's process, whose descriptors cannot be seen."""
    program: str
    """Its name as the kernel knows it; empty with an unknown pid."""

    def __str__(self) -> str:
        try:
            user = f"user {pwd.getpwuid(self.uid).pw_name}, uid {self.uid}"
        except KeyError:
            user = f"uid {self.uid}"
        return f"another user's process ({user})" if self.pid is None else f"pid {self.pid} ({self.program}; {user})"


def find_holder(host: str, port: int, proc: Path = Path("/proc")) -> Holder | None:
    """Who listens on ``port`` at the address ``host``, or at all addresses; None where that cannot be found out."""
    wanted = _packed(host)
    for address, listening, uid, inode in _listeners(proc):
        if listening == port and (address == wanted or address in ANY or wanted in ANY):
            pid = _process_with(inode, proc)
            return Holder(uid, pid, _program(pid, proc) if pid is not None else "")
    return None


def _listeners(proc: Path) -> Iterator[tuple[bytes, int, int, str]]:
    """(address, port, uid, inode) of every listening TCP socket."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == LISTEN:
                address, _, port = columns[1].partition(":")
                yield _unmapped(_bytes(address)), int(port, 16), int(columns[7]), columns[9]


def _bytes(text: str) -> bytes:
    """An address as in the table: groups of 32 bits, each printed in the byte order of the machine."""
    return b"".join(struct.pack("=I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8))


def _packed(host: str) -> bytes:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            return _unmapped(socket.inet_pton(family, host))
    return b"\x7f\0\0\1" if host == "localhost" else b"\0" * 4


def _unmapped(address: bytes) -> bytes:
    """IPv4 mapped into IPv6 as IPv4."""
    return address[12:] if address.startswith(b"\0" * 10 + b"\xff\xff") else address


def _process_with(inode: str, proc: Path) -> int | None:
    wanted = f"socket:[{inode}]"
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            for descriptor in (entry / "fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == wanted:
                        return int(entry.name)
    return None


def _program(pid: int, proc: Path) -> str:
    try:
        return (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        return "unknown program"
