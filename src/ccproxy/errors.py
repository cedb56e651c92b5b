"""The exceptions of ccproxy.

::

    CcproxyError                  500  anything that ccproxy itself reports
    ├── ConfigError                    the configuration cannot be used; lists every problem
    ├── StoreError                     the flow store cannot be read or written
    ├── ControlError                   the daemon did not answer on its control socket, or refused
    └── RequestError              4xx  this request ends here; told to the client in its own wire format
        ├── BadRequest            400
        ├── CredentialError       401  a credential is missing, failed, or may not go where it was asked to
        ├── Forbidden             403
        ├── NotFound              404
        ├── PayloadTooLarge       413
        ├── UpgradeRefused        426
        ├── HeadersTooLarge       431
        ├── NotBuilt              501  no route, or a route that needs what is not built
        ├── UpstreamError         502  the provider could not be reached or broke off
        └── UpstreamTimeout       504

A message says what happened, where, and what to do. It never holds a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Kind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "rate_limit",
    "overloaded",
    "timeout",
    "upstream",
    "not_implemented",
    "internal",
]
"""What went wrong, independent of any wire format; each dialect has its own word for it."""


class CcproxyError(Exception):
    """Base of everything that ccproxy raises on purpose."""

    status: ClassVar[int] = 500
    """HTTP status that a client is given."""
    kind: ClassVar[Kind] = "internal"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration."""

    key: str
    """Dotted key, ``providers.deepseek.host``; empty for the file as a whole."""
    message: str
    """What is wrong and what to do."""
    file: str | None = None
    line: int | None = None
    """1-based line in ``file``."""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.key + ': ' if self.key else ''}{self.message}"


class ConfigError(CcproxyError):
    """The configuration cannot be used. ``problems`` holds all of them, not the first."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class StoreError(CcproxyError):
    """The flow store cannot be read or written."""


class ControlError(CcproxyError):
    """The daemon did not answer on its control socket, or refused what was asked."""


class RequestError(CcproxyError):
    """This request ends here; the message goes to the client in its own wire format."""

    status: ClassVar[int] = 400
    kind: ClassVar[Kind] = "invalid_request"


class BadRequest(RequestError):
    """The request cannot be understood."""


class CredentialError(RequestError):
    """A credential is missing, failed, or may not go where it was asked to go. Nothing was sent."""

    status: ClassVar[int] = 401
    kind: ClassVar[Kind] = "authentication"


class Forbidden(RequestError):
    """The caller may not do this: foreign Origin, unknown Host, other user, forbidden target."""

    status: ClassVar[int] = 403
    kind: ClassVar[Kind] = "permission"


class NotFound(RequestError):
    """There is nothing at this path."""

    status: ClassVar[int] = 404
    kind: ClassVar[Kind] = "not_found"


class PayloadTooLarge(RequestError):
    """The body, or what it would decompress to, exceeds the limit."""

    status: ClassVar[int] = 413
    kind: ClassVar[Kind] = "too_large"


class UpgradeRefused(RequestError):
    """A WebSocket was asked for on a path that is served by POST; clients fall back at once."""

    status: ClassVar[int] = 426


class HeadersTooLarge(RequestError):
    """The header block exceeds the limit."""

    status: ClassVar[int] = 431
    kind: ClassVar[Kind] = "too_large"


class NotBuilt(RequestError):
    """No provider or rule matches, or the route needs a translation that does not exist."""

    status: ClassVar[int] = 501
    kind: ClassVar[Kind] = "not_implemented"


class UpstreamError(RequestError):
    """The provider could not be reached, or broke off before it answered."""

    status: ClassVar[int] = 502
    kind: ClassVar[Kind] = "upstream"


class UpstreamTimeout(RequestError):
    """The provider did not answer within ``provider_timeout``."""

    status: ClassVar[int] = 504
    kind: ClassVar[Kind] = "timeout"
