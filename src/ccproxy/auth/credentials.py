"""The credentials of all providers: resolved when first wanted, shared, renewed after a 401, never shown.

    credentials = Credentials(config)
    placed = await credentials.get("deepseek")        # CredentialError if it cannot be had; nothing may be sent then
    …send a copy of the request with placed.header…   # 401
    newer = await credentials.renew("deepseek", placed)  # None: there is nothing newer, give the 401 to the client

A token is read by one run however many requests want it at once (:mod:`ccproxy.auth.flight`). Every value that was
ever resolved here is in :meth:`Credentials.secrets`, so that whoever stores or logs bytes can cut it out.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Mapping

from ccproxy.auth.flight import Flight
from ccproxy.auth.placed import Placed, place
from ccproxy.auth.sources import Clock, Limits, TokenReader, open_source
from ccproxy.auth.token import SourceFailure
from ccproxy.config.auth import AuthSource
from ccproxy.config.model import Config
from ccproxy.config.providers import Provider
from ccproxy.errors import CredentialError

SECRETS_KEPT = 32
"""Values remembered for each provider, the newest first to stay: an answer may echo a token that has just changed."""
RENEWAL_PAUSE_S = 2.0
"""After a 401 has made a source be read, no other 401 does for so long, unless the source says by itself that its
token was replaced: a provider that refuses everything must not make every request run a command."""

_log = logging.getLogger(__name__)


class Credentials:
    """Belongs to one event loop. ``clock`` counts seconds and never goes back; ``environ`` is the daemon's own."""

    def __init__(
        self, config: Config, *, clock: Clock = time.monotonic, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._clock, self._environ = clock, environ
        self._limits = Limits.of(config)
        self._providers: Mapping[str, Provider] = {}
        self._slots: dict[str, _Slot] = {}
        self._kept: dict[str, deque[str]] = {}
        self._secrets: frozenset[str] = frozenset()
        self.replace(config)

    async def get(self, provider: str) -> Placed:
        """What to write on a request to ``provider``; empty for one without ``auth``.

        Raises CredentialError, naming the provider, the reason and what to do, if there is no usable token.
        """
        definition = self._providers.get(provider)
        if definition is None:
            known = ", ".join(sorted(self._providers)[:20]) or "none"
            raise CredentialError(f"no provider {provider!r} is configured (configured: {known}); nothing was sent")
        slot = self._slots.get(provider)
        if slot is None:
            return Placed(provider, owner=definition)
        try:
            token = slot.source.peek()
            if token is None:
                token = await slot.flight.join()
        except SourceFailure as failure:
            raise CredentialError(
                f"provider {provider!r}: its {slot.source.what} {failure}; nothing was sent"
            ) from None
        return self._placed(provider, definition, slot, token)

    async def renew(self, provider: str, refused: Placed) -> Placed | None:
        """What to send instead of ``refused``, which the provider answered with 401; None if there is nothing newer.

        Reads the source again unless somebody has done so since. A failure to do so is logged and means None. Also
        None when the provider's definition has changed meanwhile: the new token may belong to another host.
        """
        definition, slot = self._providers.get(provider), self._slots.get(provider)
        if definition is None or slot is None or definition != refused.owner:
            return None
        try:
            known = slot.source.peek()
            if known is not None and (placed := self._placed(provider, definition, slot, known)) != refused:
                return placed
            replaced = known is None and slot.source.notices
            if self._clock() < slot.no_renewal_before and not replaced:
                return None
            token = await slot.flight.join()
            slot.no_renewal_before = self._clock() + RENEWAL_PAUSE_S
        except SourceFailure as failure:
            slot.no_renewal_before = self._clock() + RENEWAL_PAUSE_S
            _log.warning("provider %r answered 401 and its %s %s", provider, slot.source.what, failure)
            return None
        if self._providers.get(provider) != definition:
            return None
        placed = self._placed(provider, definition, slot, token)
        return None if placed == refused else placed

    def secrets(self) -> frozenset[str]:
        """The values resolved here, the last :data:`SECRETS_KEPT` of each provider; one object until one is added."""
        return self._secrets

    def add_secret(self, owner: str, value: str) -> None:
        """Remember a secret that was resolved elsewhere (``listener_token``), so that it is cut out as well."""
        kept = self._kept.setdefault(owner, deque(maxlen=SECRETS_KEPT))
        if value not in kept:
            kept.append(value)
            self._secrets = frozenset(secret for values in self._kept.values() for secret in values)

    def replace(self, config: Config) -> None:
        """Serve a new configuration. What is known of unchanged sources is kept, and so is what is under way."""
        limits = Limits.of(config)
        slots: dict[str, _Slot] = {}
        for name, definition in config.providers.items():
            auth = definition.auth
            if auth is None:
                continue
            old = self._slots.get(name)
            if old is not None and old.auth == auth and limits == self._limits:
                slots[name] = old
            else:
                slots[name] = _Slot(auth, open_source(auth, limits, clock=self._clock, environ=self._environ))
        self._slots, self._providers, self._limits = slots, dict(config.providers), limits

    async def close(self) -> None:
        """End the commands that still run."""
        for slot in self._slots.values():
            await slot.flight.close()

    def _placed(self, provider: str, definition: Provider, slot: _Slot, token: str) -> Placed:
        if slot.token != token or slot.placed is None or slot.placed.owner is not definition:
            slot.token, slot.placed = token, place(provider, definition, slot.auth, token)
            self.add_secret(provider, token)
        return slot.placed


class _Slot:
    """One provider's source and what was last made of it."""

    def __init__(self, auth: AuthSource, source: TokenReader) -> None:
        self.auth = auth
        self.source = source
        self.flight = Flight(source.read)
        self.token = ""
        self.placed: Placed | None = None
        self.no_renewal_before = float("-inf")
