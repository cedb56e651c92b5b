"""mitmproxy's WebMaster, trimmed to what a proxy for LLM traffic needs.

Every addon in the chain costs time on every hook, whether it has the hook or not: 39 addons serve 620 requests a
second, 11 serve 860 (one core, seen 2026-11). ``DROPPED`` names those that go. The web UI keeps its own: view, events,
intercept, export, replay, save.

The view is limited by bytes; nothing is converted for browsers while none is connected.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container
from typing import Any, Final

import tornado.httpserver
import tornado.httputil
import tornado.web
from mitmproxy import flow, http, master, options
from mitmproxy.tools.web import app
from mitmproxy.tools.web.master import WebMaster

from ccproxy.flows.redact import Redactor
from ccproxy.listener.dispatch import index_addons
from ccproxy.listener.shown import Cleaner, CleanEvents, show_clean

DROPPED: Final = (
    "anticache",
    "anticomp",
    "block",
    "blocklist",
    "browser",
    "commandhistory",
    "maplocal",
    "mapremote",
    "modifybody",
    "modifyheaders",
    "onboarding",
    "proxyauth",
    "readfilestdin",
    "scriptloader",
    "serverplayback",
    "staticviewer",
    "stickyauth",
    "stickycookie",
    "stripdnshttpsrecords",
    "updatealtsvc",
    "upstreamauth",
)
UPLOAD_BYTES: Final = 64 << 20
"""Largest request that the web UI takes (a flow file to open)."""


class ListenerMaster(WebMaster):
    """The proxy, its trimmed addons, and the web UI on ``web_host:web_port``."""

    def __init__(self, opts: options.Options, web_hosts: frozenset[str], view_bytes: int, redactor: Redactor) -> None:
        super().__init__(opts, with_termlog=False)
        for name in DROPPED:
            if addon := self.addons.get(name):
                self.addons.remove(addon)
        index_addons(self.addons, lambda: bool(app.ClientConnection.connections))
        self.web_hosts = web_hosts
        self.cleaner = Cleaner(redactor)
        show_clean(self.app, self.cleaner)
        self.events.logger.formatter = CleanEvents(redactor.scrub_text)
        self.shown = BoundedView(self, view_bytes)
        self.up = asyncio.Event()
        """Set once every server runs."""

    @property
    def web_url(self) -> str:
        """Where a browser is sent: without the token, since every user of the machine sees a browser's arguments."""
        host: str = self.options.web_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.options.web_port}/"

    async def running(self) -> None:
        server = tornado.httpserver.HTTPServer(
            GuardedApp(self.app, self.web_hosts, self.clean_view), max_buffer_size=UPLOAD_BYTES
        )
        server.listen(self.options.web_port, self.options.web_host)
        self.web_server = server
        await master.Master.running(self)
        self.up.set()

    def clean_view(self) -> None:
        """Clean every flow that has ended: what is asked for next may be any, in any form."""
        for each in self.view:
            if not each.live:
                self.cleaner(each)

    def _sig_view_add(self, flow: flow.Flow) -> None:
        if app.ClientConnection.connections:
            super()._sig_view_add(self.cleaner(flow))

    def _sig_view_update(self, flow: flow.Flow) -> None:
        if app.ClientConnection.connections:
            super()._sig_view_update(self.cleaner(flow))

    def _sig_view_remove(self, flow: flow.Flow, index: int) -> None:
        if app.ClientConnection.connections:
            super()._sig_view_remove(flow, index)


class GuardedApp:
    """The web UI behind a Host and Origin check: no page of a foreign site reaches it by DNS rebinding."""

    def __init__(self, inner: tornado.web.Application, hosts: frozenset[str], before: Callable[[], None]) -> None:
        self.inner = inner
        self.hosts = hosts
        self.before = before
        """Called before each request that is let in."""

    def __call__(self, request: tornado.httputil.HTTPServerRequest) -> Any:
        origin = request.headers.get("Origin")
        if request.host not in self.hosts or len(request.headers.get_list("Host")) != 1:
            return refuse(request, f"Host {request.host!r} is not one of this web UI")
        if origin is not None and origin.partition("://")[2] not in self.hosts:
            return refuse(request, f"Origin {origin!r} may not use this web UI")
        self.before()
        return self.inner(request)


def refuse(request: tornado.httputil.HTTPServerRequest, reason: str) -> None:
    assert request.connection is not None
    body = reason.encode("ascii", "replace") + b"\n"
    head = tornado.httputil.HTTPHeaders({"Content-Length": str(len(body)), "Content-Type": "text/plain"})
    request.connection.write_headers(tornado.httputil.ResponseStartLine("HTTP/1.1", 403, "Forbidden"), head, body)
    request.connection.finish()


class BoundedView:
    """Keeps the web UI's list of flows under a number of bytes: the oldest finished flow goes first."""

    OVERHEAD: Final = 16 << 10
    """What a flow costs besides its bodies: objects, headers, connections, certificates."""

    def __init__(self, owner: WebMaster, limit: int) -> None:
        self.view = owner.view
        self.limit = limit
        self.finished: deque[tuple[http.HTTPFlow, int]] = deque()
        self.bytes = 0
        self.passed = 0
        """Bytes of all flows that ever ended."""

    def add(self, ended: http.HTTPFlow) -> None:
        """Count a flow that has ended, and let the oldest go when the limit is passed."""
        size = self.OVERHEAD + len(ended.request.raw_content or b"")
        if ended.response:
            size += len(ended.response.raw_content or b"")
        self.finished.append((ended, size))
        self.bytes += size
        self.passed += size
        gone: list[http.HTTPFlow] = []
        while self.bytes > self.limit and len(self.finished) > 1:
            old, size = self.finished.popleft()
            self.bytes -= size
            gone.append(old)
        for each in gone:
            self.view.remove([each])

    def forget(self, ids: Container[str] | None) -> int:
        """Take finished flows out of the list, all for None; how many."""
        gone = [flow for flow, _ in self.finished if ids is None or flow.id in ids]
        kept = [(flow, size) for flow, size in self.finished if not (ids is None or flow.id in ids)]
        self.finished, self.bytes = deque(kept), sum(size for _, size in kept)
        for each in gone:
            self.view.remove([each])
        return len(gone)
