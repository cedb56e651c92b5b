from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from ccproxy import systemd
from ccproxy.activator.child import spawn

REPORT = """
import json, os, socket, sys
from ccproxy.systemd import listen_fds
environ = os.environ
found = listen_fds(environ, os.getpid() + int(sys.argv[1]))
print(json.dumps({
    "sockets": {name: [[list(s.getsockname()), s.proto == socket.IPPROTO_TCP, s.get_inheritable()] for s in group]
                for name, group in found.items()},
    "left": sorted(name for name in environ if name.startswith("LISTEN_")),
}))
"""


def report(sockets: list[tuple[str, socket.socket]], tmp_path: Path, pid_offset: int = 0) -> dict[str, object]:
    """What a program that is given ``sockets`` sees."""
    with (tmp_path / "out").open("wb") as out:
        argv = [sys.executable, "-c", REPORT, str(pid_offset)]
        pid = spawn(argv, {"PATH": os.environ["PATH"]}, sockets, out.fileno())
    _, status = os.waitpid(pid, 0)
    text = (tmp_path / "out").read_text()
    assert status == 0, text
    found: dict[str, object] = json.loads(text)
    return found


def test_sockets_are_adopted_by_name_with_their_protocol(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        socket.create_server(("127.0.0.1", 0)) as three,
    ):
        found = report([("control", two), ("proxy", one), ("control", three)], tmp_path)
        address = [list(each.getsockname()) for each in (one, two, three)]
    assert found["sockets"] == {
        "control": [[address[1], True, False], [address[2], True, False]],
        "proxy": [[address[0], True, False]],
    }
    assert found["left"] == []


def test_sockets_of_another_process_are_left_alone_and_forgotten(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert report([("proxy", one)], tmp_path, pid_offset=1) == {"sockets": {}, "left": []}


@pytest.mark.parametrize("count", ["", "x", "-1", "0"])
def test_a_strange_count_is_none(count: str) -> None:
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": count, "LISTEN_FDNAMES": "a:b", "LISTEN_PIDFDID": "1", "HOME": "/"}
    assert systemd.listen_fds(environ, 7) == {}
    assert environ == {"HOME": "/"}


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The service manager's end of NOTIFY_SOCKET."""
    path = str(tmp_path / "notify")
    receiving = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiving.bind(path)
    receiving.settimeout(10)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    return receiving


def test_notifications_are_lines_in_one_datagram(manager: socket.socket) -> None:
    notifier = systemd.Notifier.take(os.environ)
    assert "NOTIFY_SOCKET" not in os.environ
    with manager:
        notifier.ready("serving\non two lines")
        assert manager.recv(999) == b"READY=1\nSTATUS=serving on two lines"
        notifier.status("größe ✓")
        assert manager.recv(999).decode() == "STATUS=größe ✓"
        notifier.refused(22, "port: no")
        assert manager.recv(999) == b"ERRNO=22\nSTATUS=port: no"
        notifier.stopping()
        assert manager.recv(999) == b"STOPPING=1"
        notifier.reloading()
        kind, _, since = manager.recv(999).decode().partition("\nMONOTONIC_USEC=")
        assert kind == "RELOADING=1"
        assert int(since) > 0


def test_a_manager_that_does_not_read_stops_nobody(manager: socket.socket) -> None:
    notifier = systemd.Notifier.take(os.environ)
    with manager:
        for _ in range(5000):
            notifier.status("x" * 500)
    notifier.ready()  # and one that has gone neither


def test_without_a_manager_notifications_go_nowhere() -> None:
    systemd.Notifier.take({}).ready("serving")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(environ: dict[str, str], expected: float | None) -> None:
    assert systemd.watchdog_interval(environ, 7) == expected
    assert environ == {}


async def test_the_watchdog_is_fed_from_the_event_loop(manager: socket.socket) -> None:
    manager.setblocking(False)
    loop = asyncio.get_running_loop()
    feeding = asyncio.create_task(systemd.watchdog(systemd.Notifier.take(os.environ), 0.02))
    with manager:
        for _ in range(3):
            assert await asyncio.wait_for(loop.sock_recv(manager, 99), 10) == b"WATCHDOG=1"
        feeding.cancel()


def test_standard_error_is_the_journal_if_the_variable_names_it() -> None:
    found = os.fstat(2)
    assert systemd.stderr_is_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
    assert not systemd.stderr_is_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
    assert not systemd.stderr_is_journal({})


def decode_fields(datagram: bytes) -> dict[str, bytes]:
    """The journal's side of the native protocol."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if equals:
            fields[key.decode()], datagram = value, rest
        else:
            (length,) = struct.unpack("<Q", rest[:8])
            fields[key.decode()] = rest[8 : 8 + length]
            assert rest[8 + length : 9 + length] == b"\n"
            datagram = rest[9 + length :]
    return fields


def test_the_journal_gets_fields_and_line_breaks_forge_none(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        journal.settimeout(10)
        handler = systemd.JournalDatagrams("ccproxy-shop", path)
        for level, priority in ((logging.CRITICAL, b"2"), (logging.WARNING, b"4"), (logging.DEBUG, b"7")):
            record = logging.LogRecord("ccproxy.x", level, __file__, 7, "one\nPRIORITY=0\n%s", ("zwei ✓",), None)
            handler.handle(record)
            fields = decode_fields(journal.recv(65536))
            assert fields["MESSAGE"].decode() == "one\nPRIORITY=0\nzwei ✓"
            assert fields["PRIORITY"] == priority
            assert fields["SYSLOG_IDENTIFIER"] == b"ccproxy-shop"
            assert fields["LOGGER"] == b"ccproxy.x"
        handler.handle(logging.LogRecord("x", logging.INFO, __file__, 7, "y" * 10**6, (), None))
        assert len(journal.recv(10**6)) < 60_000
    handler.handle(logging.LogRecord("x", logging.INFO, __file__, 7, "nobody listens", (), None))
    handler.close()


def test_there_is_a_journal_handler_with_and_without_libsystemd() -> None:
    handler = systemd.journal_handler("ccproxy")
    assert isinstance(handler, logging.Handler)
    handler.close()
