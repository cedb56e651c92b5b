from __future__ import annotations

from timeit import repeat

import pytest

from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import Dialect, Endpoint, classify, wants_json_array, wants_stream

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE

POSTS = [
    ("/v1/messages", Endpoint(A, "generate")),
    ("/v1/messages?beta=true", Endpoint(A, "generate")),
    ("/v1/messages/", Endpoint(A, "generate")),
    ("/messages", Endpoint(A, "generate")),
    ("/anthropic/v1/messages", Endpoint(A, "generate")),
    ("/api/anthropic/messages", Endpoint(A, "generate")),
    ("/v1/account/gateway/anthropic/v1/messages", Endpoint(A, "generate")),
    ("/v1/messages/count_tokens?beta=true", Endpoint(A, "count_tokens", suffix="/count_tokens")),
    ("/anthropic/messages/count_tokens", Endpoint(A, "count_tokens", suffix="/count_tokens")),
    ("/v1/messages/batches", Endpoint(A, "other", suffix="/batches")),
    ("/v1/messages/batches/b_1/cancel", Endpoint(A, "other", suffix="/batches/b_1/cancel")),
    ("/v1/chat/completions", Endpoint(C, "generate")),
    ("/chat/completions?x=/v1/messages", Endpoint(C, "generate")),
    ("/openai/v1/chat/completions", Endpoint(C, "generate")),
    ("/api/paas/v4/chat/completions", Endpoint(C, "generate")),
    ("/openai/deployments/gpt-4o/chat/completions?api-version=1", Endpoint(C, "generate")),
    ("/v1beta/openai/chat/completions", Endpoint(C, "generate")),
    ("/v1/chat/completions/chatcmpl-1", Endpoint(C, "other", suffix="/chatcmpl-1")),
    ("/v1/responses", Endpoint(R, "generate")),
    ("/responses", Endpoint(R, "generate")),
    ("/backend-api/codex/responses", Endpoint(R, "generate")),
    ("/openai/v1/responses", Endpoint(R, "generate")),
    ("/v1/responses/input_tokens", Endpoint(R, "count_tokens", suffix="/input_tokens")),
    ("/v1/responses/compact", Endpoint(R, "other", suffix="/compact")),
    ("/v1/responses/resp_1/cancel", Endpoint(R, "other", suffix="/resp_1/cancel")),
    ("/v1beta/models/gemini-2.5-pro:generateContent", Endpoint(G, "generate", "gemini-2.5-pro", "generateContent")),
    ("/v1alpha/models/m:streamGenerateContent?alt=sse", Endpoint(G, "generate", "m", "streamGenerateContent")),
    ("/v1/models/m%3AstreamGenerateContent", Endpoint(G, "generate", "m", "streamGenerateContent")),
    ("/v1/models/m%3astreamGenerateContent", Endpoint(G, "generate", "m", "streamGenerateContent")),
    ("/models/m:generateContent", Endpoint(G, "generate", "m", "generateContent")),
    ("/gemini/v1beta/models/m:countTokens", Endpoint(G, "count_tokens", "m", "countTokens")),
    ("/v1beta/models/openai/gpt-4o:generateContent", Endpoint(G, "generate", "openai/gpt-4o", "generateContent")),
    ("/v1beta/models/llama3:8b:generateContent", Endpoint(G, "generate", "llama3:8b", "generateContent")),
    ("/v1beta/tunedModels/t-1:generateContent", Endpoint(G, "generate", "t-1", "generateContent")),
    ("/v1beta/models/e:embedContent", Endpoint(G, "other", "e", "embedContent")),
    ("/v1internal:streamGenerateContent?alt=sse", Endpoint(G, "generate", None, "streamGenerateContent")),
    ("/v1internal:loadCodeAssist", Endpoint(G, "other", None, "loadCodeAssist")),
    (
        "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
        Endpoint(G, "generate", "m", "generateContent"),
    ),
    ("/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", Endpoint()),
    ("/v1/threads/t/messages", Endpoint()),
    ("/threads/t/messages", Endpoint()),
    ("/one/two/three/messages", Endpoint()),
    ("/v1/embeddings", Endpoint()),
    ("/v1/messagesx", Endpoint()),
    ("/xmessages", Endpoint()),
    ("/", Endpoint()),
    ("", Endpoint()),
    ("?/v1/messages", Endpoint()),
]


@pytest.mark.parametrize(("path", "expected"), POSTS)
def test_path_decides(path: str, expected: Endpoint) -> None:
    assert classify("POST", path, Headers()) == expected


@pytest.mark.parametrize(("path", "expected"), POSTS)
def test_no_header_turns_one_api_into_another(path: str, expected: Endpoint) -> None:
    headers = Headers(((b"anthropic-version", b"2023-06-01"), (b"x-goog-api-key", b"k")))
    assert classify("POST", path, headers) == expected


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/v1/models", "", C),
        ("/v1/models", "Authorization", C),
        ("/v1/models", "Anthropic-Version", A),
        ("/v1/models?limit=5", "X-Api-Key", A),
        ("/v1/models", "X-Goog-Api-Key", G),
        ("/v1/models?key=k", "", G),
        ("/v1/models?limit=1&key=k", "", G),
        ("/v1/models?monkey=k", "", C),
        ("/v1beta/models", "", G),
        ("/v1beta/models", "x-api-key", G),
        ("/v1beta/openai/models", "", C),
        ("/models", "", C),
        ("/backend-api/codex/models", "", C),
    ],
)
def test_model_lists_are_told_apart_by_headers(path: str, name: str, expected: Dialect) -> None:
    headers = Headers(((name.encode(), b"x"),) if name else ())
    assert classify("GET", path, headers) == Endpoint(expected, "models")


def test_one_model_is_a_suffix() -> None:
    assert classify("GET", "/v1/models/gpt-5.1", Headers()) == Endpoint(C, "models", suffix="/gpt-5.1")
    assert classify("GET", "/v1beta/models/gemini-2.5-pro", Headers()) == Endpoint(
        G, "models", suffix="/gemini-2.5-pro"
    )


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/responses", "/v1/chat/completions", "/v1/models/m:generateContent"]
)
def test_only_post_generates(path: str) -> None:
    got = classify("GET", path, Headers())
    assert got.operation == "other"
    assert got.dialect is classify("POST", path, Headers()).dialect


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/messages", {"stream": True}, True),
        ("/v1/messages", {"stream": False}, False),
        ("/v1/messages", {"stream": "true"}, False),
        ("/v1/messages", {}, False),
        ("/v1/messages", None, False),
        ("/v1/messages/count_tokens", {"stream": True}, False),
        ("/v1/chat/completions", {"stream": True}, True),
        ("/v1/responses", {"stream": True}, True),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", {}, True),
        ("/v1beta/models/m:streamGenerateContent", None, True),
        ("/v1beta/models/m:generateContent", {"stream": True}, False),
        ("/nothing", {"stream": True}, False),
    ],
)
def test_wants_stream(path: str, body: dict[str, object] | None, expected: bool) -> None:
    assert wants_stream(classify("POST", path, Headers()), body, path) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1beta/models/m:streamGenerateContent", True),
        ("/v1beta/models/m:streamGenerateContent?key=k", True),
        ("/v1beta/models/m:streamGenerateContent?key=k&alt=sse", False),
        ("/v1beta/models/m:generateContent", False),
        ("/v1/messages", False),
    ],
)
def test_google_streams_are_arrays_unless_asked_otherwise(path: str, expected: bool) -> None:
    assert wants_json_array(classify("POST", path, Headers()), path) is expected


def test_a_hostile_path_costs_no_more_than_its_length() -> None:
    """No pattern backtracks: 64 kB of slashes, versions or colons are answered at once."""
    for piece in ("/", "/v1", "/v1/messages:", "/models/", "%3A", "/chat", "/chat/completions:", "/v1internal:"):
        path = piece * (65536 // len(piece)) + "!"
        assert min(repeat(lambda path=path: classify("POST", path, Headers()), number=1, repeat=3)) < 0.2
