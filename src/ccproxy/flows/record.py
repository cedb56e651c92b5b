"""What is remembered of one request: plain values, made by the listener, stored by ``flows.store``.

A record is created when the request is complete, filled in while it travels, and written once when it ends.
Times are Unix seconds, sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ccproxy.headers import Fields
from ccproxy.lightllm.usage import Usage

type Listener = Literal["reverse", "jail"]
type RouteName = Literal["builtin", "passthrough", "redirect", "transform", "reject"]
type HookStatus = Literal["ok", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Cut:
    """One span of a stored body that held a secret; it now holds as many ``*``."""

    start: int
    """Offset in the stored ``data``, bytes. A cut keeps its length, so the offset is also that of the true body."""
    length: int
    """Bytes."""
    label: str
    """What was there: ``secret (base64)``, ``api key``, ``cookie``…"""


@dataclass(slots=True)
class Body:
    """Body bytes as seen on the wire (still content-encoded), captured up to a cap.

    In the store they are decoded, because what is compressed cannot be searched for secrets; then ``decoded`` says so.
    """

    data: bytes = b""
    size: int = 0
    """True size on the wire; larger than ``len(data)`` if ``truncated``."""
    sha256: str = ""
    """Hex digest of the true, whole body, before truncation and redaction; empty if it was not computed."""
    truncated: bool = False
    decoded: str = ""
    """The content-encoding that was undone for the store, ``gzip``; empty while ``data`` is what was on the wire."""
    cuts: tuple[Cut, ...] = ()
    """Where secrets were, in the order of the text."""


@dataclass(slots=True)
class Message:
    """One request or one response, at one side of the proxy."""

    headers: Fields = ()
    body: Body = field(default_factory=Body)
    method: str = ""
    """Requests only."""
    url: str = ""
    """Requests only: absolute URL with query."""
    status: int = 0
    """Responses only."""


@dataclass(slots=True)
class HookResult:
    """What one hook did to one request."""

    name: str
    stage: Literal["inbound", "outbound"]
    status: HookStatus
    detail: str = ""
    """Why it was skipped, or the error."""
    took_s: float = 0.0


@dataclass(slots=True)
class Attempt:
    """One send to an upstream."""

    url: str
    status: int = 0
    """0: no answer."""
    started_at: float = 0.0
    error: str = ""


@dataclass(slots=True)
class FlowRecord:
    """One request from arrival to end."""

    id: str
    """UUID, the same as mitmproxy's flow id."""
    created_at: float
    listener: Listener = "reverse"
    jail: str | None = None
    """Label of the jail that the request came from."""
    client: str = ""
    """Peer address, ``127.0.0.1:51234``."""
    dialect: str | None = None
    """Wire format of the client, None if the path is of no known API."""
    operation: str = "other"
    model: str | None = None
    provider: str | None = None
    route: RouteName = "reject"
    session_id: str | None = None
    conversation_id: str | None = None
    request: Message = field(default_factory=Message)
    """As the client sent it."""
    forwarded: Message | None = None
    """As it left, without the credential; None if nothing was sent. Shares ``request.body`` if the bytes are equal."""
    response: Message | None = None
    """As the provider sent it."""
    answered: Message | None = None
    """As the client got it; None when it is the provider's, unchanged."""
    hooks: list[HookResult] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    usage: Usage | None = None
    stop_reason: str | None = None
    complete: bool | None = None
    """Whether the answer ended as its wire format says it must; None where that does not apply."""
    error: str | None = None
    first_byte_at: float | None = None
    ended_at: float | None = None
