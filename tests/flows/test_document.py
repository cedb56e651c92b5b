"""A record is the same after a trip through JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ccproxy.flows.document import PARTS, decode, encode
from ccproxy.flows.record import Attempt, Body, Cut, FlowRecord, HookResult, Message
from ccproxy.lightllm.usage import Usage
from tests.flows.records import body, record

FULL = record(
    jail="j1",
    session_id="s",
    conversation_id="c",
    answered=Message(((b"X-\xe9", b"\xff"),), Body(b"abc", 5, "00", True, "gzip", (Cut(0, 2, "api key"),)), status=502),
    hooks=[HookResult("a", "inbound", "error", "why", 0.25), HookResult("b", "outbound", "skipped")],
    attempts=[Attempt("https://a/", 503, 1.0), Attempt("https://b/", error="refused")],
    warnings=["one", "zwei ä"],
    usage=Usage(1, 2, 3, 4, 5),
    error="it broke",
    complete=False,
)


@pytest.mark.parametrize("one", [FULL, record(), FlowRecord(id="x", created_at=0.0)], ids=["full", "usual", "empty"])
def test_round_trip(one):
    document = json.loads(json.dumps(encode(one)))
    bodies = {part: getattr(one, part).body.data for part in PARTS if getattr(one, part) is not None}

    assert decode(document, lambda part: bodies[part]) == one


def test_a_body_that_both_sides_have_is_named_once():
    one = record()
    again = decode(encode(one), lambda part: one.request.body.data)

    assert encode(one)["forwarded"]["body"] == {"same": "request"}
    assert again.forwarded.body is again.request.body


def test_equal_bytes_are_the_same_body_and_others_are_not():
    one = record()
    one.forwarded.body = replace(one.request.body, sha256="known")
    assert encode(one)["forwarded"]["body"] == {"same": "request"}

    one.forwarded.body = body(one.request.body.data + b" ")
    assert "same" not in encode(one)["forwarded"]["body"]


def test_truncated_bodies_are_the_same_only_if_their_hashes_are():
    one = record()
    one.request.body = Body(b"abc", 9, "11", truncated=True)
    one.forwarded.body = Body(b"abc", 9, "22", truncated=True)
    assert "same" not in encode(one)["forwarded"]["body"]

    one.forwarded.body = Body(b"abc", 9, "11", truncated=True)
    assert encode(one)["forwarded"]["body"] == {"same": "request"}


def test_a_newer_writer_may_add_keys():
    document = encode(record()) | {"colour": "blue"}

    assert decode(document, lambda part: b"").provider == "deepseek"
