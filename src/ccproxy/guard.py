"""The guard at both doors: who may ask, and where a request may go. Facts in, an exception or nothing out.

===================  ==================================================================================================
``check_ingress``    Host and Origin of a request that arrives: no web page and no rebound name gets in
``check_jailed``     the same for a jail, where any host may be named but a sentinel's request must name only one
``check_client``     the user behind a connection: no other account of this machine spends the subscription
``check_egress``     the request that is about to leave: a credential only to its provider's own origin; nothing to our
                     own ports, to metadata services or, unless the configuration names them, to private addresses
``check_dialled``    the address that was really dialled: a name may have changed since ``check_egress``
``strip_…``          headers that are ours, that concern one connection only, or that belong to another host's account
===================  ==================================================================================================

No hook, header or client can switch one of these off.

>>> check_egress(Target("http", "169.254.169.254", 80, "/latest/meta-data"), Headers(), EgressPolicy())
Traceback (most recent call last):
ccproxy.errors.Forbidden: requests to 169.254.169.254 are refused: it is a link-local, metadata or reserved address
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ccproxy.addresses import LONGEST_NAME, Origin, Target, embedded, is_loopback_name, is_name, literal, reach
from ccproxy.errors import BadRequest, CredentialError, Forbidden
from ccproxy.headers import Headers
from ccproxy.sentinel import Sentinel, find, is_left_in

if TYPE_CHECKING:
    from ccproxy.config.providers import Provider
    from ccproxy.config.rules import TransformRule

_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#@\\%,]+)(?::([0-9]{1,5}))?")
_REQUEST_TARGET: Final = re.compile(r"/[!-~]*|\*")
_HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer upgrade "
    b"http2-settings".split()
)
_NEVER_NAMED: Final = frozenset(b"host content-length transfer-encoding content-type content-encoding".split())
"""What a Connection field cannot make hop-by-hop: dropping it would change what the message is."""
_INTERNAL: Final = (b"x-ccproxy-", b"x_ccproxy_")

_ACCOUNT_HEADERS: Final[dict[bytes, tuple[str, ...]]] = {
    b"cookie": (),
    b"openai-organization": ("openai.com",),
    b"openai-project": ("openai.com",),
    b"chatgpt-account-id": ("openai.com", "chatgpt.com"),
    b"x-openai-fedramp": ("openai.com", "chatgpt.com"),
    b"x-goog-user-project": ("googleapis.com",),
}
"""Headers that say whose account it is, and the domains that may learn it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a request says about where it was sent, before anything was rewritten."""

    method: str
    path: str
    """Origin form, query included."""
    headers: Headers
    authority: str | None = None
    """``:authority``, or the one in an absolute-form request target; None if there was none."""
    sni: str | None = None
    has_body: bool = False


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What the configuration allows."""

    named_hosts: frozenset[str] = frozenset()
    """Lower-case ``host`` or ``host:port`` (no brackets) that may be private, see ``named_hosts``."""
    own_ports: frozenset[int] = frozenset()
    """Ports of this program on this machine: proxy, web UI, sidecar, MCP."""
    own_addresses: frozenset[str] = frozenset()
    """Addresses of this machine besides loopback that those ports are bound to."""


def named_hosts(providers: Mapping[str, Provider], rules: Iterable[TransformRule]) -> frozenset[str]:
    """Where a configuration sends requests; on this machine only to the port that it names."""
    origins = [provider.origin for provider in providers.values()]
    origins += [rule.dest_origin for rule in rules if rule.dest_origin is not None]
    return frozenset(_named(origin.host, origin.port) for origin in origins)


def _named(host: str, port: int) -> str:
    address = literal(host)
    local = is_loopback_name(host) if address is None else reach(address) == "loopback"
    return f"{host}:{port}" if local else host


@dataclass(frozen=True, slots=True)
class Injected:
    """A credential will be written on the request."""

    provider: str
    origin: Origin
    """The only place that it may go."""


# ---- who may ask ----


def check_ingress(arrival: Arrival, *, local_hosts: Collection[str], allowed_hosts: Iterable[str] = ()) -> None:
    """Let a request into the reverse listener, or raise Forbidden or BadRequest.

    ``local_hosts``: the configured host and the address that the connection came in on. ``allowed_hosts``: patterns of
    further hosts, with or without port, in which ``*`` and ``?`` stand for any text and character.
    """
    host = _agreed_host(arrival)
    patterns = [pattern.lower().replace("[", "[[]") for pattern in allowed_hosts]
    if host is None:
        raise BadRequest("the request has no Host; HTTP/1.1 wants one")
    if not _is_ours(host, local_hosts, patterns):
        raise Forbidden(f"Host {host.text!r} is not this proxy; if it should be, add it to `allowed_hosts`")
    for origin in arrival.headers.get_all("origin"):
        page = _origin_host(origin)
        if page is None or not _is_ours(page, local_hosts, patterns):
            raise Forbidden(f"requests from web pages of {origin!r} are refused; `allowed_hosts` can allow its host")
    if arrival.headers.get("sec-fetch-site") == "cross-site" and "origin" not in arrival.headers:
        # A page elsewhere embeds us, without asking. A person who follows a link may, if it carries no key.
        followed = arrival.headers.get("sec-fetch-mode") == "navigate"
        if not followed or find(arrival.headers, arrival.path, has_body=arrival.has_body) is not None:
            raise Forbidden("requests from pages of other sites are refused")


def check_jailed(arrival: Arrival, sentinel: Sentinel | None) -> None:
    """Let a request of a jail pass: with a sentinel, Host, ``:authority`` and SNI must agree."""
    host = _agreed_host(arrival)
    if sentinel is not None and arrival.sni and host is not None and arrival.sni.lower() != host.name:
        raise BadRequest(f"the TLS server name {arrival.sni!r} and the Host {host.text!r} differ; nothing was sent")


def check_client(
    uid: int | None,
    own_uid: int,
    *,
    given_token: str | None = None,
    expected_token: str | None = None,
    trust_windows_host: bool = False,
) -> None:
    """Let the user behind a connection pass, or raise Forbidden.

    ``uid`` is None where the kernel does not know it (another machine, the Windows host of a WSL distribution).
    ``given_token`` is the one in the sentinel key, ``expected_token`` the configuration's ``listener_token``.
    """
    if uid == own_uid or (uid is None and trust_windows_host):
        return
    if expected_token and given_token is not None:
        if hmac.compare_digest(given_token.encode(), expected_token.encode()):
            return
        raise Forbidden("the token in the sentinel key is not this listener's (`listener_token` in ccproxy.yaml)")
    who = "an unknown user or machine" if uid is None else f"another user (uid {uid})"
    raise Forbidden(
        f"this proxy serves uid {own_uid} only, and the request is from {who}; to let it in, set `listener_token` in "
        "ccproxy.yaml and append it to the sentinel key: sk-ant-oat-ccproxy-PROVIDER.TOKEN"
    )


@dataclass(frozen=True, slots=True)
class _Host:
    text: str
    """As written, in lower case: ``[::1]:4000``."""
    name: str
    """Without port and brackets, addresses in their canonical spelling."""
    port: str


def _agreed_host(arrival: Arrival) -> _Host | None:
    """The one host that the request names, None if it names none."""
    fields = arrival.headers.get_all("host")
    if len(fields) > 1:
        raise BadRequest("the request has more than one Host")
    if not fields:
        return _host(arrival.authority) if arrival.authority else None
    host = _host(fields[0])
    if arrival.authority and arrival.authority != fields[0]:
        other = _host(arrival.authority)
        if other.name != host.name or (host.port and other.port and host.port != other.port):
            raise BadRequest(f"Host {fields[0]!r} and the request's own authority {arrival.authority!r} differ")
    return host


def _host(value: str) -> _Host:
    """Read a ``Host`` field (RFC 9110 §7.2); BadRequest if it is malformed."""
    return _kept_host(value) if len(value) <= LONGEST_NAME else _read_host(value)


def _read_host(value: str) -> _Host:
    match = _AUTHORITY.fullmatch(value)
    if match is None or (match[2] is not None and not 0 < int(match[2]) < 65536):
        raise BadRequest(f"Host {value!r} is malformed")
    name = match[1].strip("[]").lower()
    try:
        address = literal(name)
    except ValueError as err:
        raise BadRequest(f"Host is malformed: {err}") from None
    if address is None and not is_name(name.removesuffix(".")):
        raise BadRequest(f"Host {value!r} is malformed")
    return _Host(value.lower(), str(address) if address is not None else name, match[2] or "")


_kept_host = lru_cache(maxsize=128)(_read_host)
"""A client says the same Host in each of its requests. What cannot be one is not kept."""


def _origin_host(origin: str) -> _Host | None:
    """The host of an Origin (RFC 6454 §7); None for ``null`` and what cannot be read, which are nobody's."""
    scheme, found, authority = origin.partition("://")
    try:
        return _host(authority) if found and scheme else None
    except BadRequest:
        return None


def _is_ours(host: _Host, local_hosts: Collection[str], patterns: Iterable[str]) -> bool:
    if is_loopback_name(host.name) or host.name in local_hosts:
        return True
    address = literal(host.name)
    if address is not None and reach(address) == "loopback":
        return True
    return any(fnmatchcase(form, pattern) for pattern in patterns for form in (host.name, host.text))


# ---- where it may go ----


def check_egress(
    target: Target,
    headers: Headers,
    policy: EgressPolicy,
    *,
    injected: Injected | None = None,
    authority: str | None = None,
    sni: str | None = None,
) -> None:
    """Let a request leave, or raise CredentialError, Forbidden or BadRequest. Nothing was sent then.

    ``headers`` are the outgoing ones, still without the credential; ``authority`` (``:authority``) and ``sni`` are what
    the edge will say besides ``Host``, None where it derives them from ``target``.
    """
    if is_left_in(headers, target.path):
        raise CredentialError(
            "a sentinel key is still in the headers or the URL, so nothing was sent; is the hook `inject_auth` in "
            "`hooks.inbound`, and the key where the client's SDK puts keys?"
        )
    if target.scheme not in ("http", "https") or not 0 < target.port < 65536:
        raise Forbidden(f"requests to {target.scheme}://…:{target.port} are refused")
    if _REQUEST_TARGET.fullmatch(target.path) is None:
        raise BadRequest("the outgoing path holds a character that HTTP does not allow; nothing was sent")
    text = b"".join([part for field in headers.fields for part in field])
    if b"\r" in text or b"\n" in text or b"\0" in text:
        raise BadRequest("an outgoing header holds a line break; nothing was sent")
    _check_reach(target, policy)
    if injected is not None:
        _check_origin(target, injected)
        _check_names(target, headers, authority, sni)


def check_dialled(target: Target, peer_ip: str, policy: EgressPolicy, *, local_ip: str | None = None) -> None:
    """Judge the address that a connection was made to; raises Forbidden before anything is sent on it.

    ``local_ip``: this end of the connection. Where it equals the peer's, the name led to this machine.
    """
    address = literal(peer_ip.partition("%")[0])
    assert address is not None, "a peer has an address"
    kind = reach(address)
    place = peer_ip if peer_ip == target.host else f"{target.host} ({peer_ip})"
    if kind == "forbidden":
        raise Forbidden(_metadata(place))
    own = kind == "loopback" or peer_ip == local_ip or peer_ip in policy.own_addresses
    if own and target.port in policy.own_ports:
        raise Forbidden(_own_port(place, target.port))
    if (own or kind == "private") and not _is_named(target, policy):
        raise Forbidden(_private(place))


def _check_reach(target: Target, policy: EgressPolicy) -> None:
    try:
        address = literal(target.host)
    except ValueError as err:
        raise Forbidden(f"the upstream host {err}") from None
    host = target.host.lower()
    if address is None and not is_name(host):
        raise Forbidden(f"the upstream host {target.host!r} is not a plain DNS name; write it in ASCII, no final dot")
    if address is not None and embedded(address) is not None:
        raise Forbidden(f"the upstream host {host} is an IPv4 address dressed as IPv6; write it plainly")
    kind = reach(address) if address is not None else "loopback" if is_loopback_name(host) else "public"
    if kind == "forbidden":
        raise Forbidden(_metadata(host))
    if (kind == "loopback" or host in policy.own_addresses) and target.port in policy.own_ports:
        raise Forbidden(_own_port(host, target.port))
    if kind != "public" and not _is_named(target, policy):
        raise Forbidden(_private(host))


def _is_named(target: Target, policy: EgressPolicy) -> bool:
    host = target.host.lower()
    return host in policy.named_hosts or f"{host}:{target.port}" in policy.named_hosts


def _check_origin(target: Target, injected: Injected) -> None:
    if (target.scheme, target.host, target.port) != injected.origin:
        scheme, host, port = injected.origin
        raise CredentialError(
            f"the credential of provider {injected.provider!r} goes to {scheme}://{host}:{port} only, and this request "
            f"to {target.scheme}://{target.host}:{target.port}; nothing was sent"
        )
    if target.scheme == "https":
        return
    address = literal(target.host)
    if address is None or reach(address) != "loopback":
        raise CredentialError(
            f"the credential of provider {injected.provider!r} would cross the network unencrypted; use https in its "
            "base_url (plain http only to a loopback address such as http://127.0.0.1:8080)"
        )


def _check_names(target: Target, headers: Headers, authority: str | None, sni: str | None) -> None:
    """Host, ``:authority`` and SNI must name the target: a shared front end routes by them, not by address."""
    allowed = (target.authority, f"{target.authority}:{target.port}")
    hosts = headers.get_all("host")
    names = [*hosts, *([authority] if authority else [])]
    if len(hosts) > 1 or any(name.lower() not in allowed for name in names) or (sni and sni.lower() != target.host):
        raise CredentialError(f"Host, :authority or SNI do not all say {target.authority!r}; no credential was sent")


def _metadata(place: str) -> str:
    return f"requests to {place} are refused: it is a link-local, metadata or reserved address"


def _own_port(place: str, port: int) -> str:
    return f"requests to {place} port {port} are refused: that is this proxy itself"


def _private(place: str) -> str:
    return (
        f"requests to {place} are refused: it is a private address, and no provider or rule in ccproxy.yaml names that "
        "host"
    )


# ---- what must not go along ----


def strip_internal(headers: Headers, keep: Collection[str] = ()) -> None:
    """Remove every ``x-ccproxy-*`` header but those in ``keep``: on ingress, the documented ones, in lower case."""
    if any(name[:10].lower() in _INTERNAL for name, _ in headers.fields):
        headers.fields = tuple(
            field
            for field in headers.fields
            if field[0][:10].lower() not in _INTERNAL or field[0].lower().decode("latin-1") in keep
        )


def strip_hop_by_hop(headers: Headers) -> None:
    """Remove what concerns one connection only, and what its Connection field names (RFC 9110 §7.6.1).

    The framing (Content-Length, Transfer-Encoding) is left to the edge, which knows how the body will be sent.
    """
    drop = _HOP_BY_HOP
    if "connection" in headers:
        named = {
            token.strip().lower().encode("latin-1")
            for value in headers.get_all("connection")
            for token in value.split(",")
        }
        drop = drop | (named - _NEVER_NAMED)
    if any(name.lower() in drop for name, _ in headers.fields):
        headers.fields = tuple(field for field in headers.fields if field[0].lower() not in drop)


def strip_foreign(headers: Headers, host: str, addressed: str | None = None) -> None:
    """Remove cookies and account headers that are not for ``host``.

    ``addressed`` is the host that the client itself asked for (a jail): what it sends there is its own affair.
    """
    host = host.lower()
    if addressed is not None and addressed.lower() == host:
        return

    def is_foreign(name: bytes) -> bool:
        owners = _ACCOUNT_HEADERS.get(name.lower())
        return owners is not None and not any(host == owner or host.endswith(f".{owner}") for owner in owners)

    if any(is_foreign(name) for name, _ in headers.fields):
        headers.fields = tuple(field for field in headers.fields if not is_foreign(field[0]))
