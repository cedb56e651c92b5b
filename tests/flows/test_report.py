"""The text of one flow tells the whole story and holds nothing that a terminal would act on."""

from __future__ import annotations

import json

from ccproxy.flows.record import Attempt, Body, Cut, FlowRecord, HookResult, Message
from ccproxy.flows.report import EXCERPT, body_text, report, report_part, to_json
from ccproxy.lightllm.usage import Usage
from tests.flows.records import body, record


def test_the_whole_story():
    text = report(
        record(
            jail="shop",
            session_id="s-1",
            conversation_id="c-1",
            warnings=["temperature was dropped"],
            error="the stream broke",
            complete=False,
            hooks=[
                HookResult("inject_auth", "inbound", "ok", took_s=0.0015),
                HookResult("x", "outbound", "error", "boom"),
            ],
            attempts=[Attempt("https://a/", 503), Attempt("https://b/", error="refused")],
            usage=Usage(10, 20, 3, 4, 5),
            answered=Message((), body(b"event: error\n\n"), status=502),
        )
    )

    for told in (
        "redirect to provider deepseek",
        "jail shop",
        "s-1",
        "c-1",
        "10 in, 20 out, 3 read from cache, 4 written to cache, 5 reasoning",
        "cut off before its end, stop reason end_turn",
        "temperature was dropped",
        "the stream broke",
        "inject_auth",
        "1.50 ms",
        "boom",
        "503",
        "refused",
        "asked: POST http://127.0.0.1:4000/v1/messages?beta=true",
        "forwarded: POST https://api.deepseek.com/anthropic/v1/messages?beta=true",
        " bytes as above",
        "provider answered: 200",
        "client was answered: 502",
        "event: error",
        "first byte after 0.500 s, took 1.000 s",
    ):
        assert told in text, told


def test_a_request_that_was_refused():
    text = report(FlowRecord(id="x", created_at=1.0, error="no provider"))

    assert "nothing was sent" in text
    assert "nothing came back" in text
    assert "none ran" in text
    assert "not told" in text


def test_escapes_are_visible_wherever_they_come_from():
    evil = "\x1b]0;evil\x07\u202e\r"
    raw = evil.encode()
    fields = ((raw, raw),)
    message = Message(fields, body(b"data: " + raw), evil, f"http://h/{evil}", 200)
    text = report(
        record(
            id=evil,
            client=evil,
            jail=evil,
            model=evil,
            provider=evil,
            session_id=evil,
            conversation_id=evil,
            stop_reason=evil,
            error=evil,
            warnings=[evil],
            hooks=[HookResult(evil, "inbound", "error", evil)],
            attempts=[Attempt(evil, error=evil)],
            request=message,
            forwarded=message,
            response=message,
            answered=message,
        ),
        whole=True,
    )

    assert not set(text) & {"\x1b", "\x07", "\u202e", "\r", "\x9b"}


def test_long_bodies_are_shown_in_part_unless_all_is_wanted():
    one = record("x" * EXCERPT * 2)

    assert "more characters; --body shows all" in report(one)
    assert "x" * EXCERPT * 2 not in report(one)
    assert "x" * EXCERPT * 2 in report(one, whole=True)
    assert "x" * EXCERPT * 2 in report_part(one, "request")


def test_what_was_done_to_a_stored_body_is_said():
    kept = Body(b"ab**", 99, "00", True, "gzip", (Cut(2, 2, "api key"),))
    text = report_part(record(response=Message((), kept, status=200)), "response")

    assert "99 bytes (stored without its gzip; only the first 4 are kept; secrets cut out: api key)" in text


def test_bodies_of_any_kind_are_text():
    assert body_text(body(b'{"b":1,"a":[]}')) == '{\n  "b": 1,\n  "a": []\n}'
    assert body_text(body(b"\xff\x00")) == "\\xff\\x00"
    assert body_text(Body(b'{"cut', 9, truncated=True)) == '{"cut'
    assert body_text(body(b"[" * 100_000)) == "[" * 100_000


def test_a_message_that_there_was_not():
    assert report_part(record(forwarded=None), "forwarded") == "forwarded: nothing was sent"


def test_json_holds_the_bodies():
    document = json.loads(json.dumps(to_json(record("hi", answered=Message((), body(b"\xff"), status=200)))))

    assert json.loads(document["request"]["body"]["text"])["messages"][0]["content"] == "hi"
    assert document["forwarded"]["body"] == {"same": "request"}
    assert document["answered"]["body"]["hex"] == "ff"
    assert document["usage"]["output"] == 34
