"""The ASGI application: reads a request, lets ``reply.compose`` make the answer, sends it.

Bodies may be gzipped; what is larger than BODY_LIMIT is refused. A client that leaves ends its stream.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from ccproxy.echo.answer import chunks, whole
from ccproxy.echo.ask import Ask, Refusal
from ccproxy.echo.failure import failure
from ccproxy.echo.models import model, models
from ccproxy.echo.reply import Reply, compose
from ccproxy.echo.request import read
from ccproxy.echo.routes import Target, find, likely
from ccproxy.echo.wire import Body, canonical, dump, ident
from ccproxy.lightllm.count import write_count
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.plan import Asked

type Message = Mapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

BODY_LIMIT = 32 << 20
"""Bytes of a request body, before and after decompression."""
ON_LOOP_LIMIT = 1 << 20
"""Bytes of a body that may be read on the event loop, which is the listener's: a larger one gets a thread."""
_REQUEST_ID = dict.fromkeys(Dialect, b"x-request-id") | {Dialect.ANTHROPIC: b"request-id"}
_STREAM_TYPE = dict.fromkeys(Dialect, "text/event-stream; charset=utf-8") | {Dialect.GOOGLE: "text/event-stream"}
MODELS = ["echo"]
"""What the lists of models show; every other name is accepted too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: one body, or many chunks with a pause before each."""

    status: int
    content_type: str
    chunks: Iterator[bytes]
    pause_s: float = 0.0
    retry_after_s: int | None = None


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one HTTP request (ASGI 3)."""
    if scope["type"] != "http":
        return
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    method, path = scope["method"], scope["path"]
    query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
    target = find(method, path, headers, query)
    raw = await _body(receive)
    dialect = target.dialect if target else likely(path, headers, query)
    if target is None:
        made: Answer | Refusal = Refusal(404, f"echo knows no {method} {path}")
    elif raw is not None and (len(raw) > ON_LOOP_LIMIT or "content-encoding" in headers):
        made = await asyncio.to_thread(_prepared, target, raw, headers)
    else:
        made = respond(target, raw, headers)
    request_id = ident("req_", method, path, hashlib.sha256(raw or b"").hexdigest())
    if isinstance(made, Refusal):
        body = failure(dialect, made, request_id)
        chunk = dump([body] if target and target.array else body)
        made = Answer(made.status, "application/json", iter([chunk]), retry_after_s=made.retry_after_s)
    fields = [(b"content-type", made.content_type.encode()), (_REQUEST_ID[dialect], request_id.encode())]
    if made.retry_after_s is not None:
        fields.append((b"retry-after", str(made.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": made.status, "headers": fields})
    for chunk in made.chunks if method != "HEAD" else ():
        if made.pause_s and await _gone(receive, made.pause_s):
            return
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def respond(target: Target, raw: bytes | None, headers: Mapping[str, str]) -> Answer | Refusal:
    """The answer to a request whose body has been read (None: it was too large)."""
    if target.operation == "root":
        return _whole({"status": "ok", "provider": "echo"})
    if target.operation == "models":
        return _models(target)
    ask = _read(target, raw, headers)
    return ask if isinstance(ask, Refusal) else _answer(target, ask)


def _prepared(target: Target, raw: bytes, headers: Mapping[str, str]) -> Answer | Refusal:
    """The same, with nothing left to do while it is sent."""
    made = respond(target, raw, headers)
    return replace(made, chunks=iter(list(made.chunks))) if isinstance(made, Answer) else made


def _models(target: Target) -> Answer | Refusal:
    if not target.model:
        return _whole(models(target.dialect, MODELS))
    if target.model not in MODELS:
        return Refusal(404, f"there is no model {target.model!r}; echo lists {', '.join(MODELS)}", "model")
    return _whole(model(target.dialect, target.model))


def _answer(target: Target, ask: Ask) -> Answer | Refusal:
    if target.operation == "count":
        return _whole(write_count(target.dialect, ask.input_tokens))
    reply = compose(ask)
    if isinstance(reply, Refusal):
        return reply
    if ask.stream:
        kind = "application/json" if target.array else _STREAM_TYPE[target.dialect]
        return Answer(200, kind, chunks(target.dialect, ask, reply, array=target.array), reply.pause_s)
    return _whole(whole(target.dialect, ask, reply), reply)


def _read(target: Target, raw: bytes | None, headers: Mapping[str, str]) -> Ask | Refusal:
    if raw is not None and headers.get("content-encoding", "identity") == "gzip":
        raw = _gunzip(raw)
    if raw is None:
        return Refusal(413, f"the body is larger than {BODY_LIMIT >> 20} MiB")
    try:
        body = json.loads(raw)
        seed = _seed(body, target.model)
    except (ValueError, RecursionError) as error:
        return Refusal(400, f"the body is not JSON: {error}")
    asked = Asked(target.model or None, target.stream if target.model else None, target.array)
    return read(target.dialect, body, asked, seed=seed, counting=target.operation == "count")


def _seed(body: object, model: str) -> str:
    """A hash of what was asked: whether the answer is streamed or not changes nothing in it."""
    asked = {key: body[key] for key in body if key not in {"stream", "stream_options"}} if isinstance(body, dict) else 0
    return hashlib.sha256(f"{model}\0{canonical(asked)}".encode(errors="backslashreplace")).hexdigest()


def _whole(body: Body, reply: Reply | None = None) -> Answer:
    return Answer(200, "application/json", iter([dump(body)]), reply.pause_s if reply else 0.0)


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None if it is too large. The rest of such a body is read and thrown away."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(chunks) if size <= BODY_LIMIT else None


def _gunzip(raw: bytes) -> bytes | None:
    """The decompressed body, None if it is too large; bytes that are no gzip stay as they are, and are no JSON."""
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = stream.decompress(raw, BODY_LIMIT + 1)
    except zlib.error:
        return raw
    return plain if len(plain) <= BODY_LIMIT else None


async def _gone(receive: Receive, pause_s: float) -> bool:
    """Wait, unless the client leaves first."""
    try:
        async with asyncio.timeout(pause_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
