"""Bytes on the wire: compact JSON, ids that follow from the request."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Final

type Body = Mapping[str, object]
"""A JSON object that is about to be sent."""

CREATED: Final = 1_767_225_600
"""When every answer was made: 2026-01-01T00:00:00Z, Unix seconds."""
CREATED_TEXT: Final = "2026-01-01T00:00:00Z"


def dump(value: object) -> bytes:
    """Compact UTF-8 JSON. Half a surrogate pair has no UTF-8: it stays the JSON escape that it came as."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def canonical(value: object) -> str:
    """JSON text that does not depend on the order of keys."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def ident(prefix: str, *of: str) -> str:
    """An id that follows from its parts: ``ident("msg_", seed)`` → ``msg_`` and 24 hexadecimal digits."""
    return prefix + hashlib.sha256("\0".join(of).encode()).hexdigest()[:24]


def signature(*of: str) -> str:
    """What stands where a provider puts a signature or encrypted reasoning: opaque base64, 64 characters."""
    said = "\0".join(("echo", *of)).encode(errors="backslashreplace")
    return base64.b64encode(hashlib.sha384(said).digest()).decode()
