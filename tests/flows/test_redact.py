"""Redaction by value and by shape, in text, headers, URLs and bodies."""

from __future__ import annotations

import json
import random
import time

import pytest

from ccproxy.flows.needles import forms
from ccproxy.flows.redact import Redactor

CANARY = "canary/4f9a+61c2=e8d7"


def redactor(*secrets: str) -> Redactor:
    kept = frozenset(secrets)
    return Redactor(lambda: kept)


@pytest.mark.parametrize("form", forms(CANARY))
def test_every_form_of_a_secret_goes(form):
    assert redactor(CANARY).scrub(b"before " + form + b" after") == b"before [redacted] after"


@pytest.mark.parametrize("form", forms(CANARY))
def test_a_body_keeps_its_length_and_knows_its_cuts(form):
    body = b'{"a":"' + form + b'","b":"' + form + b'"}'
    scrubbed = redactor(CANARY).scrub_body(body)

    assert form not in scrubbed.data
    assert len(scrubbed.data) == len(body)
    assert [(cut.start, cut.length) for cut in scrubbed.cuts] == [(6, len(form)), (13 + len(form), len(form))]
    assert {scrubbed.data[cut.start : cut.start + cut.length] for cut in scrubbed.cuts} == {b"*" * len(form)}


def test_json_stays_json():
    body = json.dumps({"error": f"key {CANARY} is bad", "n": 1}).encode()

    assert json.loads(redactor(CANARY).scrub_body(body).data)["n"] == 1


def test_what_holds_no_secret_is_the_same_object():
    body = b'{"text":"hello"}'

    assert redactor(CANARY).scrub(body) is body
    assert redactor(CANARY).scrub_body(body).data is body


def test_the_longer_of_two_secrets_goes_whole():
    assert redactor("abcdefgh", "abcdefgh-ijklmnop").scrub(b"x abcdefgh-ijklmnop y") == b"x [redacted] y"


def test_a_secret_inside_a_shaped_token_leaves_no_rest():
    assert redactor("secretpart").scrub(b"sk-secretpart-and-a-long-tail-123") == b"[redacted]"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"key ollama here", b"key [redacted] here"),
        (b"ollamas and ollama_x", b"ollamas and ollama_x"),
        (b'{"k":"ollama"}', b'{"k":"[redacted]"}'),
        (b"ollama", b"[redacted]"),
    ],
)
def test_a_short_secret_goes_only_where_it_stands_alone(text, kept):
    assert redactor("ollama").scrub(text) == kept


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_a_blank_secret_cuts_nothing(blank):
    assert redactor(blank).scrub(b"a  b\n") == b"a  b\n"


def test_secrets_are_asked_for_each_time():
    secrets: set[str] = set()
    one = Redactor(lambda: frozenset(secrets))

    assert one.scrub(b"late-secret-1") == b"late-secret-1"
    secrets.add("late-secret-1")
    assert one.scrub(b"late-secret-1") == b"[redacted]"


def test_a_secret_cut_in_two_by_the_end_of_a_capture_goes():
    half = f'{{"echo":"{CANARY[:9]}'.encode()

    scrubbed = redactor(CANARY).scrub_body(half, truncated=True)
    assert scrubbed.data == b'{"echo":"' + b"*" * 9
    assert redactor(CANARY).scrub_body(half).data == half


@pytest.mark.parametrize("end", range(4, len(CANARY)))
def test_any_half_of_a_secret_goes_at_the_cut(end):
    scrubbed = redactor(CANARY).scrub_body(b"echo " + CANARY[:end].encode(), truncated=True)

    assert scrubbed.data == b"echo " + b"*" * end


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://h/v1?key=AIzaWHATEVER123&alt=sse", "https://h/v1?key=[redacted]&alt=sse"),
        ("https://user:pass@h/v1", "https://[redacted]@h/v1"),
        ("https://h/v1?key=sk-ant-oat-ccproxy-gemini", "https://h/v1?key=sk-ant-oat-ccproxy-gemini"),
        ("https://h/v1/messages?beta=true", "https://h/v1/messages?beta=true"),
    ],
)
def test_urls(url, kept):
    assert redactor(CANARY).scrub_url(url) == kept


@pytest.mark.parametrize("text", ["\ud800 lone", "umlaut ä", "nul \0", "emoji 🙂"])
def test_any_text_passes(text):
    assert redactor(CANARY).scrub_text(text + CANARY) == text + "[redacted]"
    assert redactor(CANARY).scrub_text(text) == text


@pytest.mark.parametrize(
    "word",
    [b"sk-", b"sk-ant-oat-ccproxy-", b"eyJ", b"eyJa.", b"AIza", b"cookie:", b"cookie=a", b"?key=", b"key=", b"&token=",
     b"authorization:", b'"access_token":"', b"ya29.", b"1//0", b"ghp_", b"api-key: ", b"a", b"\\", b"*", b"canary/4f"],
)  # fmt: skip
def test_no_text_makes_it_slow(word):
    body = word * (2 * 1024 * 1024 // len(word))

    assert _timed(lambda: redactor(CANARY).scrub_body(body, truncated=True)) < 5


def test_a_large_body_costs_little():
    choice = random.Random(1).choice
    words = ["the", "quick", "brown", "fox_jumps", "over", '"lazy":', "{dogs}", "1234", "and/or", "so-called", "é"]
    body = " ".join(choice(words) for _ in range(20_000)).encode()[:100_000]
    three = redactor("sk-ant-oat01-" + "x1Yz" * 20, "AIza" + "q7" * 18, "sk-" + "0af3" * 12)
    three.scrub(body)

    best = min(_timed(lambda: three.scrub(body)) for _ in range(50))
    assert best < 0.0005, "ten times what it takes; one pass of re over the same needles takes longer"


def _timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
