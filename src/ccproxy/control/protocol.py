"""What the processes of one instance must agree on: units, socket names, routes and their answers.

The listener serves HTTP/1.1 with JSON bodies on ``$RUNTIME/control`` (a Unix socket, 0600), for *actions* only. Reading
is done from the flow store and from the lock files, so that nothing is activated by looking.

=======================  ==========================================================================
``GET /status``          ``StatusReply``: what the running listener says of itself
``POST /reload``         ``ReloadReply``: the configuration was read again, or why it was not
``POST /clear``          ``{"ids": […]}`` or ``{}`` for all: what waits to be stored is written, what the web UI
                         shows of these flows is forgotten; ``{"forgotten": N}``. The store itself is the caller's
=======================  ==========================================================================

An answer other than 200 has the body ``{"error": "what happened and what to do"}``.

>>> ReloadReply.from_json({"applied": False, "problems": ["port: must be a number"]}).problems
('port: must be a number',)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance

Unit = Literal["activator", "listener", "sidecar", "mcp"]
"""A process of an instance; each holds ``$RUNTIME/<unit>.lock`` while it lives."""

UNIT_SOCKETS: Mapping[Unit, tuple[str, ...]] = {
    "listener": ("proxy", "control"),
    "sidecar": ("sidecar",),
    "mcp": ("mcp",),
}
"""The names (``FileDescriptorName=``) of the sockets that each process is given."""

type JsonObject = Mapping[str, object]
type Route = Callable[[JsonObject], Awaitable[JsonObject]]
"""What answers ``"POST /name"``: takes the request's JSON object (empty without a body), returns the answer's. A
``RequestError`` becomes its HTTP status and message."""

STATUS = "GET /status"
RELOAD = "POST /reload"
CLEAR = "POST /clear"


@dataclass(frozen=True, slots=True)
class StatusReply:
    """What a running process says of itself."""

    unit: str
    pid: int
    version: str
    started_at: float
    """Unix seconds."""
    state: str
    """One line for people: ``ready``, ``the new configuration was refused: …``."""
    facts: JsonObject = field(default_factory=dict)
    """What the process adds: counters, mostly."""

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, data: JsonObject) -> StatusReply:
        facts = data.get("facts")
        return cls(
            unit=str(data.get("unit", "")),
            pid=_integer(data.get("pid")),
            version=str(data.get("version", "")),
            started_at=_number(data.get("started_at")),
            state=str(data.get("state", "")),
            facts=facts if isinstance(facts, Mapping) else {},
        )


@dataclass(frozen=True, slots=True)
class ReloadReply:
    """Whether the new configuration is in use."""

    applied: bool
    """False: the old one stays, ``problems`` says why."""
    problems: tuple[str, ...] = ()
    """Errors if it was refused, else warnings; one line each."""

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, data: JsonObject) -> ReloadReply:
        problems = data.get("problems")
        return cls(
            applied=data.get("applied") is True,
            problems=tuple(map(str, problems)) if isinstance(problems, list | tuple) else (),
        )


def dialled(host: str) -> str:
    """A bound host as it is written in a URL: "every address" means this machine, IPv6 has brackets."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def web_token_path(instance: Instance) -> Path:
    """Where the running listener keeps the token of its web UI, 0600."""
    return instance.runtime_dir / "listener" / "web-token"


def web_ui_url(instance: Instance, host: str, port: int) -> str | None:
    """The web UI's URL with its token, which is a secret; None while the listener does not run."""
    try:
        token = web_token_path(instance).read_text().strip()
    except OSError:
        return None
    return f"http://{dialled(host)}:{port}/?{urlencode({'token': token})}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
