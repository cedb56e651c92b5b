from __future__ import annotations

import encodings.idna
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ccproxy.peer import listener_uid, peer_uid
from tests.support.need import need, need_linux

assert encodings.idna  # a child that has become another user cannot import it any more
OTHER_UID = 12345


@pytest.fixture(autouse=True)
def _linux() -> None:
    need_linux()


def listen(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::")


@contextmanager
def connection_of(uid: int, server: socket.socket, host: str) -> Iterator[socket.socket]:
    """A connection that a process of user ``uid`` made to ``server``, accepted."""
    pid = os.fork()
    if pid == 0:
        os.setuid(uid)
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        client.connect((host, server.getsockname()[1]))
        client.recv(1)
        os._exit(0)
    server.settimeout(10)
    accepted, _ = server.accept()
    try:
        yield accepted
    finally:
        accepted.close()
        os.waitpid(pid, 0)


def ends(accepted: socket.socket) -> tuple[tuple[str, int], tuple[str, int]]:
    return accepted.getsockname()[:2], accepted.getpeername()[:2]


@pytest.mark.parametrize(("bound", "dialled"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")])
def test_another_user_is_told_from_ourselves(bound: str, dialled: str) -> None:
    need(os.geteuid() == 0, "this test becomes another user, and only root can")
    with listen(bound) as server:
        for uid in (OTHER_UID, os.geteuid()):
            with connection_of(uid, server, dialled) as accepted:
                assert peer_uid(*ends(accepted)) == uid


def test_our_own_connection_is_ours() -> None:
    with listen("127.0.0.1") as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert peer_uid(*ends(accepted)) == os.geteuid()
            assert peer_uid(client.getsockname(), client.getpeername()) == os.geteuid()


def test_a_mapped_address_is_the_ipv4_one() -> None:
    with listen("127.0.0.1") as server, socket.create_connection(server.getsockname()):
        accepted, (host, port) = server.accept()
        with accepted:
            assert peer_uid((f"::ffff:{host}", server.getsockname()[1]), (f"::ffff:{host}", port)) == os.geteuid()


def test_a_peer_that_has_gone_is_unknown_not_root() -> None:
    """The kernel says uid 0 of a connection whose owner has closed it."""
    with listen("127.0.0.1") as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        local, peer = ends(accepted)
        client.close()
        with accepted:
            assert peer_uid(local, peer) is None


def test_a_listener_at_the_peers_port_is_not_the_peer() -> None:
    """The kernel offers a listener when no connection matches."""
    with listen("0.0.0.0") as other, listen("127.0.0.1") as server:
        assert peer_uid(server.getsockname(), ("127.0.0.1", other.getsockname()[1])) is None


@pytest.mark.parametrize(
    ("local", "peer"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2)),
        (("127.0.0.1", 1), ("192.0.2.7", 2)),
        (("127.0.0.1", 1), ("::1", 2)),
        (("fe80::1%eth0", 1), ("fe80::2%eth0", 2)),
        (("", 1), ("localhost", 2)),
    ],
)
def test_what_is_no_connection_is_unknown(local: tuple[str, int], peer: tuple[str, int]) -> None:
    assert peer_uid(local, peer) is None


def test_it_is_cheap_enough_for_every_connection() -> None:
    with listen("127.0.0.1") as server, socket.create_connection(server.getsockname()):
        accepted, _ = server.accept()
        with accepted:
            local, peer = ends(accepted)
            began = time.process_time()
            for _ in range(200):
                peer_uid(local, peer)
            assert (time.process_time() - began) / 200 < 0.001


def test_who_listens_is_told_before_anybody_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert listener_uid(listening.getsockname()) == os.getuid()
        port = listening.getsockname()[1]
    assert listener_uid(("127.0.0.1", port)) is None
    assert listener_uid(("nonsense", port)) is None
