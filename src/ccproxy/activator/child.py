"""Start a program with listening sockets, as systemd does: sd_listen_fds(3).

LISTEN_PID must be the program's own pid, which is known only between fork and exec; hence no ``subprocess``. The
caller has one thread, so that forking is safe.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ccproxy.control.hardening import ACTIVATOR_PID
from ccproxy.systemd import FIRST_FD

CANNOT_EXEC = 127
"""Exit status when the program cannot be run, as a shell has it."""


def spawn(
    argv: Sequence[str], environ: Mapping[str, str], sockets: Sequence[tuple[str, socket.socket]], output: int
) -> int:
    """Run ``argv`` with ``sockets`` (name, socket) at descriptors 3, 4, …; its pid.

    Standard output and error go to the descriptor ``output``, standard input is empty. It gets a process group of its
    own: Ctrl-C in the terminal is for the activator, which then tells its processes once and in order.
    """
    pid = os.fork()
    if pid == 0:
        _become(argv, environ, sockets, output)
    return pid


def _become(
    argv: Sequence[str], environ: Mapping[str, str], sockets: Sequence[tuple[str, socket.socket]], output: int
) -> NoReturn:
    try:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        own = dict(environ)
        own |= {
            ACTIVATOR_PID: str(os.getppid()),
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(sockets)),
            "LISTEN_FDNAMES": ":".join(name for name, _ in sockets),
        }
        # First out of the way, then into place: a descriptor may sit where another one has to go.
        parked = [_park(each.fileno(), FIRST_FD + len(sockets)) for _, each in sockets]
        os.dup2(output, 2)
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for index, fd in enumerate(parked):
            os.dup2(fd, FIRST_FD + index)
        os.execve(argv[0], list(argv), own)  # noqa: S606 - the program is our own
    except OSError as error:
        os.write(2, f"cannot run {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_EXEC)


def _park(fd: int, lowest: int) -> int:
    """A duplicate at ``lowest`` or above, which exec closes."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
