"""Token counts, in one convention for all providers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """Tokens as the provider counted them; None where it did not say.

    ``input`` includes cache reads and writes, ``output`` includes reasoning, whatever the provider's own convention.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
