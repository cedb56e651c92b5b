"""What a client is told when its request ends here: the error in its own wire format, with the flow's id."""

from __future__ import annotations

import re
from typing import Final

from mitmproxy import http
from mitmproxy.proxy.layers.http import ErrorCode

from ccproxy.errors import BadRequest, PayloadTooLarge, RequestError, UpstreamError, UpstreamTimeout
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.failure import Failure, encode_failure

FLOW_HEADER: Final = "x-ccproxy-flow-id"
TIMEOUT: Final = "timeout"
"""The message by which ``AttemptStream`` says that an upstream kept silent for too long."""

UNQUOTED: Final = re.compile(r"[^'\"<>]{1,300}")


def response_of(dialect: Dialect | None, failure: Failure, flow_id: str, *, head: bool = False) -> http.Response:
    """A whole response. ``head``: to a HEAD request, which gets no body."""
    headers = {"content-type": "application/json", "cache-control": "no-store", FLOW_HEADER: flow_id}
    if failure.status in (500, 501):  # the vendors' SDKs repeat a 5xx unless told; here it would end the same way
        headers["x-should-retry"] = "false"
    if failure.status == 426:  # RFC 9110 §15.5.22: says what to speak instead
        headers["upgrade"] = "HTTP/1.1"
    return http.Response.make(failure.status, b"" if head else encode_failure(dialect, failure), headers)


def in_words(reason: str) -> str:
    """mitmproxy's reason for a failure, if it quotes nothing.

    What it quotes are the upstream's bytes: as long as it likes, and maybe with the credential that it was sent.
    """
    reason = reason.partition(": <")[0].replace("stream reset by client", "stream reset")
    return reason if UNQUOTED.fullmatch(reason) else "what it sent is not valid HTTP"


def error_of(code: ErrorCode, message: str, upstream: str, timeout_s: float | None) -> RequestError:
    """What mitmproxy's protocol error means to the person in front of the client.

    ``upstream`` is the host that was asked, for the message.
    """
    match code:
        case ErrorCode.REQUEST_TOO_LARGE:
            return PayloadTooLarge("the request body is larger than allowed (limits.body_bytes)")
        case ErrorCode.REQUEST_VALIDATION_FAILED | ErrorCode.DESTINATION_UNKNOWN | ErrorCode.GENERIC_CLIENT_ERROR:
            return BadRequest(f"the request is malformed: {message}")
        case ErrorCode.CONNECT_FAILED:
            return UpstreamError(f"cannot connect to {upstream}: {message}")
        case ErrorCode.KILL:
            return UpstreamError("the request was ended, in the web UI or by its client")
        case _ if message == TIMEOUT:
            return UpstreamTimeout(f"{upstream} did not answer within {timeout_s:g} s (provider_timeout)")
        case _:
            return UpstreamError(f"{upstream} broke off: {in_words(message)}")
