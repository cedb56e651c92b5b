from __future__ import annotations

import fcntl
import os
import pty
import re
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ccproxy.outlet import Outlet
from tests.support.daemon import TIMEOUT_S

LINE = b"%04d" + b"." * 95 + b"\n"


@pytest.fixture(params=["pipe", "terminal", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """(reading, writing) of what can be standard error."""
    match request.param:
        case "pipe":
            reading, writing = os.pipe()
        case "terminal":
            reading, writing = pty.openpty()
            tty.setraw(writing)
        case _:
            reading, writing = (each.detach() for each in socket.socketpair())
    yield reading, writing
    for fd in (reading, writing):
        with suppress(OSError):
            os.close(fd)


class Reader:
    """Reads ``fd`` to its end, in a thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._data = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):  # a terminal that nobody writes to any more
            while data := os.read(self._fd, 65536):
                self._data += data

    def all(self) -> bytes:
        self._thread.join(TIMEOUT_S)
        return self._data


def fill(outlet: Outlet, count: int) -> None:
    for number in range(count):
        outlet.write(LINE % number)


def test_what_is_read_is_written_at_once_and_in_order(ends: tuple[int, int]) -> None:
    reading, writing = ends
    outlet = Outlet(writing)
    outlet.write(b"one\ntwo\n")
    assert not outlet.waiting
    assert os.read(reading, 99) == b"one\ntwo\n"
    outlet.close()


def test_who_shares_the_descriptor_still_has_a_blocking_one(ends: tuple[int, int]) -> None:
    outlet = Outlet(ends[1])
    fill(outlet, 5000)
    assert os.get_blocking(ends[1])
    outlet.close(patience_s=0)


def test_unread_lines_wait_then_are_dropped_and_counted(ends: tuple[int, int]) -> None:
    reading, writing = ends
    outlet = Outlet(writing, limit=50_000)
    fill(outlet, 9000)
    assert outlet.waiting
    os.close(writing)
    reader = Reader(reading)
    outlet.drain()
    outlet.write(b"the end\n")
    outlet.close()
    *lines, note, end = reader.all().splitlines(keepends=True)
    assert lines == [LINE % number for number in range(len(lines))], "whole, in order, none in between"
    found = re.fullmatch(rb"ccproxy: (\d+) lines are missing here: nobody read standard error\n", note)
    assert found is not None
    assert len(lines) + int(found[1]) == 9000
    assert end == b"the end\n"


def test_a_reader_that_went_away_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    outlet = Outlet(writing, limit=50_000)
    fill(outlet, 5000)
    assert outlet.waiting
    os.close(reading)
    outlet.write(b"nobody\n")
    assert not outlet.waiting
    outlet.close()
    os.close(writing)


def test_one_line_may_be_longer_than_what_waits_otherwise() -> None:
    reading, writing = os.pipe()
    outlet, long = Outlet(writing, limit=1000), b"x" * 200_000 + b"\n"
    outlet.write(long)
    os.close(writing)
    reader = Reader(reading)
    outlet.close()
    assert reader.all() == long
    os.close(reading)


def test_closing_waits_for_a_reader_but_not_for_long() -> None:
    reading, writing = os.pipe()
    outlet = Outlet(writing)
    fill(outlet, 2000)
    outlet.close(patience_s=0.01)
    outlet.write(b"after the end\n")
    os.close(writing)
    assert len(Reader(reading).all()) < 2000 * 100
    os.close(reading)


def test_a_file_keeps_its_end(tmp_path: object) -> None:
    """Opened again it would have an offset of its own."""
    with open(f"{tmp_path}/log", "wb") as file:
        file.write(b"before\n")
        file.flush()
        outlet = Outlet(file.fileno())
        outlet.write(b"ours\n")
        file.write(b"after\n")
        outlet.close()
    with open(f"{tmp_path}/log", "rb") as file:
        assert file.read() == b"before\nours\nafter\n"


def test_no_child_inherits_it() -> None:
    reading, writing = os.pipe()
    outlet = Outlet(writing)
    assert fcntl.fcntl(outlet.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    outlet.close()
    for fd in (reading, writing):
        os.close(fd)


def test_without_standard_error_nothing_is_written_anywhere() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    outlet = Outlet(writing)
    outlet.write(b"nowhere\n")
    assert not outlet.waiting
    outlet.close()
    os.close(reading)


def test_it_is_told_when_something_begins_to_wait() -> None:
    reading, writing = os.pipe()
    told: list[bool] = []
    outlet = Outlet(writing, on_wait=lambda: told.append(True))
    fill(outlet, 1000)
    assert told == [True]
    os.close(writing)
    reader = Reader(reading)
    outlet.drain()
    outlet.close()
    reader.all()
    os.close(reading)


def test_a_line_that_is_written_while_another_is_comes_after_it() -> None:
    """The garbage collector may log in the middle of anything, in the same thread."""
    reading, writing = os.pipe()

    class Nested(Outlet):
        def room(self, timeout_s: float | None = None) -> bool:
            if not nested:
                nested.append(True)
                self.write(b"inner\n")
            return super().room(timeout_s)

    nested: list[bool] = []
    outlet = Nested(writing)
    outlet.write(b"outer\n")
    assert os.read(reading, 99) == b"outer\ninner\n"
    outlet.close()
    for fd in (reading, writing):
        os.close(fd)
