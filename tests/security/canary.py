"""Known secrets, and a search for them in whatever a process leaves behind.

Each canary holds the characters that encodings treat differently, and the search knows the encodings by itself: it does
not ask the code under test how a secret may look.

>>> finds({"store": b"... cnry-demo-0123456789abcdef ..."}, {"demo": "cnry-demo-0123456789abcdef"})
['demo in store: raw']
"""

from __future__ import annotations

import base64
import html
import json
import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

AWKWARD = '/"+&<='
"""What JSON, URLs, HTML and base64 write in ways of their own."""
TELLING = 14
"""So much of a canary's beginning, on its own, is a part of it that was left over."""


def canary(name: str, tail: str = AWKWARD) -> str:
    """A secret that occurs nowhere else, printable ASCII. Two never begin with the same ``TELLING`` characters."""
    return f"c{secrets.token_hex(4)}nry-{name}-{secrets.token_hex(8)}{tail}{secrets.token_hex(3)}"


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """The ways in which a secret may be written, each with its name."""
    raw = secret.encode()
    yield "raw", raw
    yield "beginning", raw[:TELLING]
    yield "end", raw[-TELLING:]
    yield "JSON", json.dumps(secret)[1:-1].encode()
    yield "JSON in JSON", json.dumps(json.dumps(secret)[1:-1])[1:-1].encode()
    yield "percent", quote(secret, safe="").encode()
    yield "percent but for /", quote(secret).encode()
    yield "form", quote_plus(secret).encode()
    yield "HTML", html.escape(secret).encode()
    yield "hex", raw.hex().encode()
    yield "Python", repr(secret)[1:-1].encode()
    for lead in range(3):
        # The first character or two and the last share bits with their neighbours.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(bytes(lead) + raw).rstrip(b"=")[lead and lead + 1 : -1]
            yield f"base64 after {lead}", core
            yield f"base64 after {lead} in JSON", json.dumps(core.decode()).encode().strip(b'"').replace(b"/", b"\\/")


def finds(sinks: Mapping[str, bytes], canaries: Mapping[str, str]) -> list[str]:
    """Every canary that is in a sink: ``NAME in SINK: FORM``, the first form that was seen."""
    found = []
    for name, secret in canaries.items():
        wanted = list(forms(secret))
        for sink, data in sinks.items():
            form = next((form for form, text in wanted if text in data), None)
            if form is not None:
                found.append(f"{name} in {sink}: {form}")
    return found


def places(data: bytes, secret: str, width: int = 90) -> list[bytes]:
    """What stands around each occurrence, for whoever looks for the cause."""
    return [data[max(0, at - width) : at + width] for _, text in forms(secret) if (at := data.find(text)) >= 0]
