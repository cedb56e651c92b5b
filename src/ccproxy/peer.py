"""Whose process is at the other end of a TCP connection on this machine?

``peer_uid`` asks the kernel for the one socket whose own address is our peer's and whose peer is us: NETLINK_SOCK_DIAG
with an exact match, sock_diag(7), ``struct inet_diag_req_v2`` of <linux/inet_diag.h>. No /proc is parsed; one question
and one answer take some 20 µs. Needs no privilege. Unknown (None) is what cannot be told: another operating system,
a peer on another machine or in another network namespace, a peer that has closed its end already.

>>> peer_uid(connection.getsockname()[:2], connection.getpeername()[:2])                            # doctest: +SKIP
1000
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys

type Address = tuple[str, int]

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
TCP_LISTEN = 10
ALL_STATES = 0xFFFFFFFF
NO_COOKIE = 0xFFFFFFFF
HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
REQUEST = struct.Struct("=BBBxI")
"""struct inet_diag_req_v2 up to its id: family, protocol, extensions, states."""
SOCKET_ID = struct.Struct("!HH16s16s")
"""struct inet_diag_sockid up to its addresses, in network order: ports and addresses of the socket and of its peer."""
INTERFACE_AND_COOKIE = struct.Struct("=III")
REPLY = struct.Struct("=BBBB")
"""struct inet_diag_msg up to its id: family, state, timer, retransmits."""
REPLY_END = struct.Struct("=IIIII")
"""And after it: expires, receive queue, send queue, uid, inode."""
REPLY_BYTES = HEADER.size + REPLY.size + SOCKET_ID.size + INTERFACE_AND_COOKIE.size + REPLY_END.size
ANSWER_TIMEOUT_S = 0.1


def peer_uid(local: Address, peer: Address) -> int | None:
    """The user id of the process that connected from ``peer`` to us at ``local``; None when it cannot be told.

    Addresses are as ``getsockname`` gives them (IPv4, IPv6, IPv4 mapped into IPv6; a scope after ``%`` is dropped).
    """
    if sys.platform != "linux":
        return None
    ours, theirs = _normal(local[0]), _normal(peer[0])
    if ours is None or theirs is None or ours.version != theirs.version:
        return None
    wanted = SOCKET_ID.pack(peer[1], local[1], theirs.packed.ljust(16, b"\0"), ours.packed.ljust(16, b"\0"))
    return _read_uid(_ask(ours.version, wanted), peer[1], local[1])


def listener_uid(address: Address) -> int | None:
    """The user id of the process that listens on ``address``; None when it cannot be told, or nobody does.

    A connection that waits in the queue of a socket-activated process has no owner yet, but who listens will get it.
    """
    if sys.platform != "linux" or (ours := _normal(address[0])) is None:
        return None
    nobody = SOCKET_ID.pack(address[1], 0, ours.packed.ljust(16, b"\0"), bytes(16))
    answer = _ask(ours.version, nobody)
    if len(answer) < REPLY_BYTES or REPLY.unpack_from(answer, HEADER.size)[1] != TCP_LISTEN:
        return None
    uid, inode = REPLY_END.unpack_from(answer, REPLY_BYTES - REPLY_END.size)[3:]
    return int(uid) if inode else None


def _ask(version: int, wanted: bytes) -> bytes:
    """The kernel's answer about the one socket with this id; empty if it cannot be asked."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    body = (
        REQUEST.pack(family, socket.IPPROTO_TCP, 0, ALL_STATES)
        + wanted
        + INTERFACE_AND_COOKIE.pack(0, NO_COOKIE, NO_COOKIE)
    )
    header = HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as netlink:
            netlink.settimeout(ANSWER_TIMEOUT_S)
            netlink.sendto(header + body, (0, 0))
            return netlink.recv(4096)
    except OSError:
        return b""


def _read_uid(answer: bytes, their_port: int, our_port: int) -> int | None:
    """The uid in the kernel's answer, if the answer is about the connection that was asked for."""
    id_at = HEADER.size + REPLY.size
    if len(answer) < REPLY_BYTES or HEADER.unpack_from(answer)[1] != SOCK_DIAG_BY_FAMILY:
        return None  # NLMSG_ERROR: there is no such socket
    state = REPLY.unpack_from(answer, HEADER.size)[1]
    source, destination = struct.unpack_from("!HH", answer, id_at)
    uid, inode = REPLY_END.unpack_from(answer, REPLY_BYTES - REPLY_END.size)[3:]
    if state == TCP_LISTEN or (source, destination) != (their_port, our_port):
        return None  # no connection matched, so the kernel offered a listener
    # A socket whose owner has closed it (FIN_WAIT, TIME_WAIT) has no inode, and "0" in place of its uid.
    return int(uid) if inode else None


def _normal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; IPv4 when it is IPv4 mapped into IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
