"""Errors as providers answer with them: those of ``lightllm``, and what only a provider knows to say."""

from __future__ import annotations

import json

from ccproxy.echo.ask import Refusal
from ccproxy.echo.wire import Body
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.failure import Failure, encode_failure
from ccproxy.lightllm.status import kind_of_status


def failure(dialect: Dialect, refusal: Refusal, request_id: str) -> Body:
    """An error body."""
    kind = kind_of_status(refusal.status)
    document: dict[str, dict[str, object]] = json.loads(
        encode_failure(dialect, Failure(refusal.status, kind, refusal.message, request_id))
    )
    error = document["error"]
    if "param" in error:
        error["param"] = refusal.param
    if dialect is Dialect.GOOGLE and refusal.retry_after_s is not None:
        kind_of_detail = "type.googleapis.com/google.rpc.RetryInfo"
        error["details"] = [{"@type": kind_of_detail, "retryDelay": f"{refusal.retry_after_s}s"}]
    return document
