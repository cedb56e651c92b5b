"""Keys: what of a request a hook reads and writes.

::

    key = "header" [ ":" name ]      one header, or all
        | "body" { "." segment }     a place in the JSON body and what is under it; a segment "*" stands for any
        | "ctx." attribute           an attribute of Context

A key covers what is under it. The typed view (``ctx.messages``, ``ctx.model``…) has no fixed place in the body, since
that depends on the wire format, so it overlaps all of it.

>>> overlap(parse("body.metadata"), parse("body.metadata.user_id"))
True
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

VIEW: Final = ("messages", "model", "stream", "system", "tools")
"""Attributes of Context that are read from the body, wherever the wire format keeps them."""
GIVEN: Final = (
    "body", "conversation_id", "endpoint", "flow_id", "has_body", "jail", "listener", "method", "path", "providers",
    "warnings", *VIEW,
)  # fmt: skip
"""Attributes of Context that a request has before any hook ran."""
MADE: Final = ("sentinel", "session_id")
"""Attributes of Context that only hooks give a value."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, parsed."""

    kind: Literal["header", "body", "ctx"]
    parts: tuple[str, ...]
    """Header name in lower case, or the segments of a path; empty: everything of the kind."""

    @property
    def is_view(self) -> bool:
        return self.kind == "ctx" and self.parts[0] in VIEW

    @property
    def in_body(self) -> bool:
        return self.kind == "body" or self.is_view

    def __str__(self) -> str:
        if self.kind == "header":
            return ":".join(("header", *self.parts))
        return ".".join((self.kind, *self.parts))


def parse(text: str) -> Key:
    """Read a key. Raises ValueError."""
    kind, colon, name = text.partition(":")
    if kind == "header" and (name or not colon):
        return Key("header", (name.lower(),) if name else ())
    kind, *parts = text.split(".")
    if kind == "body" and all(parts):
        return Key("body", tuple(parts))
    if kind == "ctx" and len(parts) == 1:
        known = (*GIVEN, *MADE)
        if parts[0] in known:
            return Key("ctx", (parts[0],)) if parts[0] != "body" else Key("body", ())
        close = get_close_matches(parts[0], known, n=1)
        raise ValueError(f"{text!r} is no attribute of Context" + (f"; did you mean ctx.{close[0]}?" if close else ""))
    raise ValueError(f"{text!r} is no key; write header:NAME, body.PATH or ctx.ATTRIBUTE")


def covers(declared: Key, touched: Key) -> bool:
    """Whether who may touch ``declared`` may touch ``touched``."""
    if declared.kind != touched.kind:
        return declared.kind == "body" and not declared.parts and touched.is_view
    return len(declared.parts) <= len(touched.parts) and _agree(declared, touched)


def overlap(one: Key, other: Key) -> bool:
    """Whether two keys have a place in common."""
    if one.kind != other.kind:
        return (one.is_view and other.kind == "body") or (other.is_view and one.kind == "body")
    return _agree(one, other)


def _agree(one: Key, other: Key) -> bool:
    return all(a == b or "*" in (a, b) for a, b in zip(one.parts, other.parts, strict=False))
