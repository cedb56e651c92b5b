"""Standard error, for who must not wait until somebody reads it.

A pipe that is full and a terminal that is stopped block write(2), and with it an event loop. Here, lines that cannot be
written at once wait, up to a limit; what is beyond it is dropped, and when there is room again one line says how many.

O_NONBLOCK belongs to the open file (open(2)), which the shell and all that runs in the same terminal share, so it must
not be set on descriptor 2. The file is opened a second time; where that cannot be, poll(2) says before each write that
PIPE_BUF bytes have room (pipe(7)).

>>> outlet = Outlet()
>>> outlet.write(b"whole lines only\\n")                                                             # doctest: +SKIP
"""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress

LIMIT_BYTES = 256 * 1024
"""What may wait; one write may exceed it."""
PATIENCE_S = 1.0
"""How long the end of a process waits for the reader."""
MISSING = b"ccproxy: %d lines are missing here: nobody read standard error\n"


class Outlet:
    """May be used by several threads."""

    def __init__(self, fd: int = 2, *, limit: int = LIMIT_BYTES, on_wait: Callable[[], None] = lambda: None) -> None:
        """``on_wait()`` is called when something begins to wait: have ``flush`` called while there is room, or
        ``drain`` by a thread. Each ``write`` tries as well."""
        self.on_wait = on_wait
        self._fd = _open_again(fd)
        self._limit = limit
        self._waiting = bytearray()
        self._dropped = 0
        """Lines since the last that was written or waits."""
        self._writing = False
        self._lock = threading.RLock()

    def fileno(self) -> int:
        """For a selector; -1 when closed."""
        return self._fd

    @property
    def waiting(self) -> bool:
        """Whether something has not been written yet."""
        return bool(self._waiting)

    def write(self, lines: bytes) -> None:
        """Write whole lines, each with its line break, or keep them, or drop them."""
        with self._lock:
            waited = self.waiting
            if waited and (self._dropped or len(self._waiting) + len(lines) > self._limit):
                self._dropped += lines.count(b"\n")
            else:
                self._waiting += lines
            if not self.flush() and not waited:
                self.on_wait()

    def flush(self) -> bool:
        """Write what there is room for; whether that was all."""
        with self._lock:
            if not self._writing:  # else: logged by a finalizer, while this thread is just below
                self._writing = True
                try:
                    self._write_on()
                finally:
                    self._writing = False
            return not self.waiting

    def room(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be written, or it is known that nothing can be any more."""
        if self._fd < 0:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))

    def drain(self) -> None:
        """Come back when all has been written."""
        while not self.flush():
            self.room(PATIENCE_S)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Write what waits, if somebody reads it in time."""
        deadline = time.monotonic() + patience_s
        while not self.flush() and (left := deadline - time.monotonic()) > 0:
            self.room(left)
        with self._lock:
            self._waiting.clear()
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _write_on(self) -> None:
        while self._waiting:
            try:
                if not self.room(0):
                    return
                written = os.write(self._fd, self._waiting[: select.PIPE_BUF])
            except BlockingIOError:
                return
            except OSError:  # the reader went away
                self._waiting.clear()
                self._dropped = 0
                return
            del self._waiting[:written]
            if self._dropped and not self._waiting:
                self._waiting += MISSING % self._dropped
                self._dropped = 0


def _open_again(fd: int) -> int:
    """A descriptor of the same file that does not block, if that is possible without changing ``fd``; -1: no file."""
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode) or os.isatty(fd):
            with suppress(OSError):  # another user's, or no /dev/fd
                return os.open(f"/dev/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        return os.dup(fd)
    except OSError:
        return -1
