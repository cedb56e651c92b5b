"""A flow record made ready for the store: decoded, redacted, compressed, with the columns that a listing shows.

Everything that costs processor time happens here, outside of any transaction; what compresses or hashes large bodies
gives up the interpreter lock meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlsplit

import zstandard

from ccproxy.flows import patterns
from ccproxy.flows.content import undo
from ccproxy.flows.document import PARTS, Document, Part, encode, same_body
from ccproxy.flows.own_keys import own_keys
from ccproxy.flows.record import Body, FlowRecord, Message
from ccproxy.flows.redact import Redactor, scrub_value
from ccproxy.headers import Fields

_LEVEL = 1
"""zstd. JSON shrinks to a quarter at 600 MB/s; level 3 wins some 5 % and takes twice the time."""
_ROW_BYTES = 512
"""What a row costs beside its texts, roughly."""
_TEXT = 500
"""Characters of a column; the document has the whole text."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One flow, ready to be inserted."""

    row: tuple[str | float | int | None, ...]
    """Values in the order of ``schema.COLUMNS``."""
    bodies: tuple[tuple[int, bytes], ...]
    """Part number and zstd frame."""


class Packer:
    """Packs records. Not for several threads at once: the compressor is reused."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    def pack(self, record: FlowRecord, body_limit: int) -> Packed:
        """``body_limit``: bytes kept of each body, after decoding."""
        redactor = self._redactor.also(own_keys(record.request.headers, record.request.url))
        clean = replace(record, warnings=list(record.warnings))
        bodies: list[tuple[int, bytes]] = []
        for number, part in enumerate(PARTS):
            message: Message | None = getattr(record, part)
            if message is None:
                continue
            same = same_body(record, part)
            body = getattr(clean, same).body if same else self._body(message, part, clean, body_limit, redactor)
            headers = _without_named_secrets(message.headers)
            setattr(clean, part, Message(headers, body, message.method, message.url, message.status))
            if body.data and not same:
                bodies.append((number, self._compressor.compress(body.data)))
        document, text = _document(clean, redactor)
        size = _ROW_BYTES + len(text) + sum(len(data) for _, data in bodies)
        return Packed((*_columns(document), size, text), tuple(bodies))

    def _body(self, message: Message, part: Part, clean: FlowRecord, limit: int, redactor: Redactor) -> Body:
        body = message.body
        if not body.data:
            return body
        data, truncated, decoded = body.data, body.truncated, body.decoded
        codings = _content_encoding(message.headers)
        if codings and not decoded:
            plain = undo(codings, data, limit=limit)
            if plain is None:
                clean.warnings.append(
                    f"the {part} body was not kept: its content-encoding {codings!r} could not be undone, "
                    "so it could not be searched for secrets"
                )
                return replace(body, data=b"", truncated=True)
            data, truncated, decoded = plain.data, truncated or not plain.whole, codings
        if len(data) > limit:
            data, truncated = data[:limit], True
        scrubbed = redactor.scrub_body(data, truncated=truncated)
        digest = body.sha256 or ("" if body.truncated else sha256(body.data).hexdigest())
        return Body(scrubbed.data, body.size, digest, truncated, decoded, scrubbed.cuts)


def _document(clean: FlowRecord, redactor: Redactor) -> tuple[Document, str]:
    document = encode(clean)
    for part in PARTS:
        if document[part] is not None and "@" in document[part]["url"]:
            document[part]["url"] = redactor.scrub_url(document[part]["url"])
    text = _json(document)
    # The texts are looked at in one go. JSON escaped them: a secret is there in its own escaped form or, if it is
    # itself an escaped form in which somebody quoted it, only after one level of escapes is taken off again.
    plain = text.replace("\\\\", "\\").replace('\\"', '"')
    if redactor.suspect(text.encode("ascii")) or (plain != text and redactor.suspect(plain.encode("ascii"))):
        document = {name: _scrub(value, redactor) for name, value in document.items()}
        text = _json(document)
    return document, text


def _scrub(value: object, redactor: Redactor) -> object:
    match value:
        case str():
            return redactor.scrub_text(value)
        case list():
            return [_scrub(item, redactor) for item in value]
        case dict():
            return {name: _scrub(item, redactor) for name, item in value.items()}
        case _:
            return value


_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""ASCII only, so that whatever a hostile client sent (a lone surrogate) fits into the store."""


def _without_named_secrets(headers: Fields) -> Fields:
    return tuple(
        (name, scrub_value(name, value)) if patterns.is_secret_header(name) else (name, value)
        for name, value in headers
    )


def _content_encoding(headers: Fields) -> str:
    codings = [value.decode("latin-1").strip() for name, value in headers if name.lower() == b"content-encoding"]
    found = ", ".join(coding for coding in codings if coding)
    return "" if found.lower() == "identity" else found


def _columns(document: Document) -> tuple[str | float | int | None, ...]:
    """In the order of ``schema.COLUMNS``, but the last two."""
    request, forwarded = document["request"], document["forwarded"] or document["request"]
    answer = document["answered"] or document["response"]
    host, path = _split(forwarded["url"])
    usage = document["usage"] or {}
    agent = next((value for name, value in request["headers"] if name.lower() == "user-agent"), "")
    return (
        _text(document["id"]),
        float(document["created_at"]),
        document["ended_at"],
        document["listener"],
        _text(document["jail"]),
        _text(request["method"]),
        _integer(answer["status"]) if answer else 0,
        _text(host),
        _text(path),
        _text(agent),
        _text(document["dialect"]),
        _text(document["operation"]),
        _text(document["model"]),
        _text(document["provider"]),
        document["route"],
        _text(document["session_id"]),
        _text(document["conversation_id"]),
        _integer(usage.get("input")),
        _integer(usage.get("output")),
        document["complete"],
        _text(document["error"]),
        len(document["warnings"]),
    )


def _split(url: str) -> tuple[str, str]:
    """Host with port as written, and path with query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.netloc.rpartition("@")[2], (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _text(value: str | None) -> str | None:
    """What SQLite can hold: no lone surrogate, not without end."""
    if value is None:
        return None
    return value[:_TEXT] if value.isascii() else value[:_TEXT].encode("utf-8", "replace").decode("utf-8")


def _integer(value: object) -> int | None:
    """What SQLite can hold: 64 bits."""
    return value if isinstance(value, int) and abs(value) < 1 << 63 else None
