"""Transports that are kept, and those that are let go."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ccproxy.config.origin import Origin
from ccproxy.sidecar.clients import Clients, Key

CA = Path("ca.pem")


class FakeTransport:
    """Knows what it was made of and whether it was closed."""

    def __init__(self, profile: str, authorities: Path) -> None:
        self.profile, self.authorities = profile, authorities
        self.closed = asyncio.Event()

    async def aclose(self) -> None:
        self.closed.set()


def key(host: str, profile: str = "chrome131") -> Key:
    return Origin("https", host, 443), profile


def clients(most: int = 16, idle_s: float = 3600) -> Clients[FakeTransport]:
    return Clients(FakeTransport, CA, most=most, idle_s=idle_s)


async def used(of: Clients[FakeTransport], which: Key) -> FakeTransport:
    async with of.use(which) as transport:
        return transport


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_host_and_profile_have_one_transport():
    of = clients()
    first = await used(of, key("a"))
    assert await used(of, key("a")) is first
    assert await used(of, key("b")) is not first
    assert await used(of, key("a", "firefox133")) is not first
    assert (first.profile, first.authorities) == ("chrome131", CA)
    await of.aclose()
    assert first.closed.is_set()


async def test_least_recently_used_goes_first():
    of = clients(most=2)
    a, b = await used(of, key("a")), await used(of, key("b"))
    await used(of, key("a"))
    await used(of, key("c"))
    await turn()
    assert (a.closed.is_set(), b.closed.is_set(), len(of)) == (False, True, 2)
    await of.aclose()


async def test_what_is_in_use_stays_until_it_is_not():
    of = clients(most=1)
    async with of.use(key("a")) as a, of.use(key("b")) as b:
        await turn()
        assert not a.closed.is_set() and not b.closed.is_set()
        assert len(of) == 2
    await turn()
    assert len(of) == 1
    assert a.closed.is_set() != b.closed.is_set()
    await of.aclose()


async def test_idle_transport_is_closed_and_a_busy_one_is_not():
    of = clients(idle_s=0.05)
    async with of.use(key("busy")) as busy:
        idle = await used(of, key("idle"))
        async with asyncio.timeout(5):
            await idle.closed.wait()
        assert not busy.closed.is_set()
    async with asyncio.timeout(5):
        await busy.closed.wait()
    assert len(of) == 0
    assert await used(of, key("idle")) is not idle
    await of.aclose()


async def test_use_keeps_it_from_going_idle():
    of = clients(idle_s=0.05)
    a = await used(of, key("a"))
    async with of.use(key("a")) as again:
        assert again is a
        await asyncio.sleep(0.1)  # longer than it may be idle
        assert not a.closed.is_set()
    await of.aclose()


async def test_new_authorities_are_for_new_requests():
    of = clients()
    idle = await used(of, key("idle"))
    async with of.use(key("a")) as old:
        of.replace_authorities(Path("other.pem"))
        await turn()
        assert idle.closed.is_set() and not old.closed.is_set()
        async with of.use(key("a")) as new:
            assert new is not old
            assert new.authorities == Path("other.pem")
    await turn()
    assert old.closed.is_set() and not new.closed.is_set()
    await of.aclose()
