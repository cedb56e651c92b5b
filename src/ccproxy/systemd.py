"""What a service owes systemd, and gets from it: sockets, notifications, the watchdog, the journal.

Works without libsystemd, and without systemd: the activator of ``ccproxy start`` speaks the same protocol, and where
nobody listens a notification goes nowhere.

* ``listen_fds``: sd_listen_fds(3). Descriptors 3, 4, … were passed; LISTEN_FDNAMES names them.
* ``Notifier``: sd_notify(3), one datagram of ``KEY=value`` lines to NOTIFY_SOCKET.
* ``watchdog``: sd_watchdog_enabled(3).
* ``JournalDatagrams``: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, for where systemd-python is not installed.

>>> environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2"}      # meant for another process
>>> listen_fds(environ, pid=42), environ
({}, {})
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import time
from collections.abc import Mapping, MutableMapping

from sdnotify import SystemdNotifier

FIRST_FD = 3
"""SD_LISTEN_FDS_START."""
JOURNAL_SOCKET = "/run/systemd/journal/socket"
JOURNAL_MESSAGE_LIMIT = 48 * 1024
"""Bytes of a message that fit in one datagram with the default send buffer; longer ones are cut."""
SYSLOG_PRIORITY = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Log level from which on a record has this priority (syslog(3)); below them it is 7, debug."""


def listen_fds(environ: MutableMapping[str, str], pid: int) -> dict[str, list[socket.socket]]:
    """The sockets that were passed to process ``pid``, by name; empty when they are meant for another process.

    Names are looked up, as the order of descriptors is not the order of the units. The variables are removed and the
    descriptors get FD_CLOEXEC: neither a credential command nor a client inherits a listening socket. Adopted by
    ``socket(fileno=…)``, which asks the kernel for the protocol: asyncio sets TCP_NODELAY only on sockets that say TCP,
    and without it a kept connection waits 40 ms for a delayed ACK. Raises OSError if a descriptor is not a socket.
    """
    claimed = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "0")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    environ.pop("LISTEN_PIDFDID", None)
    found: dict[str, list[socket.socket]] = {}
    if claimed != str(pid) or not count.isdigit():
        return found
    for index in range(int(count)):
        fd = FIRST_FD + index
        os.set_inheritable(fd, False)
        name = names[index] if index < len(names) and names[index] else "unknown"
        found.setdefault(name, []).append(socket.socket(fileno=fd))
    return found


class Notifier:
    """Tells the service manager how this process is. Never raises and never blocks; silent without a manager."""

    def __init__(self, sender: SystemdNotifier | None) -> None:
        self._sender = sender
        if sender is not None and sender.socket is not None:
            sender.socket.setblocking(False)

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notifier:
        """For the manager that NOTIFY_SOCKET names. Removes it, so that a child cannot speak for this process.

        (sdnotify looks into the process's own environment, whatever ``environ`` is.)
        """
        sender = SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        environ.pop("NOTIFY_SOCKET", None)
        return cls(sender)

    def ready(self, status: str = "") -> None:
        """Start-up, or a reload, is finished."""
        self._send("READY=1", status)

    def status(self, text: str) -> None:
        """One line for people."""
        self._send(None, text)

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it. Type=notify-reload wants to know since when (µs, CLOCK_MONOTONIC)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """No more connections are accepted from here on."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def refused(self, number: int, status: str) -> None:
        """This process is about to end and would again: its configuration cannot be used (an errno says how)."""
        self._send(f"ERRNO={number}", status)

    def _send(self, state: str | None, status: str = "") -> None:
        if self._sender is None:
            return
        lines = [state] if state else []
        if status:
            lines.append("STATUS=" + " ".join(status.split())[:2000])
        # sdnotify encodes latin-1 and drops what does not fit; systemd reads UTF-8.
        self._sender.notify("\n".join(lines).encode().decode("latin-1"))


def watchdog_interval(environ: MutableMapping[str, str], pid: int) -> float | None:
    """Seconds within which the manager wants to hear from ``pid``; None if it does not. Removes the variables."""
    usec = environ.pop("WATCHDOG_USEC", "")
    meant_for = environ.pop("WATCHDOG_PID", "")
    if not usec.isdigit() or int(usec) == 0 or meant_for not in ("", str(pid)):
        return None
    return int(usec) / 1e6


async def watchdog(notifier: Notifier, interval_s: float) -> None:
    """Say, twice per interval, that the event loop still turns. Runs until cancelled."""
    import asyncio  # noqa: PLC0415 - 8 MB that the activator, which is without a loop, spares

    while True:
        notifier.alive()
        await asyncio.sleep(interval_s / 2)


def stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """Whether standard error is the journal's stream: JOURNAL_STREAM is its ``device:inode`` (systemd.exec(5))."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def journal_handler(identifier: str, path: str = JOURNAL_SOCKET) -> logging.Handler:
    """A handler that writes to the journal as ``identifier``."""
    try:
        from systemd.journal import JournalHandler  # noqa: PLC0415 - the optional extra `journal`
    except ImportError:
        return JournalDatagrams(identifier, path)
    handler: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER=identifier)
    return handler


class JournalDatagrams(logging.Handler):
    """The journal's native protocol: one datagram a record, ``KEY=value`` lines, long form for what has line breaks."""

    def __init__(self, identifier: str, path: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._identifier = identifier
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def emit(self, record: logging.LogRecord) -> None:
        priority = next((number for level, number in SYSLOG_PRIORITY if record.levelno >= level), 7)
        fields = {
            "MESSAGE": self.format(record).encode()[:JOURNAL_MESSAGE_LIMIT],
            "PRIORITY": str(priority).encode(),
            "SYSLOG_IDENTIFIER": self._identifier.encode(),
            "LOGGER": record.name.encode(),
            "CODE_FILE": record.pathname.encode(),
            "CODE_LINE": str(record.lineno).encode(),
        }
        datagram = b"".join(encode_journal_field(key, value) for key, value in fields.items())
        try:
            self._socket.sendto(datagram, self._path)
        except OSError:  # journald restarts: a log line is not worth a failed request
            return

    def close(self) -> None:
        self._socket.close()
        super().close()


def encode_journal_field(key: str, value: bytes) -> bytes:
    """``KEY=value``; when there is a line break in it ``KEY``, the length (64 bit, little endian) and the value."""
    if b"\n" not in value:
        return key.encode() + b"=" + value + b"\n"
    return key.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
