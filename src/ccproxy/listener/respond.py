"""The provider's answer: is it worth another attempt? If not, let it through, watched; and at its end, the record.

Every answer is streamed; nothing is held but a capture up to ``flows.body_limit_bytes``. While one passes:

* a reflected credential is blanked, in headers, body and trailers (the body is decoded for that, and goes on decoded);
* the tap sees usage, stop reason and whether the format's own end came. A stream that ends without it gets the error
  event of the client's format (an answer is never silently short);
* where the provider speaks another dialect than the client, a relay makes the one of the other.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import Callable
from typing import cast, get_args

from mitmproxy import http
from mitmproxy.net.http import status_codes

from ccproxy.auth.credentials import Credentials
from ccproxy.auth.placed import Placed
from ccproxy.errors import Kind, UpstreamError
from ccproxy.flows.record import Body, Message
from ccproxy.flows.redact import Redactor
from ccproxy.headers import Fields, Headers
from ccproxy.lightllm.dialect import Dialect, wants_json_array
from ccproxy.lightllm.failure import Failure, encode_failure
from ccproxy.lightllm.tap import StreamTap
from ccproxy.lightllm.usage import usage_from_body
from ccproxy.listener.answer import Answer, Capture, Withheld
from ccproxy.listener.api_headers import toward_client
from ccproxy.listener.attempt import settled
from ccproxy.listener.coding import decoder
from ccproxy.listener.exchange import Exchange
from ccproxy.listener.failures import FLOW_HEADER
from ccproxy.listener.framing import frame, has_body
from ccproxy.listener.relay import UNCOUNTED, Relay, Whole
from ccproxy.listener.translation import Translation
from ccproxy.upstream.attempt import Answer as AnswerHead
from ccproxy.upstream.attempt import Resend, decide

PARSED_BYTES = 1 << 20
"""Largest buffered answer that is parsed for its usage."""
UNSEARCHABLE = "the provider's answer has the content coding {!r}, in which its credential could not be found; withheld"
UNREADABLE = "the provider's answer has the content coding {!r}, which cannot be read, so it could not be translated"
SHORT = "its stream ended early"
SIDECAR_ERROR = "x-ccproxy-error"
"""Header of an answer that is the sidecar's own, and no provider's; its value is an ``errors.Kind``."""


async def consider(exchange: Exchange, credentials: Credentials) -> bool:
    """Whether this answer is dropped and the request sent again. Awaits a credential; a client that leaves ends it."""
    response = exchange.flow.response
    assert response is not None
    if exchange.record.attempts:
        exchange.record.attempts[-1].status = response.status_code
    if response.status_code != 401 or exchange.placed is None or exchange.flow.request.stream:
        return False

    async def renewal() -> Placed | None:
        head = AnswerHead(response.status_code, exchange.placed)
        verdict = await decide(head, len(exchange.record.attempts), credentials)
        return verdict.credential if isinstance(verdict, Resend) else None

    exchange.deciding = asyncio.ensure_future(renewal())
    newer = await settled(exchange.deciding)
    exchange.deciding = None
    if newer is None:
        return False
    exchange.placed = newer
    exchange.resend = True
    return True


def let_through(exchange: Exchange, redactor: Redactor, *, closing: bool) -> None:
    """Prepare the answer for its way to the client. ``closing``: this process drains, the connection ends with it."""
    assert exchange.flow.response is not None
    # Towards the client it is an answer of its own: mitmproxy reads the framing of the upstream's off the original.
    response = exchange.flow.response = own_copy(exchange.flow.response)
    request, record = exchange.flow.request, exchange.record
    record.first_byte_at = time.time()
    record.response = Message(headers=response.headers.fields, status=response.status_code)
    if response.status_code < 200:
        end_interim(exchange, response)
        return
    headers = Headers(response.headers.fields)
    scrub = redactor.stream() if exchange.placed is not None else None
    if exchange.hop and (kind := headers.get(SIDECAR_ERROR)):
        status = response.status_code
        withhold(exchange, status, lambda said: sidecar_failure(said, status, kind, exchange.flow.id))
        return
    if scrub is not None:
        headers.fields = scrub_fields(headers.fields, redactor)
        if redactor.scrub(reason := response.data.reason) is not reason:
            response.data.reason = status_codes.RESPONSES.get(response.status_code, "").encode()
    capture = Capture(exchange.policy.config.flows.body_limit_bytes)
    answer = Answer(capture, scrub=scrub)
    coding = headers.get("content-encoding")
    translation = translation_for(exchange, response.status_code)
    known = exchange.endpoint.dialect is not None
    coded = bool(coding) and coding != "identity" and has_body(request, response.status_code)
    if coded and (scrub is not None or known):
        answer.decoder = decoder(coding)
        if answer.decoder is not None:
            headers.remove("content-encoding")
        elif scrub is not None or translation is not None:
            why = UNSEARCHABLE if scrub is not None else UNREADABLE
            failure = Failure(502, "upstream", why.format(coding), exchange.flow.id)
            withhold(exchange, 502, lambda _: failure)
            return
    exchange.answer = answer
    if translation is not None:
        translate(exchange, translation, headers, closing=closing)
        response.stream = answer
        return
    content_type = headers.get("content-type").lower()
    readable = not coded or answer.decoder is not None
    if exchange.endpoint.dialect is not None and readable and is_stream(exchange, content_type):
        exchange.tap = answer.tap = StreamTap(exchange.endpoint.dialect)
    answer.on_end = lambda: ending(exchange)
    answer.on_break = lambda: cut(exchange)
    frame(headers, request, response.status_code, changed=answer.decoder is not None or answer.tap is not None)
    if closing and not request.is_http2:
        headers.set("connection", "close")
    response.headers.fields = headers.fields
    response.stream = answer


def translation_for(exchange: Exchange, status: int) -> Translation | None:
    """What makes this answer one for the client; None if it is one already."""
    if exchange.translation is None and exchange.count_here is not None and status in UNCOUNTED:
        exchange.translation = exchange.count_here()
    return exchange.translation


def translate(exchange: Exchange, translation: Translation, given: Headers, *, closing: bool) -> None:
    """Have the answer go through a relay. ``given`` are the provider's headers."""
    flow, answer = exchange.flow, exchange.answer
    response = flow.response
    assert answer is not None and response is not None

    def head(status: int, length: int | None, retry_after: str | None = None) -> None:
        stream = length is None
        headers = toward_client(given, translation.client, time.time(), stream=stream, array=translation.array)
        if retry_after is not None and "retry-after" not in headers:
            headers.set("retry-after", retry_after)
        if length is not None:
            headers.set("content-length", str(length))
        frame(headers, flow.request, status, changed=False)
        if closing and not flow.request.is_http2:
            headers.set("connection", "close")
        response.status_code, response.reason = status, status_codes.RESPONSES.get(status, "")
        response.headers.fields = headers.fields

    def settle(whole: Whole) -> None:
        head(whole.status, len(whole.body), whole.retry_after)

    capture = Capture(exchange.policy.config.flows.body_limit_bytes)
    relay = exchange.relay = translation.relay(response.status_code, given, capture, settle)
    answer.through = relay.feed
    answer.on_end = lambda: b"".join(relay.end(exchange.cut_short(answer.broken or SHORT)))
    if not relay.holds_head:
        head(200, None)


def end_bodiless(exchange: Exchange) -> None:
    """An answer without a body, which mitmproxy does not stream, is not translated yet when it ends."""
    answer, response = exchange.answer, exchange.flow.response
    if exchange.relay is not None and answer is not None and response is not None and not answer.ended:
        response.data.content = b"".join(answer(b""))


def own_copy(response: http.Response) -> http.Response:
    copied = copy.copy(response)
    copied.data = copy.copy(response.data)
    copied.data.headers = http.Headers(response.headers.fields)
    return copied


def cut(exchange: Exchange) -> None:
    """End an answer that cannot be passed on whole so that its client notices: without the end of its framing."""
    assert exchange.answer is not None
    if exchange.tap is not None or exchange.relay is not None:  # the end says it, if the answer is not whole already
        return
    exchange.record.error = exchange.answer.broken
    if exchange.flow.killable:
        exchange.flow.kill()


def end_interim(exchange: Exchange, response: http.Response) -> None:
    """Refuse a 1xx answer. mitmproxy takes one for the final answer, and makes a tunnel of the connection behind a 101:
    whatever came through it would be unframed, unsearched and unbounded."""
    upstream = exchange.target.authority if exchange.target is not None else "the upstream"
    exchange.refused = UpstreamError(
        f"{upstream} answered with status {response.status_code}, which changes the protocol or is not final; nobody "
        "asked it to"
    )
    exchange.record.error = str(exchange.refused)
    response.status_code = exchange.refused.status
    exchange.flow.kill()


def is_stream(exchange: Exchange, content_type: str) -> bool:
    """Server-sent events, or Google's JSON array."""
    response = exchange.flow.response
    if response is None or response.status_code != 200:
        return False
    array = wants_json_array(exchange.endpoint, exchange.flow.request.path)
    return content_type.startswith("text/event-stream") or (array and content_type.startswith("application/json"))


def withhold(exchange: Exchange, status: int, compose: Callable[[bytes], Failure]) -> None:
    """Give the client an error of ours instead of this answer. ``compose`` is given the start of the answer's body."""
    flow, record = exchange.flow, exchange.record
    response = flow.response
    assert response is not None

    def body(said: bytes) -> bytes:
        failure = compose(said)
        record.error = failure.message
        told = encode_failure(exchange.endpoint.dialect, failure)
        record.answered = Message(response.headers.fields, Body(told, len(told)), status=status)
        return told

    headers = Headers(((b"content-type", b"application/json"),))
    frame(headers, flow.request, status, changed=True)
    headers.set(FLOW_HEADER, flow.id)
    response.headers.fields = headers.fields
    response.status_code, response.reason = status, status_codes.RESPONSES.get(status, "")
    response.stream = Withheld(body)


def sidecar_failure(said: bytes, status: int, kind: str, flow_id: str) -> Failure:
    """What the sidecar says of itself, ``{"error": {"message"}}``."""
    try:
        message = str(json.loads(said)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = "the sidecar failed; its log says why"
    return Failure(status, cast(Kind, kind) if kind in get_args(Kind) else "upstream", message, flow_id)


def ending(exchange: Exchange) -> bytes:
    """The last bytes for the client once the upstream has ended: nothing, or the error event of a short answer."""
    answer, tap = exchange.answer, exchange.tap
    assert answer is not None
    if tap is None or exchange.endpoint.operation != "generate" or tap.complete or tap.error is not None:
        return b""
    return exchange.stream_failure(answer.broken or SHORT)


def finish(exchange: Exchange) -> None:
    """Fill in what is known once everything has been sent."""
    record, answer, tap = exchange.record, exchange.answer, exchange.tap
    record.ended_at = time.time()
    if answer is None:
        return
    if record.response is not None:
        record.response.body = answer.capture.body()
    if exchange.relay is not None:
        finish_translated(exchange, exchange.relay)
        return
    if tap is not None:
        record.usage, record.stop_reason, record.complete = tap.usage, tap.stop_reason, tap.complete
        record.model = record.model or tap.model
        if record.error is None and (failure := tap.error) is not None:
            record.error = failure.message
        elif record.error is not None and tap.complete and exchange.told is None:
            record.warnings.append(record.error)  # only the end of its framing was missing
            record.error = None
        return
    response = exchange.flow.response
    dialect = exchange.endpoint.dialect
    if dialect is not None and response is not None and response.status_code == 200 and record.response is not None:
        usage_of_whole(exchange, dialect)


def finish_translated(exchange: Exchange, relay: Relay) -> None:
    record, response = exchange.record, exchange.flow.response
    if response is not None and (exchange.told is None or exchange.told is response):
        record.answered = Message(response.headers.fields, relay.capture.body(), status=response.status_code)
    said = record.error
    relay.note(record)
    if said is not None and relay.complete:
        record.warnings.append(said)  # only the end of its framing was missing
        record.error = None


def usage_of_whole(exchange: Exchange, dialect: Dialect) -> None:
    """Usage and stop reason of a buffered JSON answer."""
    record = exchange.record
    assert record.response is not None
    body = record.response.body
    if exchange.endpoint.operation == "generate" and not body.truncated and body.size <= PARSED_BYTES:
        try:
            document = json.loads(body.data)
        except (ValueError, RecursionError):
            return
        if isinstance(document, dict):
            record.usage, record.stop_reason, model = usage_from_body(dialect, document)
            record.complete = record.stop_reason is not None
            record.model = record.model or model


def scrub_fields(fields: Fields, redactor: Redactor) -> Fields:
    """Header or trailer fields without a reflected credential; the same object where there is none."""
    joined = b"\n".join(value for _, value in fields)
    if redactor.stream().feed(joined) == joined:
        return fields
    return tuple((name, redactor.scrub(value)) for name, value in fields)
