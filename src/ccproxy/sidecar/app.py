"""The sidecar as an ASGI application: judges a request, sends it on, and streams the answer back.

An answer of the upstream comes through with its status, header and body; the body is decoded, so Content-Encoding is
gone. An answer of the sidecar itself has the header ``x-ccproxy-error``, whose value is an ``errors.Kind``, and a body
``{"error": {"type": KIND, "message": "what happened and what to do"}}``; upstreams cannot forge it.

After the first body byte a failure can only be told by cutting the connection, without the last chunk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final, cast

import httpx

from ccproxy.errors import CcproxyError, PayloadTooLarge, RequestError, UpstreamError, UpstreamTimeout
from ccproxy.guard import strip_hop_by_hop, strip_internal
from ccproxy.headers import Fields, Headers
from ccproxy.peer import Address
from ccproxy.sidecar.admission import Admission
from ccproxy.sidecar.clients import Clients
from ccproxy.sidecar.order import Order, Policy, outgoing
from ccproxy.sidecar.transport import SafeTransport, make_request

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

ERROR: Final = "x-ccproxy-error"
_BODILESS: Final = (204, 304)

_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Sidecar:
    """Forwards what the listener sends. ``policy`` and ``body_limit`` may be replaced at any time."""

    def __init__(
        self, policy: Policy, admission: Admission, clients: Clients[SafeTransport], *, body_limit: int
    ) -> None:
        self.policy = policy
        self.body_limit = body_limit
        """Most bytes of a request's body."""
        self._admission, self._clients = admission, clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(tuple(scope["headers"]))
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            self._admission.check(_address(scope["server"]), _address(scope["client"]), headers)
            order = self.policy.read(headers)
            fields = outgoing(headers).fields
            body = await read_body(receive, headers, self.body_limit)
            request = make_request(scope["method"], order.url, fields, body)
            await _while_wanted(self._forward(order, request, answer), receive)
        except ClientGone:
            pass
        except RequestError as error:
            _log.info("answered %d: %s", error.status, error)
            await refuse(error, send)
        except Exception as error:  # the error edge; the message is left out, it may quote a header
            _log.error("%s in\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            if not begun:
                await refuse(CcproxyError("the sidecar failed; its log says where"), send)

    async def _forward(self, order: Order, request: httpx.Request, send: Send) -> None:
        upstream = f"{order.origin.host}:{order.origin.port}"
        async with self._clients.use((order.origin, order.profile)) as transport:
            try:
                response = await transport.handle_async_request(request)
            except httpx.TimeoutException as error:
                raise UpstreamTimeout(f"the upstream {upstream} failed: {error}") from None
            except httpx.RequestError as error:
                raise UpstreamError(f"the upstream {upstream} failed: {error}") from None
            stream = cast(httpx.AsyncByteStream, response.stream)
            try:
                await send(_start(response.status_code, answered(response)))
                async for chunk in stream:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except httpx.RequestError as error:
                _log.warning("the upstream %s failed in mid-answer: %s", upstream, error)
            finally:
                await stream.aclose()


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The whole body. Raises PayloadTooLarge beyond ``limit`` bytes, ClientGone if it breaks off."""
    too_large = PayloadTooLarge(f"the request body is larger than {limit} bytes (limits.body_bytes)")
    length = headers.get("content-length")
    if length.isdigit() and int(length) > limit:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def answered(response: httpx.Response) -> Fields:
    """The upstream's header fields as they suit the decoded body and this hop."""
    headers = Headers(tuple(response.headers.raw))
    strip_internal(headers)
    strip_hop_by_hop(headers)
    headers.remove("transfer-encoding")
    if "content-encoding" in headers or response.status_code in _BODILESS or len(headers.get_all("content-length")) > 1:
        headers.remove("content-encoding", "content-length")
    return headers.fields


async def refuse(error: CcproxyError, send: Send) -> None:
    """Answer with an error of our own."""
    body = json.dumps({"error": {"type": error.kind, "message": str(error)}}).encode()
    fields = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (ERROR.encode(), error.kind.encode()),
    )
    await send(_start(error.status, fields))
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _while_wanted(forward: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Run ``forward`` until it ends, or until the client leaves: then it is cancelled, and ClientGone raised."""
    forwarding = asyncio.ensure_future(forward)
    leaving = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait({forwarding, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not forwarding.done():
            raise ClientGone
        forwarding.result()
    finally:
        for task in (leaving, forwarding):
            task.cancel()
        await asyncio.wait({leaving, forwarding})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(status: int, fields: Fields) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(n.lower(), v) for n, v in fields]}


def _address(pair: tuple[str, int | None] | None) -> Address | None:
    return (pair[0], pair[1]) if pair is not None and pair[1] is not None else None
