"""The first look at a request, when its headers are there and its body is not.

Makes the exchange and its record, and decides what needs no body: may this peer, this Host, this Origin ask at all? Is
the announced body too large? A refusal is kept until the request hook, so that the body is read off the connection and
the client sees the answer.
"""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.proxy import mode_specs

from ccproxy import sentinel
from ccproxy.errors import BadRequest, HeadersTooLarge, PayloadTooLarge, RequestError, UpgradeRefused
from ccproxy.flows.record import FlowRecord, Listener, Message
from ccproxy.guard import Arrival, check_client, check_ingress, check_jailed, strip_internal
from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import classify
from ccproxy.listener.builtin import is_builtin, is_models
from ccproxy.listener.exchange import Exchange
from ccproxy.listener.policy import Policy

DOCUMENTED = frozenset({"x-ccproxy-hooks"})
"""Internal headers that a client may send."""


def begin(flow: http.HTTPFlow, policy: Policy, uid: int | None) -> Exchange:
    """The exchange of a request that has just begun. ``uid`` is the user behind the connection, None if unknown."""
    request = flow.request
    headers = Headers(request.headers.fields)
    listener: Listener = "reverse" if isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode) else "jail"
    endpoint = classify(request.method, request.path, headers)
    host = request.host_header or ""
    peer = flow.client_conn.peername
    record = FlowRecord(
        id=flow.id,
        created_at=request.timestamp_start,
        listener=listener,
        client=f"{peer[0]}:{peer[1]}" if peer else "",
        dialect=endpoint.dialect,
        operation=endpoint.operation,
        model=endpoint.model,
        request=Message(headers.fields, method=request.method, url=f"{request.scheme}://{host}{request.path}"),
    )
    exchange = Exchange(flow, record, endpoint, policy)
    try:
        check(exchange, headers, listener, uid)
    except RequestError as error:
        exchange.refused = error
        request.headers.pop("expect", None)  # nobody is asked to go on with a body that is not wanted
    else:
        strip_internal(headers, DOCUMENTED if listener == "reverse" else frozenset())
        request.headers.fields = headers.fields
    if listener == "reverse" and is_builtin(request.path) and not asks_provider(exchange, headers):
        record.route = "builtin"
    return exchange


def check(exchange: Exchange, headers: Headers, listener: Listener, uid: int | None) -> None:
    """Raise the RequestError that ends this request, if any."""
    flow, policy = exchange.flow, exchange.policy
    request = flow.request
    length = headers.get("content-length")
    has_body = bool(length and length != "0") or "transfer-encoding" in headers
    arrival = Arrival(
        method=request.method,
        path=request.path,
        headers=headers,
        authority=request.authority or None,
        sni=flow.client_conn.sni,
        has_body=has_body,
    )
    if listener == "reverse":
        sockname = flow.client_conn.sockname
        local = policy.local_hosts | {sockname[0]} if sockname else policy.local_hosts
        check_ingress(arrival, local_hosts=local, allowed_hosts=policy.config.allowed_hosts)
    found = sentinel.find(headers, request.path, has_body=has_body)
    if listener == "jail":
        check_jailed(arrival, found)
    else:
        check_client(
            uid,
            policy.own_uid,
            given_token=found.token if found else None,
            expected_token=policy.listener_token,
            trust_windows_host=policy.config.trust_windows_host,
        )
    if (size := sum(len(name) + len(value) + 4 for name, value in headers.fields)) > policy.config.limits.header_bytes:
        raise HeadersTooLarge(f"the headers take {size} bytes (limits.header_bytes)")
    if length.isdigit() and int(length) > exchange.body_limit:
        exchange.body_too_large()
        raise exchange.refused or PayloadTooLarge("the request body is too large")
    if listener == "reverse" and "upgrade" in headers:
        raise UpgradeRefused("this path is served by POST; no protocol upgrade is offered")
    if listener == "reverse" and request.method in ("CONNECT", "TRACE"):
        raise BadRequest(f"{request.method} is not served: this is a reverse proxy, set it as the client's base URL")


def is_large(request: http.Request, policy: Policy) -> bool:
    """Whether ``stream_large_bodies`` has this body streamed through. Its length must be announced: mitmproxy's own
    option would also turn to streaming in the middle of a body, before any hook or guard has seen the request."""
    length, limit = request.headers.get("content-length", ""), policy.stream_bytes
    return limit is not None and length.isdigit() and int(length) > limit


def asks_provider(exchange: Exchange, headers: Headers) -> bool:
    """Whether a sentinel sends this request for a list of models to its provider."""
    if exchange.refused is not None or not is_models(exchange.flow.request.path):
        return False
    return sentinel.find(headers, exchange.flow.request.path, has_body=False) is not None
