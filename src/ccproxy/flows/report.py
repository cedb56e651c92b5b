"""One flow as text for people: what was asked, forwarded and answered, and what happened on the way.

Everything that came from outside goes through :func:`~ccproxy.flows.visible.visible`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from ccproxy.flows.document import PARTS, Document, Part, encode
from ccproxy.flows.record import Body, FlowRecord, Message
from ccproxy.flows.visible import one_line, visible

EXCERPT = 2000
"""Characters of a body that are shown unless all of it is wanted."""
_WIDTH = 200

_TITLES: dict[Part, str] = {
    "request": "asked",
    "forwarded": "forwarded",
    "response": "provider answered",
    "answered": "client was answered",
}


def report(record: FlowRecord, *, whole: bool = False) -> str:
    """The whole story. ``whole``: bodies from end to end."""
    return "\n".join(_lines(record, whole))


def report_part(record: FlowRecord, part: Part, *, whole: bool = True) -> str:
    """One message with its headers and body; says so if there was none."""
    message: Message | None = getattr(record, part)
    if message is None:
        return f"{_TITLES[part]}: {_ABSENT[part]}"
    return "\n".join(_message(record, part, message, whole))


def body_text(body: Body) -> str:
    """A body as printable text, JSON indented."""
    try:
        text = body.data.decode("utf-8")
    except UnicodeDecodeError:
        return visible(body.data.decode("utf-8", "backslashreplace"))
    if text[:1] in ("{", "[") and not body.truncated:
        with suppress(ValueError, RecursionError):  # not JSON after all: shown as it is
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return visible(text)


def to_json(record: FlowRecord) -> Document:
    """The record as JSON with its bodies: ``text``, or ``hex`` where they are not UTF-8."""
    document = encode(record)
    for part in PARTS:
        stored = document[part]
        if stored is None or "same" in stored["body"]:
            continue
        data: bytes = getattr(record, part).body.data
        try:
            stored["body"]["text"] = data.decode("utf-8")
        except UnicodeDecodeError:
            stored["body"]["hex"] = data.hex()
    return document


_ABSENT: dict[Part, str] = {
    "request": "nothing",
    "forwarded": "nothing was sent",
    "response": "nothing came back",
    "answered": "the client got what the provider sent, unchanged",
}


def _lines(record: FlowRecord, whole: bool) -> Iterator[str]:
    began = datetime.fromtimestamp(record.created_at).astimezone().isoformat(" ", "milliseconds")
    yield f"flow {visible(record.id)}"
    yield f"  began        {began}, {_times(record)}"
    yield f"  from         {visible(record.client) or 'unknown'}" + (
        f", jail {one_line(record.jail, 40)}" if record.jail else ""
    )
    yield f"  route        {record.route}" + (
        f" to provider {one_line(record.provider, 60)}" if record.provider else ""
    )
    yield f"  request      {record.operation}, {record.dialect or 'no known API'}"
    yield f"  model        {one_line(record.model or 'unknown', 80)}"
    if record.session_id:
        yield f"  session      {one_line(record.session_id, 80)}"
    if record.conversation_id:
        yield f"  conversation {one_line(record.conversation_id, 80)}"
    yield f"  tokens       {_usage(record)}"
    yield f"  ended        {_end(record)}"
    if record.error:
        yield f"  error        {one_line(record.error, _WIDTH * 5)}"
    for warning in record.warnings:
        yield f"  warning      {one_line(warning, _WIDTH * 5)}"
    yield ""
    yield "hooks"
    for hook in record.hooks:
        detail = f"  {one_line(hook.detail, _WIDTH)}" if hook.detail else ""
        yield f"  {hook.stage:<9} {one_line(hook.name, 32):<32} {hook.status:<8} {hook.took_s * 1000:8.2f} ms{detail}"
    if not record.hooks:
        yield "  none ran"
    yield ""
    yield "attempts"
    for number, attempt in enumerate(record.attempts, 1):
        outcome = str(attempt.status or "no answer")
        problem = f"  {one_line(attempt.error, _WIDTH)}" if attempt.error else ""
        yield f"  {number:<3} {outcome:<10} {one_line(attempt.url, _WIDTH)}{problem}"
    if not record.attempts:
        yield "  nothing was sent"
    for part in PARTS:
        message: Message | None = getattr(record, part)
        yield ""
        if message is None:
            yield f"{_TITLES[part]}: {_ABSENT[part]}"
        else:
            yield from _message(record, part, message, whole)


def _message(record: FlowRecord, part: Part, message: Message, whole: bool) -> Iterator[str]:
    line = f"{message.method} {message.url}" if message.method else str(message.status)
    yield f"{_TITLES[part]}: {one_line(line, 4000)}"
    for name, value in message.headers:
        yield f"  {one_line(name.decode('latin-1'), _WIDTH)}: {one_line(value.decode('latin-1'), 4000)}"
    body = message.body
    first = record.request if part == "forwarded" else record.response if part == "answered" else None
    if first is not None and first.body is body and not whole:
        yield f"  body: the same {body.size} bytes as above"
        return
    if not body.size and not body.data:
        yield "  no body"
        return
    yield f"  body: {body.size} bytes{_remarks(body)}"
    text = body_text(body)
    shown = text if whole else text[:EXCERPT]
    for row in shown.splitlines():
        yield f"    {row}"
    if len(shown) < len(text):
        yield f"    … {len(text) - len(shown)} more characters; --body shows all"


def _remarks(body: Body) -> str:
    remarks = []
    if body.decoded:
        remarks.append(f"stored without its {one_line(body.decoded, 40)}")
    if body.truncated:
        remarks.append(f"only the first {len(body.data)} are kept")
    if body.cuts:
        remarks.append(f"secrets cut out: {', '.join(sorted({cut.label for cut in body.cuts}))}")
    return f" ({'; '.join(remarks)})" if remarks else ""


def _times(record: FlowRecord) -> str:
    if record.ended_at is None:
        return "its end was not seen"
    first = f"first byte after {record.first_byte_at - record.created_at:.3f} s, " if record.first_byte_at else ""
    return f"{first}took {record.ended_at - record.created_at:.3f} s"


def _usage(record: FlowRecord) -> str:
    usage = record.usage
    if usage is None:
        return "not told"
    parts = {
        "in": usage.input,
        "out": usage.output,
        "read from cache": usage.cache_read,
        "written to cache": usage.cache_write,
        "reasoning": usage.reasoning,
    }
    return ", ".join(f"{count} {name}" for name, count in parts.items() if count is not None) or "not told"


def _end(record: FlowRecord) -> str:
    state = {True: "complete", False: "cut off before its end", None: "not a generation"}[record.complete]
    return f"{state}, stop reason {one_line(record.stop_reason, 60)}" if record.stop_reason else state
