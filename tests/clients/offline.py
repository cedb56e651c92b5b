"""No network but loopback, for this process and all that it starts (Linux network namespaces).

The vendors' clients dial home on the side. Here they find nobody, as on a machine without a network, and the suite
proves that they need nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from pathlib import Path

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h


def go_offline() -> bool:
    """Move this process into a network namespace of its own. False where the system does not permit it.

    To be called while the process has one thread: an unprivileged user needs a user namespace for it
    (user_namespaces(7)), and threads that run already would stay behind.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        if uid == 0:
            os.unshare(os.CLONE_NEWNET)
        else:
            os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except (AttributeError, OSError):
        return False
    _raise_loopback()
    return True


def _raise_loopback() -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
