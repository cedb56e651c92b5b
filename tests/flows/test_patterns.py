"""Secrets that nobody resolved are known by their shape, and ordinary text is not."""

from __future__ import annotations

import pytest

from ccproxy.flows import patterns
from ccproxy.flows.redact import Redactor, scrub_value

REDACTOR = Redactor(frozenset)

SECRETS = {
    "sk-ant-api03-AbCdEfGhIjKlMnOpQrSt": "key {} end",
    "sk-proj-abcdefghij1234567890": '{{"key":"{}"}}',
    "sk-ant-oat01-AbCdEfGhIjKlMnOpQrSt": "Bearer {}",
    "AIzaSyA1234567890abcdefghijklmnopqrs": "https://x/?a=1&b={}",
    "ya29.a0AfH6SMBabcdefghijk": "token {}",
    "1//0gabcdefghijklmnopqrstuvwxyz12": '"{}"',
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl": "jwt={}",
    "ghp_abcdefghijklmnopqrst1234": "git {}",
    "github_pat_abcdefghijklmnopqrst1234": "git {}",
    "xai-abcdefghijklmnopqrst1234": "{}",
    "abcdefgh1234": "GET /x?key={}&alt=sse",
    "refresh-1234-abcd": '{{"refresh_token": "{}"}}',
    "access-1234-abcd": '{{\\"access_token\\":\\"{}\\"}}',
    "opaque-credential": "Authorization: Bearer {}",
    "dXNlcjpwYXNzd29yZA==": "authorization: Basic {}",
    "opaque-credential-2": 'headers = {{"x-api-key": "{}"}}',
    "opaque-credential-3": "curl -H 'X-Goog-Api-Key: {}'",
    "session=abcdef123456; other=1": "Cookie: {}\r\nAccept: */*",
    "sid=abcdef123456; Path=/": "set-cookie: {}\r\n",
    "form-credential": "client_id=me&client_secret={}",
}


@pytest.mark.parametrize(("secret", "place"), SECRETS.items())
def test_a_secret_is_cut_out_of_its_place(secret, place):
    assert REDACTOR.scrub(place.format(secret).encode()) == place.format("[redacted]").encode()


@pytest.mark.parametrize(
    "text",
    [
        "a risk-averse-but-otherwise-brave person",
        "task-sk-learn-preprocessing",
        "import sk-lint",
        'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}',
        "the authorization was refused, the cookie was eaten, and the api-key is missing",
        "monkey=bananas-and-more; donkey?=1",
        "sk-ant-oat-ccproxy-deepseek",
        "Authorization: Bearer sk-ant-oat-ccproxy-deepseek",
        "x-api-key: sk-ant-oat-ccproxy-my_provider-2",
        "https://127.0.0.1:4000/v1beta/models/g:generateContent?key=sk-ant-oat-ccproxy-gemini",
        "eyJ is how a JSON object starts in base64",
        '{"usage": {"input_tokens": 12, "output_tokens": 345678901}}',
    ],
)
def test_ordinary_text_stays(text):
    assert REDACTOR.scrub(text.encode()) == text.encode()


def test_the_sentinel_stays_and_its_token_goes():
    text = b"Authorization: Bearer sk-ant-oat-ccproxy-deepseek.l1stener-t0ken, next"

    assert REDACTOR.scrub(text) == b"Authorization: Bearer sk-ant-oat-ccproxy-deepseek.[redacted], next"


@pytest.mark.parametrize("name", ["key", "refresh_token", "client_secret"])
def test_a_form_may_begin_with_the_secret(name):
    assert REDACTOR.scrub(f"{name}=form-credential&x=1".encode()) == f"{name}=[redacted]&x=1".encode()


@pytest.mark.parametrize("pattern", [*patterns.TOKENS, *patterns.LINES], ids=lambda p: p.label)
def test_the_quick_look_sees_whatever_the_exact_one_finds(pattern):
    hits = 0
    for secret, place in SECRETS.items():
        text = place.format(secret).encode()
        for _ in pattern.spans(text):
            hits += 1
            assert pattern.scanner.hits(text)
            assert patterns.suspect(text.decode("latin-1"))
    assert hits or pattern.label == "listener token", "no example exercises this pattern"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        (b"Authorization", b"Bearer opaque", b"Bearer [redacted]"),
        (b"authorization", b"opaque", b"[redacted]"),
        (b"Proxy-Authorization", b"Basic dTpw", b"Basic [redacted]"),
        (b"X-API-Key", b"k", b"[redacted]"),
        (b"x-goog-api-key", b"k", b"[redacted]"),
        (b"api-key", b"k", b"[redacted]"),
        (b"x-auth-token", b"k", b"[redacted]"),
        (b"Cookie", b"a=1; b=2", b"a=[redacted]; b=[redacted]"),
        (b"cookie", b"bare", b"[redacted]"),
        (b"Set-Cookie", b"sid=1; Path=/; HttpOnly", b"sid=[redacted]; Path=/; HttpOnly"),
        (b"authorization", b"Bearer sk-ant-oat-ccproxy-deepseek", b"Bearer sk-ant-oat-ccproxy-deepseek"),
        (b"x-api-key", b"sk-ant-oat-ccproxy-deepseek.tok.en", b"sk-ant-oat-ccproxy-deepseek.[redacted]"),
        (b"x-api-key", b"sk-ant-oat-ccproxy-deepseek, real-key", b"[redacted]"),
        (b"anthropic-ratelimit-tokens-remaining", b"4000", b"4000"),
        (b"content-type", b"application/json", b"application/json"),
    ],
)
def test_a_header_is_cut_by_its_name(name, value, kept):
    assert scrub_value(name, value) == kept
