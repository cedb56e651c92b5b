"""The one addon of ours in mitmproxy's chain: it fans out to the modules that do the work.

=====================  =====================================================================
``next_layer``         our HTTP layer instead of mitmproxy's (``attempt``)
``client_connected``   who is it? (``peer``)
``requestheaders``     may it ask? (``ingress``)
``request``            hooks, route, guard, credential (``forward``)
``server_connect…``    the address that was really dialled (``guard.check_dialled``); certificates
``responseheaders``    another attempt, or through to the client (``respond``)
``response, error``    the record goes to the store
=====================  =====================================================================

mitmproxy logs what an addon raises and goes on as if nothing had happened. A request must never go on like that: each
hook here that can fail ends the exchange with an error of its own.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from mitmproxy import connection, http, tls
from mitmproxy.proxy import mode_specs, server_hooks
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from OpenSSL import SSL

from ccproxy.addresses import Target
from ccproxy.auth.credentials import Credentials
from ccproxy.errors import CcproxyError, Forbidden, RequestError
from ccproxy.flows.record import FlowRecord
from ccproxy.flows.redact import Redactor
from ccproxy.guard import check_dialled
from ccproxy.listener import attempt, backpressure, closing, ingress, respond
from ccproxy.listener.exchange import Exchange
from ccproxy.listener.failures import in_words
from ccproxy.listener.forward import BodyNeeded, Forwarder
from ccproxy.listener.policy import Policy
from ccproxy.peer import listener_uid, peer_uid

log = logging.getLogger(__name__)

HTTP2_STREAMS: Final = 100
"""Requests that one client connection may have under way: the limit that h2 announces (RFC 9113 §6.5.2)."""


class ProxyAddon:
    """Belongs to one mitmproxy master."""

    name = "ccproxy"

    def __init__(
        self,
        *,
        policy: Policy,
        credentials: Credentials,
        redactor: Redactor,
        forwarder: Forwarder,
        keep: Callable[[FlowRecord], None],
        show: Callable[[http.HTTPFlow], None],
        connections: Mapping[tuple[str, int] | str, ProxyConnectionHandler],
    ) -> None:
        self.policy = policy
        """The configuration for exchanges that begin from now on."""
        self.credentials = credentials
        self.redactor = redactor
        self.forwarder = forwarder
        self.keep = keep
        """Stores a finished record; never blocks, never raises."""
        self.show = show
        """Tells the web UI's list that a flow has ended."""
        self.connections = connections
        """mitmproxy's connection handlers by client id."""
        self.closing = False
        """The process drains: connections end with their current answer."""
        self.exchanges: dict[str, Exchange] = {}
        self.uids: dict[str, int | None] = {}
        self.unasked: set[str] = set()
        """Clients that have connected and not sent a request yet."""
        self.all_asked = asyncio.Event()
        """Set when, in a process that drains, there is none of these any more."""
        self.idle = asyncio.Event()
        """Set while no exchange is under way."""
        self.idle.set()

    def find(self, flow: http.HTTPFlow) -> Exchange | None:
        return self.exchanges.get(flow.id)

    def replace(self, policy: Policy) -> None:
        """Go by another policy from now on. Connections whose certificate must be checked under it, and need not have
        been until now, end: a credential could be sent on one of them."""
        newly_verified = policy.verified_hosts - self.policy.verified_hosts
        self.policy = policy
        for client_id, handler in self.connections.items():
            for each, io in handler.transports.items():
                if not isinstance(each, connection.Server) or each.address is None or io.writer is None:
                    continue
                if each.address[0].lower() in newly_verified:
                    self.hang_up(client_id, each)

    # ------------------------------------------------------------------ connections

    def next_layer(self, next_layer: NextLayer) -> None:
        client = next_layer.context.client
        if next_layer.data_client().startswith(b"PRI * HTTP/2.0"):
            client.alpn = b"h2"  # else cleartext HTTP/2 is read as HTTP/1 and ended
        layer = attempt.install(next_layer, self, self.policy.config.limits.header_bytes)
        if layer is not None and client.alpn == b"h2":
            backpressure.install(self.connections[client.id], layer)

    def client_connected(self, client: connection.Client) -> None:
        # Every HTTP/2 stream to an HTTP/1 upstream has a connection of its own. mitmproxy lets five run at once, the
        # sixth waits for the end of one; and when the client leaves, those that wait never end.
        handler = self.connections[client.id]
        handler.max_conns = defaultdict(lambda: asyncio.Semaphore(HTTP2_STREAMS))
        closing.install(handler)
        self.unasked.add(client.id)
        if isinstance(client.proxy_mode, mode_specs.ReverseMode):
            self.uids[client.id] = peer_uid(client.sockname[:2], client.peername[:2])

    def client_disconnected(self, client: connection.Client) -> None:
        self.uids.pop(client.id, None)
        self.asked(client)

    def asked(self, client: connection.Client) -> None:
        self.unasked.discard(client.id)
        if self.closing and not self.unasked:
            self.all_asked.set()

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        if isinstance(data.client.proxy_mode, mode_specs.ReverseMode) and not data.server.alpn_offers:
            data.server.alpn_offers = (b"h2", b"http/1.1")  # a client without TLS offers none, the provider speaks both

    def server_connected(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Nothing has been sent yet. A name may have led elsewhere since it was checked: then nothing will be."""
        server = data.server
        address, peer, local = server.address, server.peername, server.sockname
        if address is None or peer is None:
            return
        target = Target("https" if server.tls else "http", address[0], address[1], "/")
        try:
            if self.policy.is_own_hop(*address[:2]):
                self.check_own(address, local, peer)
            else:
                check_dialled(target, peer[0], self.policy.egress, local_ip=local[0] if local else None)
        except Forbidden as error:
            log.warning("%s", error)
            for exchange in self.exchanges.values():
                if exchange.flow.client_conn is data.client and exchange.dials(address):
                    exchange.refused = error
            self.hang_up(data.client.id, server)

    def hang_up(self, client_id: tuple[str, int] | str, server: connection.Server) -> None:
        """Close an upstream connection before anything more is written on it; mitmproxy has no hook for that."""
        writer = self.connections[client_id].transports[server].writer
        assert isinstance(writer, asyncio.StreamWriter)
        writer.transport.abort()

    def check_own(self, address: tuple[str, int], local: tuple[str, int] | None, peer: tuple[str, int]) -> None:
        """Credentials go to the sidecar: somebody else who holds its port now must not get them."""
        uid = peer_uid(local[:2], peer[:2]) if local is not None else None
        if uid is None:  # not accepted yet: the process is being started for it
            uid = listener_uid(peer[:2])
        if sys.platform == "linux" and uid != self.policy.own_uid:
            raise Forbidden(
                f"port {address[1]} should be a process of ccproxy's own, and is held by "
                f"{'somebody who cannot be told' if uid is None else f'user {uid}'}; nothing was sent"
            )

    def stop_connecting(self, exchange: Exchange) -> None:
        """End what waits for the connection that this exchange wants; it is told that there is none."""
        handler = self.connections.get(exchange.flow.client_conn.id)
        for server, transport in list(handler.transports.items()) if handler is not None else ():
            is_its = isinstance(server, connection.Server) and server.address and exchange.dials(server.address)
            if is_its and transport.handler is not None and not server.timestamp_tls_setup:
                transport.handler.cancel("provider_timeout")

    def tls_start_server(self, data: tls.TlsData) -> None:
        """Where credentials go, the certificate is checked, whatever ``ssl_insecure`` says."""
        server = data.conn
        assert isinstance(server, connection.Server)
        if server.address and data.ssl_conn is not None and server.address[0].lower() in self.policy.verified_hosts:
            data.ssl_conn.set_verify(SSL.VERIFY_PEER)

    # ------------------------------------------------------------------ requests

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.asked(flow.client_conn)
        if flow.error is not None:
            return  # malformed; mitmproxy ends it after this hook
        exchange = ingress.begin(flow, self.policy, self.uids.get(flow.client_conn.id))
        exchange.stop_connecting = lambda: self.stop_connecting(exchange)
        self.exchanges[flow.id] = exchange
        self.idle.clear()
        if exchange.refused is None and ingress.is_large(flow.request, self.policy):
            flow.request.stream = await self.leave_early(exchange)

    async def leave_early(self, exchange: Exchange) -> bool:
        """Whether the request leaves before its body is here, which no hook sees then."""
        try:
            await self.forward(exchange)
        except BodyNeeded:
            exchange.record.hooks.clear()
            return False
        return exchange.refused is None

    async def request(self, flow: http.HTTPFlow) -> None:
        flow.request.trailers = None  # nobody judged what is in them (RFC 9110 §6.5.1 lets us drop them)
        exchange = self.find(flow)
        if exchange is None or flow.request.stream:
            return
        if exchange.refused is None:
            await self.forward(exchange)
        if exchange.refused is not None:
            flow.response = exchange.told = exchange.response_for(exchange.refused)

    async def forward(self, exchange: Exchange) -> None:
        try:
            await self.forwarder.forward(exchange)
        except BodyNeeded:
            raise
        except RequestError as error:
            exchange.refused = error
        except Exception as error:  # the edge: nothing that was not decided may leave
            log.exception("flow %s failed before it was sent", exchange.flow.id)
            exchange.refused = CcproxyError(f"{type(error).__name__} in ccproxy itself; its log has the details")

    # ------------------------------------------------------------------ answers

    async def responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange = self.find(flow)
        if exchange is None or flow.response is None:
            return
        if exchange.told is flow.response or (exchange.is_builtin and exchange.target is None):
            if self.closing and not flow.request.is_http2:
                flow.response.headers["connection"] = "close"
            return
        try:
            if await respond.consider(exchange, self.credentials):
                return
            respond.let_through(exchange, self.redactor, closing=self.closing)
        except Exception:
            log.exception("flow %s: the answer could not be prepared", flow.id)
            flow.kill()

    def response(self, flow: http.HTTPFlow) -> None:
        exchange = self.find(flow)
        if exchange is None:
            return
        respond.end_bodiless(exchange)
        if flow.response is not None and flow.response.trailers:
            if exchange.placed is not None:
                fields = respond.scrub_fields(flow.response.trailers.fields, self.redactor)
                flow.response.trailers.fields = fields
            if exchange.relay is not None or not flow.request.is_http2:
                flow.response.trailers = None  # mitmproxy 12 cannot write them to an HTTP/1 client, which would hang
        self.end(exchange)

    def error(self, flow: http.HTTPFlow) -> None:
        exchange = self.find(flow)
        if exchange is None:
            return
        if flow.error is not None:
            flow.error.msg = in_words(flow.error.msg)
            exchange.record.error = exchange.record.error or flow.error.msg
        if flow.is_replay:  # from the web UI: there is no stream of ours that tells when it is over
            self.end(exchange)

    def over(self, flow: http.HTTPFlow) -> None:
        """The client has been told of the error, if it still listens."""
        if (exchange := self.find(flow)) is not None:
            self.end(exchange)

    def end(self, exchange: Exchange) -> None:
        """The exchange is over: its record to the store, its bodies to the web UI."""
        flow = exchange.flow
        del self.exchanges[flow.id]
        if not self.exchanges:
            self.idle.set()
        try:
            respond.finish(exchange)
        except Exception:
            log.exception("flow %s: its record is incomplete", flow.id)
        shown = exchange.relay or exchange.answer
        if shown is not None and flow.response is not None and not flow.response.data.content:
            flow.response.data.content = b"".join(shown.capture.parts)
        if not exchange.is_builtin:
            self.keep(exchange.record)
        self.show(flow)
