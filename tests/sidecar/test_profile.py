"""A provider with a ``fingerprint_profile`` sees that browser's TLS, and one without it sees ours."""

from __future__ import annotations

import socket
import struct
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.daemon import TIMEOUT_S, Daemon

GREASE = {0x0A0A + step * 0x1010 for step in range(16)}
"""RFC 8701 §2. Chromium sends one of these as its first cipher suite; Firefox and OpenSSL send none."""
FIREFOX = [0x1301, 0x1303, 0x1302]
"""Its order of the suites of TLS 1.3, which is nobody else's."""


def cipher_suites(server: socket.socket) -> list[int]:
    """What the next client offers in its ClientHello (RFC 8446 §4.1.2), after which it is hung up on."""
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as stream:
        stream.read(5 + 4 + 2 + 32)  # headers of record and handshake, version, random
        stream.read(stream.read(1)[0])  # session ID
        (length,) = struct.unpack("!H", stream.read(2))
        return list(struct.unpack(f"!{length // 2}H", stream.read(length)))


def test_a_provider_sees_the_browser_of_its_profile() -> None:
    profiles = {"chrome": "chrome131", "firefox": "firefox133", "plain": None}
    offered: dict[str, list[int]] = {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIMEOUT_S)
        origin = f"https://localhost:{server.getsockname()[1]}"
        providers = {
            name: {"type": "anthropic", "base_url": origin, "fingerprint_profile": profile}
            for name, profile in profiles.items()
        }
        with Daemon({"providers": providers}) as daemon, ThreadPoolExecutor(1) as asking:
            for name in profiles:
                answer = asking.submit(status, daemon, name)
                offered[name] = cipher_suites(server)
                assert answer.result(TIMEOUT_S) == 502
    assert offered["chrome"][0] in GREASE
    assert [suite for suite in offered["firefox"] if suite >> 8 == 0x13] == FIREFOX
    assert not GREASE & {*offered["firefox"], *offered["plain"]}
    assert [suite for suite in offered["plain"] if suite >> 8 == 0x13] != FIREFOX


def status(daemon: Daemon, provider: str) -> int:
    """The status of a request to this provider."""
    ask = urllib.request.Request(f"{daemon.base}/v1/messages", b"{}", {"x-api-key": f"sk-ant-oat-ccproxy-{provider}"})
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(ask, timeout=TIMEOUT_S)
    return failed.value.code
