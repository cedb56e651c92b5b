"""A credential, ready to be written on the copy of a request that is sent.

No representation of it shows its value: neither ``repr`` nor a traceback, a log line or an assertion.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccproxy.config.auth import AuthSource
from ccproxy.config.providers import Provider


@dataclass(frozen=True, slots=True, repr=False)
class Placed:
    """What to add to one request to ``provider``; all None and empty if it wants no credential."""

    provider: str
    header: tuple[str, str] | None = None
    """Name and value of the one header that carries the credential."""
    query: tuple[str, str] | None = None
    """Name and value, not yet percent-encoded, of the query parameter that carries it instead."""
    extra_headers: tuple[tuple[str, str], ...] = ()
    """Companions that belong to this provider's account and go nowhere else."""
    owner: Provider | None = None
    """The provider's definition when this was placed. A credential of a later definition never replaces this one."""

    def __repr__(self) -> str:
        slot = f"header {self.header[0]}" if self.header else f"query {self.query[0]}" if self.query else "nothing"
        return f"<Placed for {self.provider!r}: {slot}>"


def place(provider: str, definition: Provider, source: AuthSource, token: str) -> Placed:
    """``token`` in the slot that ``source`` declares: a query parameter, a header of its own, else Bearer."""
    if source.query_param:
        return Placed(provider, query=(source.query_param, token), owner=definition)
    name = (source.header or "authorization").lower()
    value = f"Bearer {token}" if name == "authorization" else token
    return Placed(provider, header=(name, value), owner=definition)
