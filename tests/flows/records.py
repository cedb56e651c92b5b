"""Flow records as the listener makes them, and the file system in a bad mood."""

from __future__ import annotations

import json
import resource
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ccproxy.flows.record import Attempt, Body, FlowRecord, HookResult, Message
from ccproxy.flows.redact import Redactor
from ccproxy.lightllm.usage import Usage

SENTINEL = "sk-ant-oat-ccproxy-deepseek"


def redactor(*secrets: str) -> Redactor:
    kept = frozenset(secrets)
    return Redactor(lambda: kept)


def body(data: bytes) -> Body:
    return Body(data, len(data))


def record(text: str = "hello", *, created_at: float | None = None, **changes: object) -> FlowRecord:
    """A finished request of an Anthropic client that was redirected to deepseek; just now, unless said otherwise."""
    created_at = time.time() if created_at is None else created_at
    asked = body(json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode())
    told = body(json.dumps({"content": [{"type": "text", "text": f"you said {text}"}]}).encode())
    headers = ((b"User-Agent", b"sdk/1.0"), (b"x-api-key", SENTINEL.encode()), (b"Content-Type", b"application/json"))
    values: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "created_at": created_at,
        "client": "127.0.0.1:51234",
        "dialect": "anthropic",
        "operation": "generate",
        "model": "m",
        "provider": "deepseek",
        "route": "redirect",
        "request": Message(headers, asked, "POST", "http://127.0.0.1:4000/v1/messages?beta=true"),
        "forwarded": Message(headers[:1], asked, "POST", "https://api.deepseek.com/anthropic/v1/messages?beta=true"),
        "response": Message(((b"Content-Type", b"application/json"),), told, status=200),
        "hooks": [HookResult("inject_auth", "inbound", "ok", took_s=0.001)],
        "attempts": [Attempt("https://api.deepseek.com/anthropic/v1/messages", 200, created_at)],
        "usage": Usage(input=12, output=34),
        "stop_reason": "end_turn",
        "complete": True,
        "first_byte_at": created_at + 0.5,
        "ended_at": created_at + 1.0,
    }
    return FlowRecord(**(values | changes))


@contextmanager
def no_space_beyond(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes: a write fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
