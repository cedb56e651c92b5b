"""Headers at the border between two APIs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ccproxy.headers import Fields, Headers
from ccproxy.lightllm.dialect import Dialect
from ccproxy.listener.api_headers import retry_after, toward_client, toward_provider

NOW = datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def fields(**values: str) -> Fields:
    return tuple((name.replace("_", "-").encode(), value.encode()) for name, value in values.items())


def test_toward_a_provider() -> None:
    headers = Headers(
        fields(Accept="*/*", Anthropic_Beta="a", X_Stainless_OS="Linux", User_Agent="u", X_Team="t", Originator="o")
        + fields(Accept_Encoding="br, x-odd", Content_Type="application/json; charset=utf-8", Authorization="Bearer k")
    )
    toward_provider(headers, Dialect.OPENAI, streams=False)
    assert dict(headers) == {
        "User-Agent": "u", "X-Team": "t", "Authorization": "Bearer k", "content-type": "application/json",
        "accept": "application/json", "accept-encoding": "br",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "x-anthropic-additional-protection", "x-amz-security-token", "x-vertex-ai-llm-request-type", "helicone-auth",
        "cf-aig-authorization", "x-portkey-api-key", "ocp-apim-subscription-key", "X-Auth-Token",
        "copilot-integration-id",
    ],
)  # fmt: skip
def test_another_apis_keys_and_companions_stay_here(name: str) -> None:
    headers = Headers(((name.encode(), b"v"), (b"x-team", b"t"), (b"api-key", b"own"), (b"x-max-tokens", b"9")))
    toward_provider(headers, Dialect.OPENAI, streams=False)
    assert {"x-team", "api-key", "x-max-tokens"} <= dict(headers).keys()
    assert name not in headers


def test_a_client_that_takes_no_coding_gets_none() -> None:
    headers = Headers()
    toward_provider(headers, Dialect.ANTHROPIC, streams=True)
    assert dict(headers) == {
        "content-type": "application/json", "accept": "text/event-stream", "anthropic-version": "2023-06-01",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("client", "stream", "array", "expected"),
    [
        (Dialect.ANTHROPIC, True, False, "text/event-stream; charset=utf-8"),
        (Dialect.ANTHROPIC, False, False, "application/json"),
        (Dialect.GOOGLE, True, False, "text/event-stream"),
        (Dialect.GOOGLE, True, True, "application/json; charset=UTF-8"),
        (Dialect.GOOGLE, False, False, "application/json; charset=UTF-8"),
    ],
)
def test_content_types(client: Dialect, stream: bool, array: bool, expected: str) -> None:
    given = Headers(fields(Content_Type="x/y", Set_Cookie="a", Content_Length="3", Retry_After="9", Date="d"))
    told = toward_client(given, client, NOW, stream=stream, array=array)
    cached = {"cache-control": "no-cache"} if stream else {}
    assert dict(told) == {"Retry-After": "9", "Date": "d", "content-type": expected, **cached}


@pytest.mark.parametrize(
    ("client", "given", "expected"),
    [
        (Dialect.OPENAI, fields(Request_Id="a", X_Request_Id="b"), {"x-request-id": "a"}),
        (Dialect.ANTHROPIC, fields(X_Request_Id="b"), {"request-id": "b"}),
        (Dialect.GOOGLE, fields(Request_Id="a"), {}),
        (
            Dialect.OPENAI_RESPONSES,
            fields(Anthropic_Ratelimit_Requests_Limit="50", anthropic_ratelimit_tokens_reset="2026-11-02T03:05:06.5Z"),
            {"x-ratelimit-limit-requests": "50", "x-ratelimit-reset-tokens": "61.5s"},
        ),
        (Dialect.OPENAI, fields(anthropic_ratelimit_tokens_reset="2026-11-02T03"), {"x-ratelimit-reset-tokens": "0s"}),
        (Dialect.OPENAI, fields(anthropic_ratelimit_tokens_reset="soon"), {}),
        (Dialect.OPENAI, fields(anthropic_ratelimit_unified_5h_status="allowed"), {}),
        (
            Dialect.ANTHROPIC,
            fields(x_ratelimit_remaining_tokens="7", x_ratelimit_reset_tokens="6m0s")
            + fields(x_ratelimit_reset_requests="120ms"),
            {
                "anthropic-ratelimit-tokens-remaining": "7",
                "anthropic-ratelimit-tokens-reset": "2026-11-02T03:10:05Z",
                "anthropic-ratelimit-requests-reset": "2026-11-02T03:04:06Z",
            },
        ),
        (
            Dialect.ANTHROPIC,
            fields(x_ratelimit_reset_tokens="99999999999999d"),
            {"anthropic-ratelimit-tokens-reset": "9999-12-31T23:59:59Z"},
        ),
        (Dialect.ANTHROPIC, fields(x_ratelimit_reset_tokens="6m and a bit"), {}),
    ],
)
def test_what_is_told_in_the_clients_words(client: Dialect, given: Fields, expected: dict[str, str]) -> None:
    told = dict(toward_client(Headers(given), client, NOW, stream=False))
    del told["content-type"]
    assert told == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"retryDelay": "34.074s"}', "35"),
        (b'{"retryDelay":"1s"}', "1"),
        (b'{"retryDelay":"-1s"}', None),
        (b'{"retryDelay":"' + b"9" * 400 + b's"}', None),
        (b"", None),
    ],
)
def test_googles_delay(body: bytes, expected: str | None) -> None:
    assert retry_after(body) == expected


def test_a_providers_header_does_not_hold_up_the_others() -> None:
    """Ten of these took a minute."""
    given = Headers(fields(x_ratelimit_reset_tokens="1" * 16_000) * 10)
    before = time.process_time()
    assert "anthropic-ratelimit-tokens-reset" not in toward_client(given, Dialect.ANTHROPIC, NOW, stream=False)
    assert time.process_time() - before < 1
