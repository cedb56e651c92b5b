"""What the suite judges by is judged itself: a tap changes nothing, and a request can be read from what it kept."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.clients.recording import Request, requests_in
from tests.clients.tap import Tap
from tests.support.need import need

FIRST = b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: x\r\nX-Api-Key:  k \r\nContent-Length: 4\r\n\r\n\x00\xff\r\n"
CHUNKED = b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
PROBE = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_requests_are_read_one_after_the_other() -> None:
    assert list(requests_in(FIRST + CHUNKED + PROBE)) == [
        Request(
            "POST",
            "/v1/messages?beta=true",
            (("Host", "x"), ("X-Api-Key", "k"), ("Content-Length", "4")),
            b"\x00\xff\r\n",
        ),
        Request("POST", "/b", (("Transfer-Encoding", "chunked"),), b"abc0123456789"),
        Request("HEAD", "/", (("Host", "x"),), b""),
    ]


@pytest.mark.parametrize("cut", [1, len(FIRST) // 2, len(FIRST) - 1])
def test_half_a_request_is_an_error(cut: int) -> None:
    with pytest.raises(ValueError):
        list(requests_in(PROBE + FIRST[:cut]))


def test_a_tap_relays_and_keeps_every_byte() -> None:
    """Both ways, in pieces, ended from the client's side first."""
    seen = bytearray()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            while chunk := connection.recv(7):
                seen.extend(chunk)
                connection.sendall(chunk[::-1])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, args=(listening,))
        server.start()
        with Tap(listening.getsockname()[1]) as tap:
            mark = tap.mark()
            with socket.create_connection(("127.0.0.1", tap.port), timeout=10) as client:
                client.sendall(FIRST + CHUNKED)
                client.shutdown(socket.SHUT_WR)
                answered = b"".join(iter(lambda: client.recv(65536), b""))
            server.join(10)
            assert seen == FIRST + CHUNKED
            assert len(answered) == len(seen)
            assert tap.since(mark) == [(FIRST + CHUNKED, answered)]
            assert [request.target for request in tap.requests(mark)] == ["/v1/messages?beta=true", "/b"]
            assert tap.requests(tap.mark()) == []


def test_the_clients_have_no_network_but_loopback(isolated: bool) -> None:
    need(isolated, "the right to make a network namespace")
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
