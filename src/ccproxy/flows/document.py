"""A flow record as JSON: everything but the bytes of its bodies, which have rows of their own.

``decode(encode(record), load)`` is the record again, where ``load(part)`` gives the bytes of a body. A body that is the
same on both sides of the proxy is named once: ``{"same": "request"}``.

>>> record = FlowRecord(id="a", created_at=1.0, model="m")
>>> decode(encode(record), lambda part: b"") == record
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args

from ccproxy.flows.record import Attempt, Body, Cut, FlowRecord, HookResult, Message
from ccproxy.headers import Fields
from ccproxy.lightllm.usage import Usage

Part = Literal["request", "forwarded", "response", "answered"]
PARTS: tuple[Part, ...] = get_args(Part)
"""The messages of a flow, in the order in which they happen. The position is part of a body's key in the store."""

type Document = dict[str, Any]
"""A JSON object."""

_SAME: dict[Part, Part] = {"forwarded": "request", "answered": "response"}
_PLAIN = tuple(f.name for f in fields(FlowRecord) if f.name not in (*PARTS, "hooks", "attempts", "usage", "warnings"))

_USAGE = tuple(f.name for f in fields(Usage))


def encode(record: FlowRecord) -> Document:
    """The record without body bytes."""
    document: Document = {name: getattr(record, name) for name in _PLAIN}
    for part in PARTS:
        message: Message | None = getattr(record, part)
        document[part] = None if message is None else _encode_message(message, record, part)
    document["hooks"] = [
        {"name": h.name, "stage": h.stage, "status": h.status, "detail": h.detail, "took_s": h.took_s}
        for h in record.hooks
    ]
    document["attempts"] = [
        {"url": a.url, "status": a.status, "started_at": a.started_at, "error": a.error} for a in record.attempts
    ]
    document["warnings"] = list(record.warnings)
    usage = record.usage
    document["usage"] = None if usage is None else {name: getattr(usage, name) for name in _USAGE}
    return document


def decode(document: Mapping[str, Any], load: Callable[[Part], bytes]) -> FlowRecord:
    """The record that ``document`` describes. Unknown keys are left out: a newer writer may have added some."""
    record = FlowRecord(**{name: document[name] for name in _PLAIN if name in document})
    for part in PARTS:
        found = document.get(part)
        if found is not None:
            setattr(record, part, _decode_message(found, record, part, load))
    record.hooks = [HookResult(**found) for found in document.get("hooks", ())]
    record.attempts = [Attempt(**found) for found in document.get("attempts", ())]
    record.warnings = list(document.get("warnings", ()))
    usage = document.get("usage")
    record.usage = None if usage is None else Usage(**usage)
    return record


def same_body(record: FlowRecord, part: Part) -> Part | None:
    """The part whose body is also the one of ``part``, if there is an earlier one."""
    other = _SAME.get(part)
    if other is None:
        return None
    mine: Message | None = getattr(record, part)
    first: Message | None = getattr(record, other)
    if mine is None or first is None:
        return None
    return other if mine.body is first.body or _equal(mine.body, first.body) else None


def _equal(a: Body, b: Body) -> bool:
    if a.size != b.size or a.truncated != b.truncated or a.data != b.data:
        return False
    return not a.truncated or a.sha256 == b.sha256 != ""


def _encode_message(message: Message, record: FlowRecord, part: Part) -> Document:
    same = same_body(record, part)
    return {
        "method": message.method,
        "url": message.url,
        "status": message.status,
        "headers": decode_fields(message.headers),
        "body": {"same": same} if same else _encode_body(message.body),
    }


def _encode_body(body: Body) -> Document:
    return {
        "size": body.size,
        "sha256": body.sha256,
        "truncated": body.truncated,
        "decoded": body.decoded,
        "cuts": [[cut.start, cut.length, cut.label] for cut in body.cuts],
    }


def _decode_message(found: Mapping[str, Any], record: FlowRecord, part: Part, load: Callable[[Part], bytes]) -> Message:
    stored = found["body"]
    other: Message | None = getattr(record, stored["same"]) if "same" in stored else None
    return Message(
        headers=encode_fields(found["headers"]),
        body=other.body if other is not None else _decode_body(stored, load(part)),
        method=found["method"],
        url=found["url"],
        status=found["status"],
    )


def _decode_body(stored: Mapping[str, Any], data: bytes) -> Body:
    return Body(
        data=data,
        size=stored["size"],
        sha256=stored["sha256"],
        truncated=stored["truncated"],
        decoded=stored["decoded"],
        cuts=tuple(Cut(*values) for values in stored["cuts"]),
    )


def decode_fields(headers: Fields) -> list[list[str]]:
    """Header fields as JSON: pairs of latin-1 text."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def encode_fields(pairs: list[list[str]]) -> Fields:
    """Header fields from JSON."""
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
