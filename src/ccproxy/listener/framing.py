"""How the length of an answer is told to its client (RFC 9112 §6, RFC 9113 §8.1).

The client's protocol version and what is done to the body decide, not the upstream's framing: an HTTP/2 upstream need
not tell a length, and an event stream may grow by the event that says that it was cut short. An HTTP/1.1 client gets
chunks wherever no length is certain, so that a cut body can be told from a whole one and the connection lives on.
"""

from __future__ import annotations

from typing import Final

from mitmproxy import http

from ccproxy.guard import strip_hop_by_hop, strip_internal
from ccproxy.headers import Headers

BODILESS: Final = (204, 304)


def has_body(request: http.Request, status: int) -> bool:
    """Whether an answer with this status to this request has a body."""
    return request.method != "HEAD" and status >= 200 and status not in BODILESS


def frame(headers: Headers, request: http.Request, status: int, *, changed: bool) -> None:
    """Make ``headers`` frame the answer for this client. ``changed``: its body may not have the length that it says."""
    strip_internal(headers)
    strip_hop_by_hop(headers)
    if not has_body(request, status):
        headers.remove("transfer-encoding")
        return
    if changed:
        headers.remove("content-length")
    lengthless = "content-length" not in headers
    if request.is_http2 or request.http_version != "HTTP/1.1" or not lengthless:
        headers.remove("transfer-encoding")
        if lengthless and not request.is_http2:
            headers.set("connection", "close")
    else:
        headers.set("transfer-encoding", "chunked")
