"""The door of the MCP server: an ASGI middleware that every request passes first, on every path.

=====================================================  ======
who is refused                                         status
=====================================================  ======
anybody, while ``mcp.http.enabled`` is false           503
a ``Host`` that is missing, doubled or malformed       400
a ``Host`` that is not this server (DNS rebinding)     421
a web page of another origin                           403
without a token configured: another user               403
with one: who does not show it (but for ``/health``)   401
=====================================================  ======

The path is compared as the client wrote it, before any decoding (CVE-2026-48710), and only to tell ``/health``.

Specification: MCP 2025-11-25 and 2026-07-28, "Streamable HTTP", security warning; RFC 6750 §3.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ccproxy.errors import BadRequest, Forbidden
from ccproxy.guard import Arrival, check_ingress
from ccproxy.headers import Headers
from ccproxy.peer import Address, peer_uid

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ccproxy.config.model import Config

HEALTH = "/health"

type PeerUid = Callable[[Address, Address], int | None]
"""From our address and the peer's; None where the kernel cannot tell."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration lets in."""

    enabled: bool
    host: str
    """Address that the server is bound to."""
    allowed_hosts: tuple[str, ...]
    """Patterns of further names."""
    trust_windows_host: bool
    token: bytes | None
    """None: the peer's user is asked instead."""

    @classmethod
    def of(cls, config: Config, token: str | None) -> Self:
        http = config.mcp.http
        given = token.encode() if token is not None else None
        return cls(http.enabled, http.host, config.allowed_hosts, config.trust_windows_host, given)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request is answered that does not get in."""

    status: int
    error: str
    """One word for programs."""
    text: str
    """For people."""


class Door:
    """Wraps an app. ``policy`` may be replaced at any time; a reload does."""

    def __init__(self, app: ASGIApp, policy: Policy, *, uid_of: PeerUid = peer_uid, own_uid: int | None = None) -> None:
        self.policy = policy
        self._app = app
        self._uid_of = uid_of
        self._own_uid = os.getuid() if own_uid is None else own_uid

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _answer(refusal, send)

    def _refuse(self, scope: Scope) -> Refusal | None:
        policy = self.policy
        if not policy.enabled:
            return Refusal(503, "disabled", "the MCP server is switched off (mcp.http.enabled in ccproxy.yaml)")
        headers = Headers(tuple(scope["headers"]))
        path = scope.get("raw_path", b"").decode("latin-1")
        return (
            self._refuse_names(scope, headers, path)
            or (self._refuse_user(scope) if policy.token is None else None)
            or (self._refuse_token(headers) if policy.token is not None and path != HEALTH else None)
        )

    def _refuse_names(self, scope: Scope, headers: Headers, path: str) -> Refusal | None:
        local = {self.policy.host, *(scope.get("server") or ())[:1]}
        own = Headers(tuple(field for field in headers.fields if field[0].lower() == b"host"))
        for given, status, error in ((own, 421, "misdirected_request"), (headers, 403, "forbidden")):
            try:
                check_ingress(
                    Arrival(scope["method"], path, given), local_hosts=local, allowed_hosts=self.policy.allowed_hosts
                )
            except BadRequest as refused:
                return Refusal(400, "invalid_request", str(refused))
            except Forbidden as refused:
                return Refusal(status, error, str(refused))
        return None

    def _refuse_user(self, scope: Scope) -> Refusal | None:
        ours, theirs = scope.get("server"), scope.get("client")
        uid = self._uid_of((ours[0], ours[1]), (theirs[0], theirs[1])) if ours and theirs else None
        if uid == self._own_uid or (uid is None and self.policy.trust_windows_host):
            return None
        who = "an unknown user or machine" if uid is None else f"another user (uid {uid})"
        text = f"this MCP server serves uid {self._own_uid} only, and the request is from {who}; set mcp.http.auth"
        return Refusal(403, "forbidden", text)

    def _refuse_token(self, headers: Headers) -> Refusal | None:
        given = headers.get_all("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        assert self.policy.token is not None, "the caller looked"
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self.policy.token):
            return None
        return Refusal(401, "invalid_token", "Authentication required")


async def _answer(refusal: Refusal, send: Send) -> None:
    body = json.dumps({"error": refusal.error, "error_description": refusal.text}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What the client is still sending is not read, so the connection cannot be used again.
        (b"connection", b"close"),
    ]
    if refusal.status == 401:
        challenge = f'Bearer error="{refusal.error}", error_description="{refusal.text}"'
        headers.append((b"www-authenticate", challenge.encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
