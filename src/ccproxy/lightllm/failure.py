"""Errors in the client's own wire format, and back.

Each dialect's shape is in its ``errors.py``; a client whose dialect is unknown gets
``{"error": {"message", "type", "code"}}``.

>>> encode_failure(Dialect.ANTHROPIC, Failure(413, "too_large", "33 MiB is too much"))
b'{"type":"error","error":{"type":"request_too_large","message":"33 MiB is too much"}}'
>>> encode_failure(None, Failure(501, "not_implemented", "no provider matches"))
b'{"error":{"message":"no provider matches","type":"not_implemented_error","code":501}}'
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from ccproxy.lightllm.anthropic import errors as anthropic
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.google import errors as google
from ccproxy.lightllm.openai_chat import errors as openai_chat
from ccproxy.lightllm.openai_responses import errors as openai_responses
from ccproxy.lightllm.status import (
    KIND_STATUS,
    Cut,
    Failure,
    dump,
    error_object,
    kind_of_status,
    message_of,
)

__all__ = ["Cut", "Failure", "decode_failure", "decode_stream_failure", "encode_failure", "encode_stream_failure"]

WHOLE: Final = Cut()


def encode_failure(dialect: Dialect | None, failure: Failure) -> bytes:
    """The body of an answer with ``failure.status``; its content type is ``application/json``."""
    match dialect:
        case Dialect.ANTHROPIC:
            return anthropic.encode_failure(failure)
        case Dialect.OPENAI:
            return openai_chat.encode_failure(failure)
        case Dialect.OPENAI_RESPONSES:
            return openai_responses.encode_failure(failure)
        case Dialect.GOOGLE:
            return google.encode_failure(failure)
        case None:
            return dump(_plain(failure))
    assert_never(dialect)


def encode_stream_failure(dialect: Dialect | None, failure: Failure, cut: Cut = WHOLE) -> bytes:
    """The last bytes of a stream that ends here: the dialect's error event, and nothing that looks like completeness.

    Send it as a write of its own, then end the body.
    """
    match dialect:
        case Dialect.ANTHROPIC:
            return anthropic.encode_stream_failure(failure, cut)
        case Dialect.OPENAI:
            return openai_chat.encode_stream_failure(failure, cut)
        case Dialect.OPENAI_RESPONSES:
            return openai_responses.encode_stream_failure(failure, cut)
        case Dialect.GOOGLE:
            return google.encode_stream_failure(failure, cut)
        case None:
            return (b"\n\n" if cut.mid_event else b"") + b"event: error\ndata: " + dump(_plain(failure)) + b"\n\n"
    assert_never(dialect)


def decode_failure(dialect: Dialect | None, status: int, body: bytes) -> Failure:
    """What a provider's error answer says. Never fails: of a body that is none of its shapes, the text is the message.

    ``body`` is without content encoding.
    """
    match dialect:
        case Dialect.ANTHROPIC:
            return anthropic.decode_failure(status, body)
        case Dialect.OPENAI:
            return openai_chat.decode_failure(status, body)
        case Dialect.OPENAI_RESPONSES:
            return openai_responses.decode_failure(status, body)
        case Dialect.GOOGLE:
            return google.decode_failure(status, body)
        case None:
            _, error = error_object(body)
            return Failure(status, kind_of_status(status), message_of(status, body, error))
    assert_never(dialect)


def decode_stream_failure(dialect: Dialect | None, data: bytes) -> Failure:
    """What the data of an error event says. Its status is the one that it names, else the usual one of its kind."""
    found = decode_failure(dialect, 500, data)
    _, error = error_object(data)
    for named in (error.get("code"), error.get("status_code")):
        if isinstance(named, int) and 400 <= named < 600:
            return decode_failure(dialect, named, data)
    return replace(found, status=KIND_STATUS[found.kind])


def _plain(failure: Failure) -> dict[str, object]:
    return {"error": {"message": failure.message, "type": f"{failure.kind}_error", "code": failure.status}}
