"""What the listener asks of the sidecar: the contract headers, read and judged.

::

    x-ccproxy-target-url:   https://api.example.com/v1/messages?beta=true     the whole URL, sent as it is
    x-ccproxy-impersonate:  chrome131                                         a name in ``config.fingerprints``
    x-ccproxy-token:        the text of $RUNTIME/listener/sidecar-token

The target comes from a header, so nothing is believed: its origin must be, to the letter, that of a provider with a
``fingerprint_profile``, and pass the guard that every request of the listener passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ccproxy.addresses import Target
from ccproxy.config.fingerprints import PROFILES
from ccproxy.config.model import Config
from ccproxy.config.origin import Origin, parse_url
from ccproxy.errors import BadRequest, Forbidden
from ccproxy.guard import EgressPolicy, check_egress, strip_hop_by_hop, strip_internal
from ccproxy.headers import Headers

TARGET: Final = "x-ccproxy-target-url"
PROFILE: Final = "x-ccproxy-impersonate"
TOKEN: Final = "x-ccproxy-token"  # noqa: S105  the header's name

_URL: Final = re.compile(r"(https?://[^/?#]+)(/[!\"$-~]*)")
_OURS_TO_WRITE: Final = ("host", "content-length", "transfer-encoding", "accept-encoding", "expect")
"""The framing of this hop. Encodings too: curl takes those apart, so it alone knows which it can."""


@dataclass(frozen=True, slots=True)
class Order:
    """One request to make."""

    url: str
    """Absolute; composed anew of what was judged."""
    origin: Origin
    profile: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration lets the sidecar do."""

    origins: frozenset[Origin]
    """Of all providers with a fingerprint profile."""
    egress: EgressPolicy = field(default_factory=EgressPolicy)

    @classmethod
    def of(cls, config: Config) -> Policy:
        origins = frozenset(p.origin for p in config.providers.values() if p.fingerprint_profile)
        egress = EgressPolicy(
            named_hosts=frozenset(origin.host for origin in origins),
            own_ports=frozenset({config.port, config.inspector.port, config.sidecar.port, config.mcp.http.port}),
            own_addresses=frozenset({config.host, config.mcp.http.host}),
        )
        return cls(origins, egress)

    def read(self, headers: Headers) -> Order:
        """The order in a request's headers. Raises BadRequest if it cannot be read, Forbidden if it is refused."""
        url, profile = _only(headers, TARGET), _only(headers, PROFILE)
        if profile not in PROFILES:
            raise BadRequest(f"{PROFILE} is not a known fingerprint profile")
        match = _URL.fullmatch(url)
        if match is None:
            raise BadRequest(f"{TARGET} is not an absolute http or https URL with a path")
        try:
            origin, _ = parse_url(match[1])
        except ValueError as error:
            raise Forbidden(f"{TARGET} {error}") from None
        if origin not in self.origins:
            raise Forbidden(
                f"{origin.scheme}://{origin.host}:{origin.port} is not the origin of a provider with a "
                "fingerprint_profile in ccproxy.yaml"
            )
        target = Target(origin.scheme, origin.host, origin.port, match[2])
        check_egress(target, headers, self.egress)
        return Order(target.url, origin, profile)


def outgoing(headers: Headers) -> Headers:
    """The header fields that go to the upstream. Raises BadRequest for a value that curl would alter."""
    sent = Headers(headers.fields)
    strip_internal(sent)
    strip_hop_by_hop(sent)
    sent.remove(*_OURS_TO_WRITE)
    for name, value in sent.fields:
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest(f"the header {name.decode('latin-1')} is not UTF-8 text") from None
    return sent


def _only(headers: Headers, name: str) -> str:
    values = headers.get_all(name)
    if len(values) != 1:
        raise BadRequest(f"the request has {len(values)} headers {name}; only the listener of this ccproxy sends here")
    return values[0]
