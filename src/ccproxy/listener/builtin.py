"""The endpoints that the listener answers itself, as xepor routes.

==========================  ============================================================================
``GET|HEAD /``, ``/health``  200 ``ccproxy says hey!``
``GET /v1/models``           the models of the configured providers, if the request carries no sentinel
``/mcp``                     forwarded to the MCP process, whose own token applies
``POST /mcp/notify``         501: notifications are not built yet
==========================  ============================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mitmproxy import http
from xepor import InterceptedAPI

from ccproxy.addresses import Target
from ccproxy.errors import NotBuilt
from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import classify
from ccproxy.lightllm.failure import Failure
from ccproxy.listener.failures import response_of
from ccproxy.listener.models import encode_models, model_names
from ccproxy.listener.policy import Policy

HELLO: Final = b"ccproxy says hey!"
MODELS_PATHS: Final = ("/v1/models", "/v1beta/models", "/models")
PATHS: Final = frozenset({"/", "/health", "/mcp", "/mcp/notify", *MODELS_PATHS})


def is_builtin(path: str) -> bool:
    """Whether a request target may be one of ours. Cheap: asked for every request."""
    return path.partition("?")[0] in PATHS


def is_models(path: str) -> bool:
    """Whether a request target is a list of models."""
    return path.partition("?")[0] in MODELS_PATHS


def builtin_api(policy: Callable[[], Policy]) -> InterceptedAPI:
    """The routes. ``api.request(flow)`` sets ``flow.response``, or readdresses the flow (``/mcp``), or does nothing."""
    api = InterceptedAPI(request_passthrough=True)

    def hello(flow: http.HTTPFlow) -> None:
        if flow.request.method in ("GET", "HEAD"):
            body = HELLO if flow.request.method == "GET" else b""
            flow.response = http.Response.make(200, body, {"content-type": "text/plain; charset=utf-8"})

    def models(flow: http.HTTPFlow) -> None:
        if flow.request.method == "GET":
            endpoint = classify("GET", flow.request.path, Headers(flow.request.headers.fields))
            body = encode_models(endpoint.dialect, model_names(policy().config.providers.values()))
            flow.response = http.Response.make(200, body, {"content-type": "application/json"})

    def mcp(flow: http.HTTPFlow) -> None:
        where = policy().mcp
        if where is None:
            error = NotBuilt("the MCP server is switched off (mcp.http.enabled)")
            flow.response = response_of(None, Failure.of(error), flow.id)
            return
        target = Target("http", *where, flow.request.path)
        flow.request.scheme, flow.request.host, flow.request.port = target.origin
        flow.request.host_header = target.authority

    def notify(flow: http.HTTPFlow) -> None:
        error = NotBuilt("notifications are not built yet; nothing was kept")
        flow.response = response_of(None, Failure.of(error), flow.id)

    for path, handler in (
        ("/", hello),
        ("/health", hello),
        *((path, models) for path in MODELS_PATHS),
        ("/mcp", mcp),
        ("/mcp/notify", notify),
    ):
        api.route(path, catch_error=False)(handler)
    return api
