"""The error shapes, judged by the vendors' own SDKs against a server that sends exactly our bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import get_args

import anthropic
import openai
import pytest
from anthropic.types import ErrorResponse
from google.genai import errors as google_errors
from openai.types.responses import ResponseErrorEvent, ResponseFailedEvent

from ccproxy.errors import CredentialError, Kind, StoreError
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.failure import Cut, Failure, decode_failure, encode_failure, encode_stream_failure
from tests.lightllm.vendors import call, serve

KINDS: tuple[Kind, ...] = get_args(Kind)
MESSAGE = 'the key "k" of provider é failed \ud83d\ude00 \x1b[31m\nsecond line'.encode(
    "utf-16", "surrogatepass"
).decode("utf-16")

FIRST = {
    Dialect.ANTHROPIC: b'event: ping\ndata: {"type": "ping"}\n\n',
    Dialect.OPENAI: b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n',
    Dialect.OPENAI_RESPONSES: b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"sequence_number":1,"item_id":"i","output_index":0,"content_index":0,"delta":"hi","logprobs":[]}\n\n',
    Dialect.GOOGLE: b'data: {"candidates": [{"content": {"parts": [{"text": "hi"}], "role": "model"}}]}\n\n',
}


BUFFERED: list[tuple[Dialect, int, Kind, type[Exception]]] = [
    (Dialect.ANTHROPIC, 400, "invalid_request", anthropic.BadRequestError),
    (Dialect.ANTHROPIC, 401, "authentication", anthropic.AuthenticationError),
    (Dialect.ANTHROPIC, 403, "permission", anthropic.PermissionDeniedError),
    (Dialect.ANTHROPIC, 404, "not_found", anthropic.NotFoundError),
    (Dialect.ANTHROPIC, 413, "too_large", anthropic.APIStatusError),
    (Dialect.ANTHROPIC, 429, "rate_limit", anthropic.RateLimitError),
    (Dialect.ANTHROPIC, 501, "not_implemented", anthropic.InternalServerError),
    (Dialect.ANTHROPIC, 502, "upstream", anthropic.InternalServerError),
    (Dialect.OPENAI, 400, "invalid_request", openai.BadRequestError),
    (Dialect.OPENAI, 401, "authentication", openai.AuthenticationError),
    (Dialect.OPENAI, 403, "permission", openai.PermissionDeniedError),
    (Dialect.OPENAI, 429, "rate_limit", openai.RateLimitError),
    (Dialect.OPENAI, 501, "not_implemented", openai.InternalServerError),
    (Dialect.OPENAI_RESPONSES, 401, "authentication", openai.AuthenticationError),
    (Dialect.OPENAI_RESPONSES, 404, "not_found", openai.NotFoundError),
    (Dialect.OPENAI_RESPONSES, 504, "timeout", openai.InternalServerError),
    (Dialect.GOOGLE, 400, "invalid_request", google_errors.ClientError),
    (Dialect.GOOGLE, 401, "authentication", google_errors.ClientError),
    (Dialect.GOOGLE, 501, "not_implemented", google_errors.ServerError),
]


def said(error: BaseException) -> str:
    """The message that the SDK hands to its caller."""
    if isinstance(error, anthropic.APIStatusError):
        return error.api_message or ""
    if isinstance(error, openai.APIError):
        return error.body["message"] if isinstance(error.body, dict) else ""
    return getattr(error, "message", None) or ""


@pytest.mark.parametrize(("dialect", "status", "kind", "expected"), BUFFERED)
@pytest.mark.parametrize("stream", [False, True])
def test_sdk_raises_its_own_class(
    dialect: Dialect, status: int, kind: Kind, expected: type[Exception], stream: bool
) -> None:
    body = encode_failure(dialect, Failure(status, kind, MESSAGE))
    with serve(status, "application/json", body) as base, pytest.raises(expected) as raised:
        call(dialect, base, stream=stream)
    assert said(raised.value) == MESSAGE


STREAMED: dict[Dialect, type[Exception]] = {
    Dialect.ANTHROPIC: anthropic.APIStatusError,
    Dialect.OPENAI: openai.APIError,
    Dialect.OPENAI_RESPONSES: openai.APIError,
    Dialect.GOOGLE: google_errors.ServerError,
}


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("sent", [0, 1, 2])
def test_sdk_raises_in_the_middle_of_a_stream(dialect: Dialect, sent: int) -> None:
    body = FIRST[dialect] * sent + encode_stream_failure(dialect, Failure(502, "upstream", MESSAGE))
    with serve(200, "text/event-stream", body) as base, pytest.raises(STREAMED[dialect]) as raised:
        call(dialect, base, stream=True)
    assert said(raised.value) == MESSAGE


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_stream_cut_anywhere_ends_in_an_exception(dialect: Dialect) -> None:
    """Never in an answer that looks whole, wherever the last event was cut."""
    first = FIRST[dialect]
    end = encode_stream_failure(dialect, Failure(502, "upstream", MESSAGE), Cut(mid_event=True))
    for cut in range(1, len(first), 7):
        with serve(200, "text/event-stream", first + first[:cut] + end) as base, pytest.raises(Exception) as raised:
            call(dialect, base, stream=True)
        if dialect is Dialect.ANTHROPIC:
            assert isinstance(raised.value, anthropic.APIStatusError), cut


@pytest.mark.parametrize("kind", KINDS)
def test_anthropic_documents_validate(kind: Kind) -> None:
    body = encode_failure(Dialect.ANTHROPIC, Failure(500, kind, "m", "req_1"))
    if kind == "too_large":  # in the documentation, not in the SDK's union
        assert json.loads(body)["error"]["type"] == "request_too_large"
        return
    assert ErrorResponse.model_validate_json(body, strict=True).request_id == "req_1"


def test_responses_events_validate_and_are_numbered() -> None:
    raw = encode_stream_failure(
        Dialect.OPENAI_RESPONSES, Failure(429, "rate_limit", "slow"), Cut(sequence_number=17)
    ).decode()
    first, second = (event.partition("\ndata: ")[2] for event in raw.removesuffix("\n\n").split("\n\n"))
    error = ResponseErrorEvent.model_validate_json(first, strict=True)
    assert (error.sequence_number, error.code, error.message) == (17, "rate_limit_exceeded", "slow")
    failed = ResponseFailedEvent.model_validate_json(second, strict=True)
    assert failed.sequence_number == 18
    assert failed.response.error is not None
    assert (failed.response.status, failed.response.error.code, failed.response.error.message) == (
        "failed",
        "rate_limit_exceeded",
        "slow",
    )


@pytest.mark.parametrize(
    ("before", "cut"),
    [(b"", Cut(array=True, empty=True)), (b'[{"candidates": []}', Cut(array=True))],
)
def test_google_array_stays_json(before: bytes, cut: Cut) -> None:
    elements = json.loads(before + encode_stream_failure(Dialect.GOOGLE, Failure(503, "overloaded", "busy"), cut))
    assert elements[-1] == {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize("dialect", [*Dialect, None])
def test_a_stream_failure_holds_nothing_that_means_complete(dialect: Dialect | None) -> None:
    raw = encode_stream_failure(dialect, Failure(502, "upstream", "broken off"))
    assert not any(word in raw for word in (b"[DONE]", b"message_stop", b"completed", b"finish"))


def test_unknown_dialect() -> None:
    failure = Failure(501, "not_implemented", "no provider matches")
    body = b'{"error":{"message":"no provider matches","type":"not_implemented_error","code":501}}'
    assert encode_failure(None, failure) == body
    assert encode_stream_failure(None, failure) == b"event: error\ndata: " + body + b"\n\n"


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("kind", ["invalid_request", "authentication", "permission", "not_found", "rate_limit"])
def test_what_is_encoded_is_decoded(dialect: Dialect, kind: Kind) -> None:
    status = {"invalid_request": 400, "authentication": 401, "permission": 403, "not_found": 404, "rate_limit": 429}
    failure = Failure(status[kind], kind, MESSAGE, "req_1" if dialect is Dialect.ANTHROPIC else None)
    got = decode_failure(dialect, failure.status, encode_failure(dialect, failure))
    assert (got.status, got.kind, got.message, got.request_id) == (
        failure.status,
        failure.kind,
        failure.message,
        failure.request_id,
    )


DECODED: list[tuple[Dialect | None, int, bytes, Failure]] = [
    (
        Dialect.ANTHROPIC,
        529,
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_2"}',
        Failure(529, "overloaded", "Overloaded", "req_2"),
    ),
    (
        Dialect.OPENAI,
        400,
        b'{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}',
        Failure(400, "invalid_request", "too long", code="context_length_exceeded"),
    ),
    (
        Dialect.OPENAI,
        429,
        b'{"error":{"message":"pay","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
        Failure(429, "rate_limit", "pay", code="insufficient_quota"),
    ),
    (Dialect.OPENAI, 402, b'{"error":{"message":"m","code":402}}', Failure(402, "permission", "m", code="402")),
    (
        Dialect.GOOGLE,
        429,
        b'[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[]}}]',
        Failure(429, "rate_limit", "quota"),
    ),
    (Dialect.OPENAI, 404, b'{"detail":"Not Found"}', Failure(404, "not_found", "Not Found")),
    (Dialect.OPENAI_RESPONSES, 500, b'{"error":"boom"}', Failure(500, "internal", "boom")),
    (
        Dialect.ANTHROPIC,
        502,
        b"<html><head><title>502 Bad Gateway</title></head></html>",
        Failure(502, "upstream", "HTTP 502: 502 Bad Gateway"),
    ),
    (
        Dialect.GOOGLE,
        503,
        b"",
        Failure(503, "overloaded", "the provider answered with HTTP 503 and no message"),
    ),
    (None, 418, b"short and stout", Failure(418, "invalid_request", "HTTP 418: short and stout")),
    (Dialect.ANTHROPIC, 500, b'{"error":{"message":5}}', Failure(500, "internal", 'HTTP 500: {"error":{"message":5}}')),
]


@pytest.mark.parametrize(("dialect", "status", "body", "expected"), DECODED)
def test_decode(dialect: Dialect | None, status: int, body: bytes, expected: Failure) -> None:
    assert decode_failure(dialect, status, body) == expected


@pytest.mark.parametrize("dialect", [*Dialect, None])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"error":null}',
        b"x" * 2_000_000,
        b'{"error":{"message":"',
    ],
)
def test_hostile_bodies_are_told_in_few_words(dialect: Dialect | None, body: bytes) -> None:
    got = decode_failure(dialect, 500, body)
    assert got.kind == "internal"
    assert 0 < len(got.message) < 600


def test_our_own_exceptions() -> None:
    assert Failure.of(CredentialError("no token for x"), "r") == Failure(401, "authentication", "no token for x", "r")
    assert "disk" not in Failure.of(StoreError("disk full at /secret")).message


def test_half_a_surrogate_pair_survives_every_encoder() -> None:
    encoders: list[Callable[[Dialect, Failure], bytes]] = [encode_failure, encode_stream_failure]
    for encode in encoders:
        for dialect in Dialect:
            assert b"\\ud83d" in encode(dialect, Failure(500, "internal", "\ud83d"))
