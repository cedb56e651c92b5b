"""What goes into the store: readable, bounded, without secrets."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest
import zstandard

from ccproxy.flows.document import PARTS
from ccproxy.flows.needles import forms
from ccproxy.flows.pack import Packer
from ccproxy.flows.record import Attempt, Body, HookResult, Message
from ccproxy.flows.schema import COLUMNS
from tests.flows.records import SENTINEL, body, record, redactor

CANARY = "canary/4f9a+61c2=e8d7"
LIMIT = 1 << 20


def pack(one, *secrets, limit=LIMIT):
    packed = Packer(redactor(*secrets)).pack(one, limit)
    row = dict(zip(COLUMNS, packed.row, strict=True))
    bodies = {PARTS[number]: zstandard.ZstdDecompressor().decompress(data) for number, data in packed.bodies}
    return row, json.loads(row["document"]), bodies


def test_the_columns_of_a_listing():
    row, _, bodies = pack(record(error="it broke", warnings=["a", "b"]))

    assert (row["method"], row["status"], row["host"]) == ("POST", 200, "api.deepseek.com")
    assert row["path"] == "/anthropic/v1/messages?beta=true"
    assert (row["user_agent"], row["input_tokens"], row["output_tokens"]) == ("sdk/1.0", 12, 34)
    assert (row["error"], row["warnings"]) == ("it broke", 2)
    assert row["size"] > sum(map(len, bodies.values())) / 10
    assert list(bodies) == ["request", "response"], "the forwarded body is the request's"


def test_what_the_client_got_counts_not_what_the_provider_said():
    row, _, _ = pack(record(answered=Message((), body(b"{}"), status=502)))

    assert row["status"] == 502


def test_a_request_that_went_nowhere_is_listed_where_it_came_to():
    row, _, _ = pack(record(forwarded=None, response=None))

    assert (row["host"], row["path"], row["status"]) == ("127.0.0.1:4000", "/v1/messages?beta=true", 0)


@pytest.mark.parametrize("form", [form.decode("latin-1") for form in forms(CANARY)])
@pytest.mark.parametrize(
    "place",
    [
        lambda s: {"request": Message((), body(b'{"a":"' + s.encode() + b'"}'), "POST", "http://h/")},
        lambda s: {"request": Message(((b"x-a", s.encode()),), Body(), "POST", "http://h/")},
        lambda s: {"request": Message(((s.encode(), b"1"),), Body(), "POST", "http://h/")},
        lambda s: {"request": Message((), Body(), "POST", f"http://h/?a={s}")},
        lambda s: {"response": Message((), body(s.encode()), status=401)},
        lambda s: {"response": Message(((b"content-encoding", b"gzip"),), body(gzip.compress(s.encode())), status=401)},
        lambda s: {"response": Message((), Body(s.encode()[:12], 99, "", True), status=401)},
        lambda s: {"answered": Message((), body(b"data: " + s.encode() + b"\n\n"), status=200)},
        lambda s: {"hooks": [HookResult("h", "inbound", "error", f"failed: {s}")]},
        lambda s: {"attempts": [Attempt("https://a/", error=s), Attempt(f"https://u:{s}@a/")]},
        lambda s: {"warnings": [s], "error": s},
        lambda s: {"model": s, "session_id": s, "conversation_id": s, "jail": s},
    ],
)
def test_no_form_of_a_secret_gets_in_anywhere(form, place):
    row, document, bodies = pack(record(**place(form)), CANARY)
    everything = repr(row) + json.dumps(document, ensure_ascii=False) + repr(bodies)

    for found in forms(CANARY):
        assert found.decode("latin-1") not in everything
        assert found.decode("latin-1")[:12] not in everything or found.startswith(b"sk-")


def test_secret_headers_are_cut_by_name_and_the_sentinel_stays():
    headers = ((b"Authorization", b"Bearer abc"), (b"Cookie", b"a=1"), (b"x-api-key", f"{SENTINEL}.tok3n".encode()))
    _, document, _ = pack(record(request=Message(headers, Body(), "POST", "https://u:p@h/v1?key=abcdef12")))

    assert document["request"]["headers"] == [
        ["Authorization", "Bearer [redacted]"],
        ["Cookie", "a=[redacted]"],
        ["x-api-key", f"{SENTINEL}.[redacted]"],
    ]
    assert document["request"]["url"] == "https://[redacted]@h/v1?key=[redacted]"


def test_a_secret_that_begins_like_an_escape_leaves_json_whole():
    row, document, _ = pack(record(error="line\nvapi-secret-123"), "nvapi-secret-123", "vapi-secret-123")

    assert document["error"] == "line\n[redacted]"
    assert json.loads(row["document"]) == document


def test_a_body_keeps_its_cuts_and_the_hash_of_what_it_was():
    data = f'{{"echo":"{CANARY}"}}'.encode()
    _, document, bodies = pack(record(response=Message((), body(data), status=200)), CANARY)

    assert bodies["response"] == b'{"echo":"' + b"*" * len(CANARY) + b'"}'
    assert document["response"]["body"] == {
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "truncated": False,
        "decoded": "",
        "cuts": [[9, len(CANARY), "secret (raw)"]],
    }


def test_a_compressed_body_is_stored_readable_with_the_hash_of_the_wire():
    wire = gzip.compress(b"plain text")
    headers = ((b"Content-Encoding", b"gzip"),)
    _, document, bodies = pack(record(response=Message(headers, body(wire), status=200)))

    assert bodies["response"] == b"plain text"
    assert document["response"]["body"]["decoded"] == "gzip"
    assert document["response"]["body"]["sha256"] == hashlib.sha256(wire).hexdigest()
    assert document["response"]["body"]["truncated"] is False


@pytest.mark.parametrize("coding", [b"compress", b"gzip"])
def test_a_body_that_cannot_be_searched_is_not_kept(coding):
    headers = ((b"content-encoding", coding),)
    _, document, bodies = pack(record(response=Message(headers, body(b"opaque bytes"), status=200)))

    assert "response" not in bodies
    assert document["response"]["body"]["truncated"] is True
    assert document["response"]["body"]["size"] == len(b"opaque bytes")
    assert "could not be undone" in document["warnings"][0]


def test_a_body_above_the_limit_is_cut_and_says_so():
    _, document, bodies = pack(record(response=Message((), body(b"x" * 100), status=200)), limit=10)

    assert bodies["response"] == b"x" * 10
    assert document["response"]["body"]["truncated"] is True
    assert document["response"]["body"]["size"] == 100


def test_the_listeners_own_hash_is_kept():
    _, document, _ = pack(record(response=Message((), Body(b"abc", 9, "feed", True), status=200)))

    assert document["response"]["body"]["sha256"] == "feed"


@pytest.mark.parametrize("text", ["\ud800", "nul\0", "x" * 100_000, "\x1b[31m", "🙂"])
def test_whatever_a_client_sends_fits(text):
    row, document, _ = pack(record(model=text, session_id=text))

    row["model"].encode()
    assert document["model"] == text
    assert len(row["model"]) <= 500


@pytest.mark.parametrize("tokens", [10**30, -(10**30), 1.5, "12"])
def test_whatever_a_provider_counts_fits(tokens):
    one = record()
    one.usage.input = tokens
    row, _, _ = pack(one)

    assert row["input_tokens"] is None


def test_the_record_itself_is_not_changed():
    one = record(request=Message(((b"authorization", b"Bearer x"),), body(CANARY.encode()), "POST", "http://h/"))
    pack(one, CANARY)

    assert one.request.headers == ((b"authorization", b"Bearer x"),)
    assert one.request.body.data == CANARY.encode()
    assert one.warnings == []
