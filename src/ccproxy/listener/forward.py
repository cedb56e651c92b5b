"""From a complete request to one that may leave: inbound hooks, route, translation, outbound hooks, guard, credential.

Nothing here writes a credential. It is resolved here, asynchronously, and written by ``Exchange.outgoing`` on the copy
that is sent. What a request may be changed in is narrow: headers that are ours or concern one connection, Host and
target, and what hooks wrote. A body that no hook wrote is the very bytes object that arrived.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

from mitmproxy import http
from xepor import InterceptedAPI

from ccproxy import sentinel
from ccproxy.addresses import Target
from ccproxy.auth.credentials import Credentials
from ccproxy.auth.placed import Placed
from ccproxy.config.providers import ECHO_ORIGIN
from ccproxy.errors import CredentialError, NotFound
from ccproxy.flows.kept import StoredMemory
from ccproxy.flows.record import Body, Message
from ccproxy.guard import Injected, check_egress, strip_foreign, strip_hop_by_hop, strip_internal
from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import wants_stream
from ccproxy.lightllm.foreign import FOREIGN_BYTES, SIGNING, without_foreign
from ccproxy.listener.coding import decode_whole, readable_codings
from ccproxy.listener.exchange import Exchange
from ccproxy.listener.policy import LOOPBACK, Policy
from ccproxy.listener.translation import Translation, same_format_count, translate
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.overrides import take
from ccproxy.pipeline.run import run
from ccproxy.routing import Facts, Passthrough, Redirect, Reject, Transform, asked_hosts, route

OWN_KEY: Final = (
    "the client's own key was not sent: it is for another API than that of provider {!r}; give the provider an `auth`, "
    "and the rule `inject: always`"
)
FOREIGN_THOUGHTS: Final = "thoughts of another provider were left out: this one would refuse them"


class BodyNeeded(Exception):
    """The request was to leave before its body is here, and cannot: it is translated, or answered here."""


@dataclass(frozen=True, slots=True)
class Forwarder:
    """What forwarding needs besides the exchange."""

    credentials: Credentials
    sidecar_token: str
    builtin: InterceptedAPI
    memory: StoredMemory
    """What translations need in a conversation's next turn."""

    async def forward(self, exchange: Exchange) -> None:
        """Make the flow ready to be sent, or answered. Raises RequestError when it ends here, or BodyNeeded."""
        if exchange.is_builtin:
            answer_builtin(exchange, self.builtin)
            return
        ctx = context_of(exchange)
        overrides, warnings = take(ctx.headers, exchange.policy.pipeline, jailed=exchange.record.listener == "jail")
        record, pipeline = exchange.record, exchange.policy.pipeline
        record.warnings = ctx.warnings
        ctx.warnings.extend(warnings)
        try:
            record.hooks += run(pipeline.inbound, ctx, timer=time.perf_counter, overrides=overrides)
            decision = decide(exchange, ctx)
            asked_path, ctx.path = ctx.path, decision.target.path
            if decision.strip_credentials:
                had_key = any(slot in ctx.headers for slot in sentinel.HEADER_SLOTS)
                ctx.path = sentinel.remove(ctx.headers, ctx.path)
                if had_key and decision.inject is None and isinstance(decision, Transform):
                    ctx.warnings.append(OWN_KEY.format(decision.provider))
            if isinstance(decision, Transform):
                if self.translate(exchange, ctx, decision, asked_path):
                    return
            else:
                self.adapt(exchange, ctx, decision, asked_path)
            record.hooks += run(pipeline.outbound, ctx, timer=time.perf_counter, overrides=overrides)
        finally:
            record.session_id, record.conversation_id = ctx.session_id, ctx.conversation_id
            record.model = ctx.model
        target = local(replace(decision.target, path=ctx.path), exchange.policy)
        clean(ctx, target, exchange, injects=decision.inject is not None)
        injected = None
        if decision.inject is not None:
            injected = Injected(decision.inject, exchange.policy.provider_origin(decision.inject))
        check_egress(target, ctx.headers, exchange.policy.egress, injected=injected)
        if decision.inject is not None:
            exchange.placed = await self.credential(decision.inject, exchange.policy)
        exchange.target = target
        commit(exchange, ctx, target)
        self.choose_hop(exchange)
        request = exchange.flow.request
        exchange.dialled = request.scheme, request.host, request.port

    def translate(self, exchange: Exchange, ctx: Context, decision: Transform, asked_path: str) -> bool:
        """Make it a request of the provider's dialect. True: it is answered already."""
        kind = exchange.policy.config.providers[decision.provider].type
        made = translate(ctx, decision, kind, asked_path, self.memory)
        if isinstance(made, Translation):
            exchange.translation = made
            return False
        exchange.flow.response = exchange.told = exchange.own_answer(made.status, made.body)
        if made.failure is not None:
            exchange.record.error = made.failure.message
        return True

    def adapt(self, exchange: Exchange, ctx: Context, decision: Passthrough | Redirect, asked_path: str) -> None:
        """The few things that a request in its provider's own dialect is changed in."""
        if isinstance(decision, Redirect) and decision.model is not None and ctx.extras.has("model"):
            ctx.extras.set("model", decision.model)
        dialect = ctx.endpoint.dialect
        if dialect in SIGNING and ctx.mentions(FOREIGN_BYTES):
            plain = ctx.plain or b""
            if FOREIGN_BYTES in plain and (cut := without_foreign(dialect, plain)) is not plain:
                ctx.body = cut
                ctx.warnings.append(FOREIGN_THOUGHTS)
        if ctx.endpoint.operation == "count_tokens" and isinstance(decision, Redirect):
            exchange.count_here = lambda: same_format_count(ctx, asked_path, self.memory)

    async def credential(self, provider: str, policy: Policy) -> Placed:
        """What to write for a provider, which must still be the one that the guard has just judged."""
        placed = await self.credentials.get(provider)
        definition = policy.config.providers[provider]
        if placed.owner is not definition and placed.owner != definition:
            raise CredentialError(
                f"the configuration of provider {provider!r} changed while this request was under way, and its new "
                "credential may belong to another host; nothing was sent, please ask again"
            )
        return placed

    def choose_hop(self, exchange: Exchange) -> None:
        """Send through the sidecar where the provider's configuration names a fingerprint profile."""
        name, config = exchange.record.provider, exchange.policy.config
        profile = config.providers[name].fingerprint_profile if name is not None else None
        if profile is None:
            return
        exchange.hop = (("x-ccproxy-impersonate", profile), ("x-ccproxy-token", self.sidecar_token))
        readdress(exchange.flow.request, Target("http", LOOPBACK, exchange.policy.born.sidecar.port, "/"))


def answer_builtin(exchange: Exchange, api: InterceptedAPI) -> None:
    """One of our own endpoints: answered here, or readdressed to the MCP process."""
    flow = exchange.flow
    request = flow.request
    before = request.host, request.port
    api.request(flow)
    flow.metadata.clear()  # xepor's notes, which no dump file should hold
    if flow.response is not None:
        return
    if (request.host, request.port) == before:
        raise NotFound(f"{request.method} {request.path.partition('?')[0]}: there is nothing here")
    exchange.target = Target(request.scheme, request.host, request.port, request.path)
    exchange.dialled = request.scheme, request.host, request.port
    exchange.record.forwarded = Message(request.headers.fields, method=request.method, url=exchange.target.url)


def context_of(exchange: Exchange) -> Context:
    request, config = exchange.flow.request, exchange.policy.config
    body = request.raw_content or b""
    exchange.record.request.body = Body(body, len(body))
    return Context(
        method=request.method,
        path=request.path,
        headers=Headers(request.headers.fields),
        body=body,
        endpoint=exchange.endpoint,
        listener=exchange.record.listener,
        jail=exchange.record.jail,
        providers=config.providers.keys(),
        flow_id=exchange.flow.id,
        parse_bytes=config.limits.parse_bytes,
        decode=decode_whole,
    )


def decide(exchange: Exchange, ctx: Context) -> Passthrough | Redirect | Transform:
    """Route the request and note where to. Raises the RequestError of a rejection, or BodyNeeded."""
    record, config, request = exchange.record, exchange.policy.config, exchange.flow.request
    document = ctx.json
    jailed = record.listener == "jail"
    facts = Facts(
        listener=record.listener,
        path=ctx.path,
        endpoint=ctx.endpoint,
        hosts=asked_hosts(ctx.headers, request.authority),
        model=ctx.model,
        streams=wants_stream(ctx.endpoint, document if isinstance(document, dict) else None, ctx.path),
        sentinel=ctx.sentinel.provider if ctx.sentinel is not None else None,
        addressed=(request.scheme, request.host, request.port) if jailed else None,
    )
    decision = route(facts, config.transforms, config.providers)
    if request.raw_content is None and (
        isinstance(decision, Reject | Transform) or ctx.endpoint.operation == "count_tokens"
    ):
        raise BodyNeeded
    match decision:
        case Reject():
            raise decision.error
        case Transform():
            record.route, record.provider = "transform", decision.provider
        case Redirect():
            record.route, record.provider = "redirect", decision.provider
        case Passthrough():
            record.route, record.provider = "passthrough", decision.inject
    return decision


def local(target: Target, policy: Policy) -> Target:
    """The embedded provider has a port that no configuration knows."""
    if target.origin != ECHO_ORIGIN:
        return target
    return replace(target, host=LOOPBACK, port=policy.echo_port or 0)


def clean(ctx: Context, target: Target, exchange: Exchange, *, injects: bool) -> None:
    """Take away what must not go along, and name the target."""
    headers = ctx.headers
    strip_internal(headers)
    strip_hop_by_hop(headers)
    strip_foreign(headers, target.host, exchange.flow.request.host if exchange.record.listener == "jail" else None)
    if injects and (accept := headers.get("accept-encoding")):
        headers.set("accept-encoding", readable_codings(accept))
    if headers.get("host") != target.authority:
        headers.set("host", target.authority)


def commit(exchange: Exchange, ctx: Context, target: Target) -> None:
    """Write what the hooks decided on the flow's request, which everybody may see: there is no credential in it."""
    request, record = exchange.flow.request, exchange.record
    body = request.data.content or b""
    if ctx.body is not record.request.body.data:
        request.data.content = body = ctx.body
        ctx.headers.remove("transfer-encoding")
        ctx.headers.set("content-length", str(len(body)))
    elif body and "content-length" not in ctx.headers and "transfer-encoding" not in ctx.headers:
        ctx.headers.set(
            "content-length", str(len(body))
        )  # an HTTP/2 client need not say it, an HTTP/1 upstream must know
    readdress(request, target)
    if request.is_http2:  # RFC 9113 §8.3.1: :authority, and no Host beside it; towards HTTP/1 mitmproxy writes Host
        ctx.headers.remove("host")
        request.data.authority = target.authority.encode()
    request.headers.fields = ctx.headers.fields
    same = body is record.request.body.data
    record.forwarded = Message(
        ctx.headers.fields,
        record.request.body if same else Body(body, len(body)),
        method=request.method,
        url=target.url,
    )


def readdress(request: http.Request, target: Target) -> None:
    """Send to ``target``. The Host field is not touched."""
    data = request.data
    data.scheme, data.host, data.port = target.scheme.encode(), target.host, target.port
    data.path, data.authority = target.path.encode("latin-1"), b""
