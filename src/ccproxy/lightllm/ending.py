"""How an answer ended: what each dialect's ``usage.py`` reads out of one event or one whole body.

>>> start = Ending(counts={"input_tokens": 9}, model="m")
>>> start.merge(Ending(counts={"output_tokens": 2}, stop_reason="end_turn")).counts
{'input_tokens': 9, 'output_tokens': 2}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

_LARGEST: Final = 2**53
_DECODER: Final = json.JSONDecoder()


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


@dataclass(frozen=True, slots=True)
class Ending:
    """What one event says; what a whole answer says is the merger of its events."""

    counts: Mapping[str, object] | None = None
    """The provider's own usage object."""
    stop_reason: str | None = None
    """The provider's own word, ``end_turn``, ``tool_calls``, ``MAX_TOKENS``."""
    model: str | None = None
    finished: bool = False
    """The event that makes an answer complete was there."""
    failed: bool = False
    """The event is an error."""

    def merge(self, later: Ending) -> Ending:
        """Both, the later one deciding. Counts are cumulative in every dialect: a number replaces, null does not."""
        counts = self.counts
        if later.counts is not None:
            counts = {**(counts or {}), **{key: value for key, value in later.counts.items() if value is not None}}
        return Ending(
            counts,
            later.stop_reason or self.stop_reason,
            later.model or self.model,
            self.finished or later.finished,
            self.failed or later.failed,
        )


class Reader(Protocol):
    """What a dialect's ``usage.py`` offers. The members of a module satisfy it."""

    @property
    def MARKS(self) -> Mapping[str, re.Pattern[bytes]]:
        """Finds the events that have to be read; of each kind the last one counts.

        Each pattern begins with a literal: searched one after the other they are ten times as fast as one alternation.
        """

    def read_event(self, event: Mapping[str, object], /) -> Ending:
        """What one event's data says."""

    def read_body(self, body: Mapping[str, object], /) -> Ending:
        """What a whole answer says."""

    def read_remains(self, data: bytes, /) -> Ending:
        """What can still be read in the head and the tail of an event that was too long to keep."""

    def normalise(self, counts: Mapping[str, object], /) -> Usage | None:
        """The provider's usage object in the common convention; None if it counts nothing."""


def mapping(value: object) -> Mapping[str, object]:
    """A JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def first(value: object) -> Mapping[str, object]:
    """The first element of a JSON array if it is an object, or an empty one."""
    return mapping(value[0]) if isinstance(value, list) and value else {}


def word(value: object) -> str | None:
    """A short string that says something, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= 256 else None


def count(value: object) -> int | None:
    """A number of tokens, or None for what cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None


def total(*values: int | None) -> int | None:
    """The sum; None if the first is None, other Nones are 0."""
    return None if values[0] is None else sum(value or 0 for value in values)


def salvage(data: bytes | bytearray, key: str) -> object:
    """The last value of ``key`` in JSON that has lost its middle, or None.

    The key with its two quotes cannot be inside a string, where quotes are escaped (RFC 8259 §7).
    """
    name = b'"' + key.encode() + b'"'
    at = len(data)
    while (at := data.rfind(name, 0, at)) >= 0:
        rest = data[at + len(name) :].lstrip(b" \t\r\n")
        if rest.startswith(b":"):  # else it is a value, {"type": "error"}
            try:
                return _DECODER.raw_decode(rest[1:].lstrip(b" \t\r\n").decode("utf-8", "replace"))[0]
            except (ValueError, RecursionError):
                return None
    return None
