from __future__ import annotations

import pytest

from ccproxy.errors import BadRequest, NotBuilt
from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import Dialect, Endpoint, classify
from ccproxy.paths import redirected, translated

GOOGLE = "/v1beta/models/{model}:{action}"
GENERATE = "/v1beta/models/gemini-x:generateContent"


def ask(method: str, path: str) -> Endpoint:
    return classify(method, path, Headers())


@pytest.mark.parametrize(
    ("template", "prefix", "asked", "expected"),
    [
        # The main operation, what is beneath it, and the query.
        ("/v1/messages", "", "/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/messages", "", "/messages", "/v1/messages"),
        ("/v1/messages", "", "/v1/messages/count_tokens?beta=true", "/v1/messages/count_tokens?beta=true"),
        ("/anthropic/v1/messages", "", "/v1/messages/batches/b1/results", "/anthropic/v1/messages/batches/b1/results"),
        ("/v1/messages", "", "/anthropic/v1/messages", "/v1/messages"),
        ("/chat/completions", "", "/v1/chat/completions", "/chat/completions"),
        ("/v1/responses/", "", "/v1/responses/input_tokens", "/v1/responses/input_tokens"),
        ("/backend-api/codex/responses", "", "/v1/responses", "/backend-api/codex/responses"),
        ("/v1/messages?tenant=a", "", "/v1/messages?beta=true", "/v1/messages?tenant=a&beta=true"),
        # Google: model and action.
        (
            GOOGLE,
            "",
            "/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
            "/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
        ),
        (GOOGLE, "", "/v1/models/gemini-x%3AcountTokens", "/v1beta/models/gemini-x:countTokens"),
        ("/v1internal:{action}", "", GENERATE, "/v1internal:generateContent"),
        (GOOGLE, "", "/v1beta/models/gemini-x:embedContent", "/v1beta/models/gemini-x:embedContent"),
        # The client's own path, its version added where it left it out.
        ("/", "", "/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/", "", "/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/", "", "/chat/completions", "/v1/chat/completions"),
        ("/", "", "/models/gemini-x:generateContent", "/v1beta/models/gemini-x:generateContent"),
        ("/", "", "/v1/models/gemini-x%3AgenerateContent", "/v1/models/gemini-x%3AgenerateContent"),
        ("/", "", "/backend-api/codex/responses", "/backend-api/codex/responses"),
        ("/", "", "/v1/embeddings?a=%20", "/v1/embeddings?a=%20"),
        ("/", "", "/", "/"),
        # A base URL's prefix, which may already say the version.
        ("/", "/gateway", "/v1/messages", "/gateway/v1/messages"),
        ("/v1/messages", "/gateway", "/v1/messages", "/gateway/v1/messages"),
        ("/", "/api/v1", "/v1/chat/completions", "/api/v1/chat/completions"),
        ("/", "/v1", "/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("/", "/api/coding/paas/v4", "/v1/chat/completions", "/api/coding/paas/v4/chat/completions"),
        ("/", "/v1beta/openai", "/v1/chat/completions", "/v1beta/openai/chat/completions"),
        # Other paths of the same API.
        ("/v1/messages", "", "/v1/files?limit=2", "/v1/files?limit=2"),
        ("/anthropic/v1/messages", "", "/v1/files", "/anthropic/v1/files"),
        ("/chat/completions", "", "/v1/embeddings", "/embeddings"),
        ("/v1/messages", "", "/api/claude_code/settings", "/api/claude_code/settings"),
        ("/anthropic/v1/messages", "", "/api/hello", "/anthropic/api/hello"),
        (GOOGLE, "", "/v1beta/cachedContents", "/v1beta/cachedContents"),
        ("/backend-api/codex/responses", "", "/v1/models", "/backend-api/codex/models"),
        ("/v1/chat/completions", "", "/v1/models/gpt-x", "/v1/models/gpt-x"),
        ("/v1/chat/completions", "/gateway", "/models", "/gateway/v1/models"),
    ],
)
def test_redirected(template: str, prefix: str, asked: str, expected: str) -> None:
    method = "GET" if asked.partition("?")[0].endswith(("models", "gpt-x")) else "POST"
    endpoint = ask(method, asked)
    assert redirected(template, prefix, asked, endpoint, endpoint.model) == expected


@pytest.mark.parametrize(
    ("template", "asked", "model", "expected"),
    [
        ("/", GENERATE, "gemini-y", "/v1beta/models/gemini-y:generateContent"),
        ("/", "/v1/models/tuned%2Fx%3AgenerateContent?a", "gemini-y", "/v1/models/gemini-y%3AgenerateContent?a"),
        (GOOGLE, GENERATE, "models/gemini-y", "/v1beta/models/gemini-y:generateContent"),
        (GOOGLE, GENERATE, "a b?c#d", "/v1beta/models/a%20b%3Fc%23d:generateContent"),
        ("/x/{model}", "/v1/messages", "meta/llama", "/x/meta/llama"),
        # Where the path names no model, the body does.
        ("/", "/v1/messages", "other", "/v1/messages"),
    ],
)
def test_another_model(template: str, asked: str, model: str, expected: str) -> None:
    assert redirected(template, "", asked, ask("POST", asked), model) == expected


@pytest.mark.parametrize("model", ["../../admin", "a//b", "/a", "a/.", ".."])
def test_a_model_cannot_walk_the_path(model: str) -> None:
    with pytest.raises(BadRequest, match="cannot be written in a path"):
        redirected(GOOGLE, "", GENERATE, ask("POST", GENERATE), model)


def test_what_a_provider_does_not_serve() -> None:
    with pytest.raises(NotBuilt, match=r"serves /v1internal:\{action\} only"):
        redirected("/v1internal:{action}", "", "/v1/files", ask("GET", "/v1/files"), None)
    with pytest.raises(BadRequest, match="needs a model"):
        redirected("/{model}", "", "/v1/messages", ask("POST", "/v1/messages"), None)
    with pytest.raises(NotBuilt, match="needs an action"):
        redirected("/v1:{action}", "", "/v1/messages", ask("POST", "/v1/messages"), None)


@pytest.mark.parametrize(
    ("template", "prefix", "asked", "dialect", "streams", "expected"),
    [
        ("/", "", "/v1/messages?beta=true", Dialect.OPENAI, True, "/v1/chat/completions"),
        ("/", "/api/v1", "/v1/messages", Dialect.OPENAI, True, "/api/v1/chat/completions"),
        ("/v1/responses", "", "/v1/messages", Dialect.OPENAI_RESPONSES, False, "/v1/responses"),
        ("/", "", "/v1/messages", Dialect.GOOGLE, True, "/v1beta/models/m:streamGenerateContent?alt=sse"),
        ("/", "", "/v1/messages", Dialect.GOOGLE, False, "/v1beta/models/m:generateContent"),
        (
            "/v1internal:{action}?alt=json",
            "",
            "/v1/messages",
            Dialect.GOOGLE,
            True,
            "/v1internal:streamGenerateContent?alt=json",
        ),
        ("/", "", "/v1/messages/count_tokens", Dialect.GOOGLE, False, "/v1beta/models/m:countTokens"),
        (
            "/anthropic/v1/messages",
            "",
            "/v1beta/models/m:countTokens",
            Dialect.ANTHROPIC,
            False,
            "/anthropic/v1/messages/count_tokens",
        ),
        ("/", "", "/v1/messages/count_tokens", Dialect.OPENAI_RESPONSES, False, "/v1/responses/input_tokens"),
        ("/", "", "/v1/messages/count_tokens", Dialect.OPENAI, False, "/v1/chat/completions"),
        ("/", "", "/v1beta/models/m:streamGenerateContent?alt=sse", Dialect.ANTHROPIC, True, "/v1/messages"),
    ],
)
def test_translated(template: str, prefix: str, asked: str, dialect: Dialect, streams: bool, expected: str) -> None:
    assert translated(template, prefix, ask("POST", asked), dialect, "m", streams=streams) == expected


def test_what_has_no_counterpart() -> None:
    with pytest.raises(NotBuilt, match="this operation"):
        translated("/", "", ask("POST", "/v1/messages/batches"), Dialect.GOOGLE, "m", streams=False)
