"""A stream comes out the same however it was cut, without its secrets and without delay."""

from __future__ import annotations

import random

import pytest

from ccproxy.flows.needles import forms
from ccproxy.flows.redact import Redactor
from ccproxy.flows.scrub_stream import Needles, StreamScrubber

CANARIES = ["canary/4f9a+61c2=e8d7", "sk-live-canary-sk-live-canary", "aaaaaaaaab"]


def scrubber(*secrets: str) -> StreamScrubber:
    kept = frozenset(secrets)
    return Redactor(lambda: kept).stream()


def run(chunks, *secrets: str) -> bytes:
    one = scrubber(*secrets)
    return b"".join([*(one.feed(chunk) for chunk in chunks), one.flush()])


def _texts():
    for canary in CANARIES:
        for form in forms(canary):
            yield canary, b'event: error\ndata: {"message":"' + form + b'"}\n\n', form
            yield canary, form, form
            yield canary, form[:-1] + form + form + form[:5], form


@pytest.mark.parametrize(("canary", "text", "form"), list(_texts()))
def test_every_chunking_gives_the_same(canary, text, form):
    whole = run([text], canary)

    assert form not in whole
    assert len(whole) == len(text)
    assert whole.startswith(text.partition(form)[0]) or canary == "aaaaaaaaab", "its forms overlap each other"
    assert run([text[i : i + 1] for i in range(len(text))], canary) == whole
    for split in range(len(text)):
        assert run([text[:split], text[split:]], canary) == whole


@pytest.mark.parametrize("seed", range(40))
def test_random_cuts_of_a_text_dense_with_secrets_and_near_misses(seed):
    rng = random.Random(seed)
    needles = [form for canary in CANARIES for form in forms(canary)]
    pieces = [
        rng.choice([rng.choice(needles), rng.choice(needles)[: rng.randrange(12)], b"\n\n", b"aaaa", b"plain "])
        for _ in range(80)
    ]
    text = b"".join(pieces)
    whole = run([text], *CANARIES)

    for canary in CANARIES:
        assert not any(form in whole for form in forms(canary))
    assert len(whole) == len(text)
    for _ in range(5):
        cuts = sorted(rng.sample(range(len(text)), 30))
        chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert run(chunks, *CANARIES) == whole


def test_bytes_that_are_no_secret_pass_at_once_as_the_same_object():
    one = scrubber(*CANARIES)
    for chunk in (b'data: {"text":"a canary is a bird"}\n\n', b": ping\n\n", bytes(range(256)), b"\xff\xfe\n"):
        assert one.feed(chunk) is chunk
    assert one.flush() == b""


def test_only_the_beginning_of_a_secret_waits():
    one = scrubber("battery-staple")

    assert one.feed(b"a batt") == b"a "
    assert one.feed(b"le cry\n\n") == b"battle cry\n\n"
    assert one.feed(b"\n\nbattery-stapl") == b"\n\n"
    assert one.flush() == b"battery-stapl"


def test_what_may_grow_into_a_longer_secret_waits_for_it():
    one = scrubber("abcdefgh", "abcdefgh-long")

    assert one.feed(b"abcdefgh") == b""
    assert one.feed(b"-lo") == b""
    assert one.feed(b"w") == b"********-low"
    assert one.feed(b"abcdefgh-long") == b"*" * 13
    assert one.flush() == b""


def test_no_shape_and_no_short_secret_is_cut_from_what_a_client_gets():
    text = b"sk-proj-abcdefghijklmnop1234 Authorization: Bearer opaque-value ollama\n"

    assert run([text], "ollama") == text


def test_without_secrets_nothing_is_looked_at():
    assert run([b"x", b"", b"y"]) == b"xy"


def test_masked_secrets_are_counted():
    one = scrubber("battery-staple")
    one.feed(b"battery-staple and battery-")
    one.feed(b"staple")

    assert one.cut == 2


def test_needles_without_any_hold_nothing():
    assert Needles.of([b""]).held_from(b"abc") == 3
