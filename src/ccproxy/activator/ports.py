"""Bind what the plan says, or say who is in the way."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ccproxy.activator.holder import Holder, find_holder
from ccproxy.activator.plan import Bind
from ccproxy.errors import CcproxyError

BACKLOG = 1024
"""Connections that wait while a process starts; the kernel has the last word (net.core.somaxconn)."""
UNIX_PATH_LIMIT = 100
"""Bytes; sun_path has 104 on macOS, 108 on Linux."""

type FindHolder = Callable[[str, int], Holder | None]


def bind_tcp(bind: Bind, holder: FindHolder = find_holder) -> list[socket.socket]:
    """Listening sockets on every address of ``bind.host``. Raises CcproxyError, naming who has the port."""
    try:
        found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CcproxyError(f"cannot listen on {bind.host!r} (`{bind.key}`): {error.strerror}") from None
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in found:
            sockets.append(_listen(family, kind, protocol, address))
    except OSError as error:
        # "localhost" has an IPv6 address on machines that have no IPv6.
        if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return sockets
        close_all(sockets)
        raise CcproxyError(_refusal(bind, error, holder)) from None
    return sockets


def check_free(bind: Bind, holder: FindHolder = find_holder) -> None:
    """Raise CcproxyError if somebody has the port."""
    close_all(bind_tcp(bind, holder))


def bind_unix(path: Path) -> socket.socket:
    """A listening Unix socket, 0600. What an earlier process left at the path is replaced; the caller has the lock."""
    check_length(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise CcproxyError(f"cannot make the control socket {path}: {error.strerror}") from None
    finally:
        os.umask(old_mask)
    return listening


def refuse(listening: socket.socket) -> None:
    """Have connections refused from here on, and keep the port: who else had it would be sent what is meant for us.

    Without SO_REUSEADDR, by which two may bind one port while neither listens. Only Linux can do it, and not for a Unix
    socket, whose path is ours anyway: what cannot be refused waits until somebody accepts again.
    """
    if listening.family == socket.AF_UNIX:
        return
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)


def listen_again(refusing: socket.socket) -> None:
    """The end of ``refuse``. Raises OSError if somebody has taken the port all the same."""
    if refusing.family != socket.AF_UNIX:
        refusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        refusing.listen(BACKLOG)


def check_length(path: Path) -> None:
    """Raise CcproxyError if no Unix socket can be bound at ``path``."""
    if len(os.fsencode(path)) > UNIX_PATH_LIMIT:
        raise CcproxyError(f"the path {path} is too long for a socket: set XDG_RUNTIME_DIR to a shorter folder")


def close_all(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


def _listen(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _refusal(bind: Bind, error: OSError, holder: FindHolder) -> str:
    where = f"{bind.host}:{bind.port} (`{bind.key}`)"
    match error.errno:
        case errno.EADDRINUSE:
            who = holder(bind.host, bind.port)
            if who is None:
                return f"{where} is in use by another program: stop it, or set `{bind.key}`"
            hint = "`systemctl list-sockets` and `systemctl --user list-sockets` say for which unit"
            advice = hint if who.program == "systemd" else f"stop it, or set `{bind.key}`"
            return f"{where} is in use by {who}: {advice}"
        case errno.EACCES:
            return f"{where} may not be bound by this user: ports below 1024 are kept for root; set `{bind.key}`"
        case errno.EADDRNOTAVAIL:
            return f"{where} is not an address of this machine"
        case _:
            return f"{where} cannot be bound: {error.strerror}"
