"""Requests for tests of hooks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import classify
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import Hook
from ccproxy.pipeline.plan import Plan, Stage, Step, plan


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs))


def ask(
    body: object = b"", *pairs: tuple[str, str], path: str = "/v1/messages", method: str = "POST", **more: Any
) -> Context:
    """A context; ``body`` is bytes, or JSON data."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = headers(*pairs)
    more.setdefault("providers", frozenset(("anthropic", "deepseek")))
    return Context(method=method, path=path, headers=fields, body=raw, endpoint=classify(method, path, fields), **more)


def planned(*hooks: Hook, stage: Stage = "inbound") -> Plan:
    return plan(stage, [Step(hook) for hook in hooks])


def ticks() -> Callable[[], float]:
    """A clock that goes on by a second whenever it is asked."""
    count = itertools.count()
    return lambda: float(next(count))
