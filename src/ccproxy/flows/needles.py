"""The byte strings under which a secret may turn up in traffic.

==============  =========================================================================================
label           form
==============  =========================================================================================
``raw``         UTF-8, as it is; latin-1, as in a header
``url``         percent-encoded (RFC 3986 §2.1), hex digits of either case, with and without ``/`` kept, ``+`` for space
``json``        escaped inside a JSON string (RFC 8259 §7): short escapes, ``\\/``, ``\\u003c`` for ``<``; and that
                once more, as an error message quotes the body of another
``html``        with character references
``hex``         hex digits of one case
``base64``      standard and URL-safe alphabet (RFC 4648 §4, §5), at each of the three byte alignments, so that
                ``base64("user:" + secret)`` and ``base64("Bearer " + secret)`` are found too
==============  =========================================================================================

Base64 mixes the first and last bits of a secret with its neighbours; those characters are not part of the form.

>>> sorted(label for label in forms("s3cr3t-value").values())
['base64', 'base64', 'base64', 'hex', 'hex', 'raw']
"""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

SHORT = 8
"""Bytes. A secret below this is too likely to be part of an ordinary word: it is cut only where it stands alone."""


def forms(secret: str) -> dict[bytes, str]:
    """Every form of ``secret`` with its label; a short secret has no base64 or hex form, they would hit by chance."""
    raw = secret.encode("utf-8", "surrogatepass")
    found: dict[bytes, str] = {raw: "raw"}
    if all(ord(character) < 256 for character in secret):
        found[secret.encode("latin-1")] = "raw"
    for escaped in _escaped(secret):
        found.setdefault(escaped, "json")
    for text in _percent(raw):
        found.setdefault(text.encode("ascii"), "url")
    found.setdefault(html.escape(secret).encode("utf-8", "surrogatepass"), "html")
    if len(raw) >= SHORT:
        _add_binary(found, raw)
    for form in list(found):
        if b"\\" in form:
            found.setdefault(form.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), "json")
    return found


def _add_binary(found: dict[bytes, str], raw: bytes) -> None:
    found.setdefault(raw.hex().encode("ascii"), "hex")
    found.setdefault(raw.hex().upper().encode("ascii"), "hex")
    for core in _base64(raw):
        found.setdefault(core, "base64")
        found.setdefault(core.replace(b"/", b"\\/"), "base64")
        found.setdefault(quote(core, safe="").encode("ascii"), "base64")


def _escaped(secret: str) -> set[bytes]:
    plain = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    marked = {text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") for text in plain}
    texts = plain | marked
    return {text.encode("utf-8", "surrogatepass") for text in texts | {text.replace("/", "\\/") for text in texts}}


def _percent(raw: bytes) -> set[str]:
    upper = {quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)}
    return upper | {_lower_escapes(text) for text in upper}


def _lower_escapes(text: str) -> str:
    head, *rest = text.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _base64(raw: bytes) -> set[bytes]:
    cores: set[bytes] = set()
    for lead, mixed in ((0, 0), (1, 2), (2, 3)):
        whole = (lead + len(raw)) % 3 == 0
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(lead) + raw).rstrip(b"=")
            cores.add(text[mixed:] if whole else text[mixed:-1])
    return cores
