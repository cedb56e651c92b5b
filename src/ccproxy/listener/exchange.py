"""One request on its way: what the hooks of mitmproxy's life cycle hand to one another.

An exchange begins when the request's headers are there and ends in mitmproxy's ``response`` or ``error`` hook, where
its record goes to the store. ``AttemptStream`` talks to it through the protocol in ``attempt``.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, unquote_plus

from mitmproxy import http
from mitmproxy.proxy.layers.http import ErrorCode

from ccproxy.addresses import Origin, Target
from ccproxy.auth.placed import Placed
from ccproxy.errors import CcproxyError, Forbidden, PayloadTooLarge, RequestError
from ccproxy.flows.record import Attempt, Body, FlowRecord, Message
from ccproxy.guard import Injected, check_egress
from ccproxy.headers import Headers, encode_field
from ccproxy.lightllm.dialect import Endpoint
from ccproxy.lightllm.failure import Failure, encode_stream_failure
from ccproxy.lightllm.tap import StreamTap
from ccproxy.listener.answer import Answer
from ccproxy.listener.failures import FLOW_HEADER, TIMEOUT, error_of, in_words, response_of
from ccproxy.listener.policy import Policy
from ccproxy.listener.relay import Relay
from ccproxy.listener.translation import Translation


class Exchange:
    """One flow, from its request's headers to its end."""

    def __init__(self, flow: http.HTTPFlow, record: FlowRecord, endpoint: Endpoint, policy: Policy) -> None:
        self.flow = flow
        self.record = record
        self.endpoint = endpoint
        self.policy = policy
        self.body_limit = policy.config.limits.body_bytes
        self.timeout_s = policy.config.provider_timeout
        self.resend = False
        self.refused: CcproxyError | None = None
        """Why the request ends here; the request hook answers with it."""
        self.target: Target | None = None
        """Where the request goes, as people name it (the sidecar hop is not shown)."""
        self.placed: Placed | None = None
        """The credential of the next send. None: the client's own, or none."""
        self.dialled: Origin | None = None
        """What was checked, and must still be so when the connection is made; None while nothing was."""
        self.hop: tuple[tuple[str, str], ...] = ()
        """Headers for the sidecar, if the request goes through it."""
        self.deciding: asyncio.Task[Placed | None] | None = None
        self.answer: Answer | None = None
        self.tap: StreamTap | None = None
        self.translation: Translation | None = None
        """What makes the answer one of the client's dialect; None: the provider speaks it."""
        self.count_here: Callable[[], Translation] | None = None
        """What counts tokens, where the provider turns out not to."""
        self.relay: Relay | None = None
        """The translated answer, once there is one."""
        self.stop_connecting: Callable[[], None] = lambda: None
        self.told: http.Response | None = None
        """Our own answer to a failure."""

    @property
    def is_builtin(self) -> bool:
        return self.record.route == "builtin"

    def dials(self, address: tuple[str, int]) -> bool:
        """Whether this exchange waits for a connection to that host and port."""
        return (self.flow.request.host, self.flow.request.port) == tuple(address[:2])

    # ------------------------------------------------------------------ what AttemptStream asks

    def may_leave(self) -> bool:
        """Whether the request still goes where it was checked to go; somebody may have edited it in the web UI."""
        request = self.flow.request
        if self.dialled != (request.scheme, request.host, request.port):
            self.refused = Forbidden(
                f"the request was readdressed to {request.scheme}://{request.host}:{request.port} after it had been "
                "checked; nothing was sent"
            )
            return False
        target, checked = self.target, self.record.forwarded
        if target is None or checked is None or self.is_builtin:
            return True
        path = target.path if self.hop else request.path
        if path == target.path and request.headers.fields == checked.headers:
            return True
        try:
            injected = Injected(self.placed.provider, target.origin) if self.placed is not None else None
            headers = Headers(request.headers.fields)
            check_egress(replace(target, path=path), headers, self.policy.egress, injected=injected)
        except RequestError as error:
            self.refused = error
            return False
        return True

    def connecting_too_long(self) -> None:
        """``provider_timeout`` has passed and there is no connection yet."""
        self.refused = self.error_for(ErrorCode.GENERIC_SERVER_ERROR, TIMEOUT)
        self.stop_connecting()

    def outgoing(self) -> http.Request:
        """The request of this attempt: a copy, since ``flow.request`` is shown, stored and replayed."""
        request = self.flow.request
        headers = Headers(request.headers.fields)
        path = self.target.path if self.target is not None and self.hop else request.path
        if self.placed is not None:
            path = write_credential(headers, path, self.placed)
        if self.hop and self.target is not None:
            headers.fields += tuple(encode_field(name, value) for name, value in self.hop)
            headers.set("x-ccproxy-target-url", f"{self.target.scheme}://{self.target.authority}{path}")
            path = "/"
        if self.target is not None:
            self.record.attempts.append(Attempt(self.target.url, started_at=time.time()))
        sent = copy.copy(request)  # a new Request() would check every field's type again, which takes 30 µs
        sent.data = copy.copy(request.data)
        sent.data.headers = http.Headers(headers.fields)
        sent.data.path = path.encode("latin-1")
        return sent

    def client_gone(self) -> None:
        if self.deciding is not None:
            self.deciding.cancel()

    def body_too_large(self) -> None:
        if self.refused is None:
            self.refused = PayloadTooLarge(
                f"the request body is larger than {self.body_limit} bytes (limits.body_bytes); nothing was sent"
            )

    @property
    def holds_head(self) -> bool:
        """A translated answer that the client reads whole: its status is decided at its end."""
        return self.relay is not None and self.relay.holds_head

    @property
    def has_enough(self) -> bool:
        """The client has its answer, or was told why it ends here. Nothing more of the provider's is of use."""
        if self.relay is None:
            return False
        return self.relay.has_enough or (self.answer is not None and self.answer.broken != "")

    def failure_response(self, code: ErrorCode, message: str) -> http.Response:
        if self.told is None:
            error = self.error_for(code, message)
            whole = b"".join(self.relay.end(str(error))) if self.relay is not None else b""
            response = self.flow.response
            if self.relay is not None and self.relay.complete and response is not None:
                response.data.content = whole  # all of it had come, only the end of its framing had not
                self.told = response
            else:
                self.told = self.response_for(error)
        return self.told

    def failure_event(self, message: str) -> bytes | None:
        """The error event of the client's format if it reads an event stream; else only a cut tells it."""
        if self.relay is not None:
            return b"".join(self.relay.end(self.cut_short(message)))
        if self.tap is None or self.answer is None:
            return None
        if self.tap.complete or self.tap.error is not None:
            return b""  # the answer is whole, or has said itself what went wrong; only its framing is not
        return self.stream_failure(message)

    # ------------------------------------------------------------------ errors in the client's words

    def error_for(self, code: ErrorCode, message: str) -> CcproxyError:
        if self.refused is not None:
            return self.refused
        upstream = self.target.authority if self.target is not None else "the upstream"
        return error_of(code, message, upstream, self.timeout_s)

    def response_for(self, error: CcproxyError) -> http.Response:
        """The whole answer that tells the client of ``error``, noted in the record."""
        head = self.flow.request.method == "HEAD"
        failure = Failure.of(error, self.flow.id)
        response = response_of(self.endpoint.dialect, failure, self.flow.id, head=head)
        self.record.error = str(error)
        self.note_answer(response)
        return response

    def own_answer(self, status: int, body: bytes) -> http.Response:
        """An answer that is made here, noted in the record."""
        response = http.Response.make(status, body, {"content-type": "application/json", FLOW_HEADER: self.flow.id})
        self.note_answer(response)
        return response

    def note_answer(self, response: http.Response) -> None:
        body = response.raw_content or b""
        self.record.answered = Message(response.headers.fields, Body(body, len(body)), status=response.status_code)

    def cut_short(self, message: str) -> str:
        """What to say of an answer that is not whole."""
        upstream = self.target.authority if self.target is not None else "the upstream"
        return f"{upstream} broke off before the answer was complete: {in_words(message)}"

    def stream_failure(self, message: str) -> bytes:
        """The end of a stream that was cut before its format says it is complete."""
        text = self.record.error = self.cut_short(message)
        tap = self.tap
        assert tap is not None
        failure = Failure(502, "upstream", text, self.flow.id)
        return encode_stream_failure(self.endpoint.dialect, failure, tap.cut)


def write_credential(headers: Headers, path: str, placed: Placed) -> str:
    """Put a credential into ``headers``, or into the path that is returned.

    Raises BadRequest for a value that would break the message.
    """
    if placed.header is not None:
        headers.set(*placed.header)
    for name, value in placed.extra_headers:
        headers.set(name, value)
    if placed.query is not None:
        name, value = placed.query
        bare, _, query = path.partition("?")
        kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != name]
        path = f"{bare}?{'&'.join([*kept, f'{quote(name)}={quote(value, safe="")}'])}"
    return path
