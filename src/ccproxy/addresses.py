"""Where a request goes, and how far an address reaches.

============  ======================================================================================================
``forbidden``  link-local, cloud metadata, unspecified, multicast, reserved: nothing an LLM client has business with
``loopback``   this machine
``private``    the local network
``public``     the rest. 198.18.0.0/15 too: "fake IP" VPN clients and closed test networks resolve every name to it
============  ======================================================================================================

An IPv6 address that carries an IPv4 one (IPv4-mapped, NAT64, 6to4, Teredo) reaches as far as the one inside.

>>> reach(ip_address("64:ff9b::a9fe:a9fe"))
'forbidden'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal

type Address = IPv4Address | IPv6Address
type Origin = tuple[str, str, int]
"""Scheme, lower-case host without brackets, port."""
type Reach = Literal["forbidden", "loopback", "private", "public"]

_V4: Final[tuple[tuple[IPv4Network, Reach], ...]] = (
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("10.0.0.0/8"), "private"),
    (IPv4Network("172.16.0.0/12"), "private"),
    (IPv4Network("192.168.0.0/16"), "private"),
    (IPv4Network("100.100.100.200/32"), "forbidden"),  # Alibaba Cloud metadata
    (IPv4Network("100.64.0.0/10"), "private"),
    (IPv4Network("169.254.0.0/16"), "forbidden"),  # link-local; AWS, Azure, GCP metadata
    (IPv4Network("168.63.129.16/32"), "forbidden"),  # Azure host agent
    (IPv4Network("192.0.0.0/24"), "forbidden"),  # IETF protocol assignments; Oracle Cloud metadata
    (IPv4Network("0.0.0.0/8"), "forbidden"),
    (IPv4Network("224.0.0.0/3"), "forbidden"),  # multicast, reserved, broadcast
)
_V6: Final[tuple[tuple[IPv6Network, Reach], ...]] = (
    (IPv6Network("::1/128"), "loopback"),
    (IPv6Network("::/128"), "forbidden"),
    (IPv6Network("fe80::/10"), "forbidden"),
    (IPv6Network("fd00:ec2::/32"), "forbidden"),  # AWS metadata
    (IPv6Network("fd20:ce::/32"), "forbidden"),  # GCP metadata
    (IPv6Network("fc00::/7"), "private"),
    (IPv6Network("fec0::/10"), "private"),
    (IPv6Network("64:ff9b:1::/48"), "private"),  # local-use NAT64: what it stands for is the network's own affair
    (IPv6Network("ff00::/8"), "forbidden"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9A-Fa-f]*)")
LONGEST_NAME: Final = 253
"""Characters, RFC 1035 §2.3.4."""
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """One destination."""

    scheme: str
    host: str
    """A name or an address, IPv6 without brackets."""
    port: int
    path: str
    """The request target, query included: ``/v1/messages?beta=true``."""

    @property
    def origin(self) -> Origin:
        return self.scheme, self.host.lower(), self.port

    @property
    def authority(self) -> str:
        """The ``Host`` field: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if _PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def literal(host: str) -> Address | None:
    """The address that ``host`` spells, None for a name.

    Raises ValueError for what only looks like an address (``127.1``, ``0x7f000001``, ``2130706433``, a zone id):
    resolvers read those as addresses, and disagree on which.
    """
    return _literal(host) if len(host) <= LONGEST_NAME else _spelt(host)


def _spelt(host: str) -> Address | None:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare or _NUMERIC.fullmatch(bare.rstrip(".")):
        if "%" in bare:
            raise ValueError(f"{host!r} has a zone id")
        try:
            return ip_address(bare)
        except ValueError:
            raise ValueError(f"{host!r} is neither a name nor an address in its usual spelling") from None
    return None


_literal = lru_cache(maxsize=256)(_spelt)
"""A request names the same few hosts half a dozen times. What cannot be a name is not kept: it may be long."""


def is_name(host: str) -> bool:
    """Whether ``host`` is a DNS name in ASCII, without a trailing dot (RFC 1123 §2.1; underscores occur)."""
    return _NAME.fullmatch(host) is not None


def is_loopback_name(host: str) -> bool:
    """``localhost`` and what is under it (RFC 6761 §6.3)."""
    lower = host.lower()
    return lower == "localhost" or lower.endswith(".localhost")


@lru_cache(maxsize=256)
def reach(ip: Address) -> Reach:
    """How far an address reaches."""
    inside = embedded(ip)
    if inside is not None:
        return reach(inside)
    if isinstance(ip, IPv4Address):
        return next((kind for network, kind in _V4 if ip in network), "public")
    return next((kind for network, kind in _V6 if ip in network), "public")


def embedded(ip: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one, None if there is none."""
    if isinstance(ip, IPv4Address):
        return None
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 0xFFFF):  # below that: `::`, `::1`
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.sixtofour is not None:
        return ip.sixtofour
    return ip.teredo[1] if ip.teredo is not None else None
