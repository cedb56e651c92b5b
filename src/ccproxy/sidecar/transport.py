"""An httpx transport that speaks with a browser's TLS fingerprint, and can be let go of at any moment.

``httpx_curl_cffi.AsyncCurlTransport`` (0.1.5, on curl-cffi 0.16 and 0.17) does the talking. What is changed here, and
why; each point has a test:

* A request that is cancelled, or a stream that is left early, ends its transfer at once. The originals wait for the
  upstream to end by itself: it may never, and it costs money.
* The answer is there when its head is. The originals wait for the first body byte.
* A reader that is slow makes curl pause. The originals queue without bound.
* The URL and the header fields go out as they are, and nothing is added.
* A failure is an ``httpx`` error with a sentence of ours. curl's own text can quote what it was given: a header, a key.
* Proxies of the environment are not used: one of them may be this very program.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast, override

import httpx
from curl_cffi import Curl, CurlECode, CurlError, CurlOpt
from curl_cffi.curl import CURL_WRITEFUNC_PAUSE, CURLPAUSE_CONT
from curl_cffi.requests import AsyncSession, Response
from curl_cffi.requests.headers import Headers as CurlHeaders
from httpx_curl_cffi import AsyncCurlTransport, BrowserTypeLiteral
from httpx_curl_cffi.transport import CurlAsyncByteStream

from ccproxy.headers import Fields

MAX_CONNECTIONS: Final = 256
"""Requests to one host at a time; more wait."""
CONNECT_S: Final = 30.0
READ_S: Final = 1800.0
"""Longest silence of an upstream. Models think for many minutes, and whoever waits has a limit of his own."""
PAUSE_ABOVE: Final = 256 * 1024
"""Bytes that may wait for the reader."""
RESUME_BELOW: Final = 64 * 1024


class Gate:
    """Between curl, which writes when bytes come, and the reader of one answer, who takes them when it can."""

    def __init__(self, curl: Curl) -> None:
        self.curl: Curl | None = curl
        """The handle; None when the transfer is over, for then it may already serve another."""
        self._write: Any = None
        """curl-cffi's own callback: tells that the head is complete, and puts a chunk into its queue."""
        self._head: BytesIO | None = None
        self._status = b""
        self._waiting = 0
        self._paused = False

    def watch(self, option: CurlOpt, value: Any) -> tuple[CurlOpt, Any]:
        """Step in between when curl-cffi sets its callbacks."""
        if option == CurlOpt.WRITEFUNCTION:
            self._write = value
            return option, self._on_body
        if option == CurlOpt.HEADERDATA:
            self._head = value
            return CurlOpt.HEADERFUNCTION, self._on_header
        return option, value

    def taken(self, size: int) -> None:
        """The reader has taken ``size`` bytes."""
        self._waiting -= size
        if self._paused and self._waiting < RESUME_BELOW and self.curl is not None:
            self._paused = False
            self.curl.pause(CURLPAUSE_CONT)

    def shut(self) -> None:
        """The transfer is over."""
        self.curl = None

    def _on_header(self, line: bytes) -> int:
        assert self._head is not None
        self._head.write(line)
        if line.startswith(b"HTTP/"):
            self._status = line.split(None, 2)[1]
        elif not line.strip() and not self._status.startswith(b"1"):
            self._write(b"")  # curl-cffi takes the first chunk, even an empty one, as the sign that the head is there
        return len(line)

    def _on_body(self, chunk: bytes) -> int:
        if self._waiting > PAUSE_ABOVE:
            self._paused = True
            return CURL_WRITEFUNC_PAUSE  # curl keeps the chunk, and gives it again later
        self._waiting += len(chunk)
        return cast(int, self._write(chunk))


class GatedCurl(Curl):
    """A curl handle with a gate for each transfer."""

    gate: Gate | None = None

    @override
    def setopt(self, option: CurlOpt, value: Any) -> int:
        if self.gate is not None:
            option, value = self.gate.watch(option, value)
        if option == CurlOpt.URL:  # else curl would normalise the path
            super().setopt(CurlOpt.REQUEST_TARGET, request_target(value))
        return super().setopt(option, value)


_gate: ContextVar[Gate | None] = ContextVar("gate of this request", default=None)


class SafeSession(AsyncSession[Response]):
    """A session whose handles have gates, and that tells which one a request got."""

    @override
    async def pop_curl(self) -> Curl:
        curl = await self.pool.get()
        if curl is None:
            curl = GatedCurl(cacert=self.acurl._cacert)
        assert isinstance(curl, GatedCurl)
        curl.gate = Gate(curl)
        _gate.set(curl.gate)
        return curl

    @override
    def release_curl(self, curl: Curl) -> None:
        assert isinstance(curl, GatedCurl)
        if curl.gate is not None:
            curl.gate.shut()
            curl.gate = None
        super().release_curl(curl)


class SafeStream(CurlAsyncByteStream):
    """The body of an answer. Closing it ends the transfer, whatever the upstream is doing."""

    def __init__(self, resp: Response) -> None:
        super().__init__(resp)
        gate = _gate.get()
        assert gate is not None
        self._gate = gate

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in cast("AsyncIterator[bytes]", self._resp.aiter_content()):  # type: ignore[no-untyped-call]
                if chunk:
                    self._gate.taken(len(chunk))
                    yield chunk
        except CurlError as error:
            raise explain(error) from None

    @override
    async def aclose(self) -> None:
        task = cast("asyncio.Task[None] | None", self._resp.astream_task)
        if task is not None and not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.wait([task]))


class SafeTransport(AsyncCurlTransport):
    """Requests to one host with one fingerprint profile.

    ``authorities``: PEM file of the certificate authorities that are trusted; there is no way to trust all. Requests
    are made by :func:`make_request`.
    """

    _session_cls = SafeSession
    _stream_wrap_cls = SafeStream

    def __init__(self, profile: str, authorities: Path) -> None:
        super().__init__(
            impersonate=cast(BrowserTypeLiteral, profile),
            max_connections=MAX_CONNECTIONS,
            verify=cast(bool, str(authorities)),
            curl_options={
                CurlOpt.NOPROXY: "*",
                CurlOpt.TCP_KEEPALIVE: 1,
            },
        )

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        _gate.set(None)
        try:
            answer = await self._session.request(**self._create_request_params(request))
        except asyncio.CancelledError:
            if (gate := _gate.get()) is not None and gate.curl is not None:
                self._session.acurl.remove_handle(gate.curl)
            raise
        except CurlError as error:
            raise explain(error) from None
        return self._create_response(request, answer)

    @override
    def _create_request_params(self, req: httpx.Request) -> dict[str, Any]:
        fields: list[tuple[bytes, bytes]] = list(req.extensions["fields"])
        if req.content and not any(name.lower() == b"content-type" for name, _ in fields):
            fields.append((b"content-type", cast(bytes, None)))  # None forbids curl to make one up
        return super()._create_request_params(req) | {
            "url": req.extensions["target"],
            "quote": False,
            "headers": CurlHeaders(fields, encoding="utf-8"),
        }


def make_request(method: str, target: str, fields: Fields, body: bytes) -> httpx.Request:
    """A request for SafeTransport. ``target`` is the URL and ``fields`` the header, exactly as they are to be sent;
    field values are UTF-8, Host and the framing are curl's."""
    return httpx.Request(
        method,
        "http://target.invalid",  # httpx would normalise the true one
        content=body,
        extensions={"target": target, "fields": fields, "timeout": {"connect": CONNECT_S, "read": READ_S}},
    )


def request_target(url: bytes) -> bytes:
    """What follows the authority, query included.

    >>> request_target(b"https://api.example.com/v1/x?y")
    b'/v1/x?y'
    """
    return b"/" + url.partition(b"://")[2].partition(b"/")[2]


_WORDS: Final[dict[int, tuple[type[httpx.RequestError], str]]] = {
    CurlECode.COULDNT_RESOLVE_HOST: (httpx.ConnectError, "its name cannot be resolved"),
    CurlECode.COULDNT_CONNECT: (httpx.ConnectError, "it cannot be reached, or refuses connections"),
    CurlECode.OPERATION_TIMEDOUT: (httpx.TimeoutException, "it did not answer in time"),
    CurlECode.SSL_CONNECT_ERROR: (httpx.ConnectError, "the TLS handshake failed"),
    CurlECode.PEER_FAILED_VERIFICATION: (
        httpx.ConnectError,
        "its certificate is not trusted; if an authority of your own signed it, name that in upstream_ca_file",
    ),
    CurlECode.SSL_CACERT_BADFILE: (httpx.ConnectError, "the certificate authorities cannot be read"),
    CurlECode.GOT_NOTHING: (httpx.RemoteProtocolError, "it closed the connection without an answer"),
    CurlECode.PARTIAL_FILE: (httpx.RemoteProtocolError, "it ended its answer early"),
    CurlECode.SEND_ERROR: (httpx.WriteError, "it broke off while the request was sent"),
    CurlECode.RECV_ERROR: (httpx.ReadError, "it broke off"),
    CurlECode.HTTP2: (httpx.RemoteProtocolError, "it violated HTTP/2"),
    CurlECode.HTTP2_STREAM: (httpx.RemoteProtocolError, "it broke off"),
    CurlECode.BAD_CONTENT_ENCODING: (httpx.DecodingError, "its answer is not encoded as it says"),
    CurlECode.WEIRD_SERVER_REPLY: (httpx.RemoteProtocolError, "its answer is not HTTP"),
}


def explain(error: CurlError) -> httpx.RequestError:
    """What went wrong with an upstream, as a clause about it; made from curl's number, never from its text."""
    kind, words = _WORDS.get(error.code, (httpx.RequestError, f"curl failed with error {int(error.code)}"))
    return kind(words)
