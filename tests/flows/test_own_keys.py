"""A client's own keys are found where keys are sent, and cut out of what is kept of its request."""

from __future__ import annotations

import json

import pytest
import zstandard

from ccproxy.flows.document import PARTS
from ccproxy.flows.own_keys import own_keys
from ccproxy.flows.pack import Packer
from ccproxy.flows.record import Message
from tests.flows.records import SENTINEL, body, record, redactor

KEY = 'their/own+key="0123456789'


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ((b"x-api-key", KEY.encode()), {KEY}),
        ((b"Authorization", b"Bearer their-own-key-1"), {"their-own-key-1"}),
        ((b"authorization", b"Basic dXNlcjpwYXNzd29yZA=="), {"dXNlcjpwYXNzd29yZA=="}),
        ((b"x-vendor-token", KEY.encode()), {KEY}),
        ((b"Cookie", b"a=1; session=their-session-id; b=2"), {"their-session-id"}),
        ((b"x-api-key", SENTINEL.encode()), set()),
        ((b"x-api-key", f"{SENTINEL}.listener-token-1".encode()), {"listener-token-1"}),
        ((b"x-api-key", b"dummy"), set()),
        ((b"x-api-key", b""), set()),
        ((b"user-agent", KEY.encode()), set()),
    ],
)
def test_headers(header, found):
    assert own_keys((header,), "http://h/v1/messages") == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("key=their%2Fown%2Bkey%3D%220123456789", {KEY}),
        ("alt=sse&KEY=their-own-key-1", {"their-own-key-1"}),
        ("access_token=their-own-key-1", {"their-own-key-1"}),
        ("monkey=their-own-key-1", set()),
        (f"key={SENTINEL}", set()),
    ],
)
def test_query(query, found):
    assert own_keys((), f"http://h/v1beta/models/m:generateContent?{query}") == found


def test_a_flood_of_keys_is_bounded():
    headers = tuple((b"x-api-key", f"their-own-key-{number}".encode()) for number in range(1000))
    assert len(own_keys(headers, "http://h/")) <= 8


def test_what_a_provider_says_back_is_not_kept():
    asked = Message(((b"x-api-key", KEY.encode()),), body(b"{}"), "POST", "http://h/v1/messages")
    said = json.dumps({"error": f"bad key {KEY}"}).encode()
    answer = Message(((b"x-debug", KEY.encode()),), body(said), status=401)
    packed = Packer(redactor("another-secret-1")).pack(
        record(request=asked, response=answer, error=f"no {KEY}"), 1 << 20
    )
    bodies = {PARTS[number]: zstandard.ZstdDecompressor().decompress(data) for number, data in packed.bodies}

    assert json.loads(bodies["response"]) == {"error": "bad key " + "*" * (len(KEY) + 1)}
    assert KEY not in repr(packed.row)
    assert json.dumps(KEY)[1:-1] not in repr(packed.row)


def test_the_next_record_is_not_searched_for_it():
    packer = Packer(redactor())
    asked = Message(((b"x-api-key", b"an-ordinary-word"),), body(b"{}"), "POST", "http://h/")
    packer.pack(record(request=asked), 1 << 20)
    packed = packer.pack(record("an-ordinary-word"), 1 << 20)
    assert b"an-ordinary-word" in zstandard.ZstdDecompressor().decompress(packed.bodies[0][1])
