from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.events import BlockDelta, Failed
from ccproxy.lightllm.openai_responses import output_reader
from ccproxy.lightllm.openai_responses.stream_reader import StreamReader
from tests.lightllm.openai_chat.shorthand import short
from tests.lightllm.openai_responses.shorthand import (
    CREATED,
    PICTURE,
    added,
    call,
    completed,
    done,
    event,
    feed,
    message,
    read,
    reasoning,
    text,
)

HI = '+0 text | 0 "hi" | -0'
LS = '+0 call ls #c1 | 0 "{\\"a\\":" | 0 "1}" | -0'
URL = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}
CITED = {"type": "output_text", "text": "hi", "annotations": [URL]}
ODD = [
    {"type": "file_citation", "filename": "f", "index": 1},
    {"type": "file_path"},
    {"type": "url_citation", "url_citation": URL},
]
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
}


def arguments(delta: object, place: object = 0) -> dict[str, object]:
    return event("function_call_arguments.delta", place, delta=delta)


def summary(delta: str, part: int = 0, place: int = 0) -> dict[str, object]:
    return event("reasoning_summary_text.delta", place, summary_index=part, delta=delta)


def raw(delta: str, place: int = 0) -> dict[str, object]:
    return event("reasoning_text.delta", place, content_index=0, delta=delta)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # what may be left out: everything but a text's deltas, or everything but its whole, wherever that is told
        ([text("hi"), completed()], HI),
        ([added(message()), text("h"), text("i"), done(message("hi")), completed()], '+0 text | 0 "h" | 0 "i" | -0'),
        ([text("hi", None, None), completed()], HI),
        ([event("output_text.done", content_index=0, text="hi"), completed()], HI),
        ([event("content_part.done", content_index=0, part={"type": "output_text", "text": "hi"}), completed()], HI),
        ([done(message("hi")), completed()], HI),
        ([completed(message("hi"))], HI),
        ([added(message()), completed(message("hi"))], HI),
        ([added(message()), done(message("hi")), completed(message("hi", id="other"))], HI),
        # nothing twice, whatever is repeated
        ([text("hi"), event("output_text.done", content_index=0, text="hi!"), done(message("hi!")), completed()], HI),
        ([text("hi", 1), done(message("hi"), 1), completed(message("hi"))], HI),  # counted from 1
        ([done(message("hi")), done(message("hi")), completed()], HI),
        ([text("hi"), done(message("hi")), text("more"), completed()], HI),
        # empty deltas and parts are none
        ([text(""), text(None), added(message()), done(message("")), completed()], ""),
        # parts end one another, items overlap
        ([text("a"), text("b", part=1), completed()], '+0 text | 0 "a" | -0 | +1 text | 1 "b" | -1'),
        (
            [text("a"), text("b", 1), text("c"), done(message("ac")), text("d", 1), completed()],
            '+0 text | 0 "a" | +1 text | 1 "b" | 0 "c" | -0 | 1 "d" | -1',
        ),
        # an index that is used again: the item before it did not tell its end
        (
            [added(message()), text("a"), added(message()), text("b"), completed()],
            '+0 text | 0 "a" | -0 | +1 text | 1 "b" | -1',
        ),
        # a refusal is one in its end, too
        (
            [
                event("refusal.delta", content_index=0, delta="no"),
                event("refusal.done", content_index=0, refusal="no"),
                completed(),
            ],
            '+0 refusal | 0 "no" | -0 | finish refused | end',
        ),
        (
            [done(message(content=[{"type": "refusal", "refusal": "no"}])), completed()],
            '+0 refusal | 0 "no" | -0 | finish refused | end',
        ),
        # citations, once each; those of files have no address
        (
            [
                text("hi"),
                event("output_text.annotation.added", content_index=0, annotation=URL),
                done(message(content=[CITED])),
                completed(),
            ],
            '+0 text | 0 "hi" | 0 cites https://a A 0-2 | -0',
        ),
        ([done(message(content=[CITED])), completed()], '+0 text | 0 "hi" | 0 cites https://a A 0-2 | -0'),
        (
            [done(message(content=[{**CITED, "annotations": ODD}])), completed()],
            '+0 text | 0 "hi" | 0 cites None f 1-None | 0 cites https://a A 0-2 | -0',
        ),
    ],
)
def test_text(events: list[object], expected: str) -> None:
    assert " | ".join(read(CREATED, *events)) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([added(call()), arguments('{"a":'), arguments("1}"), done(call('{"a":1}'))], LS),
        # the name comes late, or only with the whole item, or with the response
        (
            [added(call(name=None)), arguments('{"a":'), arguments("1}"), done(call('{"a":1}'))],
            '+0 call ls #c1 | 0 "{\\"a\\":1}" | -0',
        ),
        ([arguments("{}"), done(call("{}"))], '+0 call ls #c1 | 0 "{}" | -0'),
        ([completed(call("{}"))], '+0 call ls #c1 | 0 "{}" | -0'),
        ([added(call(name=None)), completed(call("{}"))], '+0 call ls #c1 | 0 "{}" | -0'),
        # deltas that are missing, all or at the end
        ([added(call()), event("function_call_arguments.done", arguments="{}")], '+0 call ls #c1 | 0 "{}" | -0'),
        ([added(call()), arguments('{"a":'), done(call('{"a":1}'))], LS),
        ([added(call("{}"))], '+0 call ls #c1 | 0 "{}" | -0'),
        ([added(call())], "+0 call ls #c1 | -0"),
        # what the whole says otherwise does not count any more
        (
            [added(call()), arguments('{"a": 1}'), done(call('{"a":1, "b":2}'))],
            '+0 call ls #c1 | 0 "{\\"a\\": 1}" | -0',
        ),
        # no id of the call: the item's
        ([done(call("{}", call_id=None))], '+0 call ls #fc_1 | 0 "{}" | -0'),
        ([done(call("{}", call_id=None, id=None))], '+0 call ls | 0 "{}" | -0'),
        # in any order of the pieces
        (
            [
                added(call()),
                added(call(name="cat", call_id="c2", id="2"), 1),
                arguments("{", 1),
                arguments("{"),
                arguments("}", 1),
                arguments("}"),
                done(call("{}", name="cat", call_id="c2"), 1),
                done(call("{}")),
            ],
            '+0 call ls #c1 | +1 call cat #c2 | 1 "{" | 0 "{" | 1 "}" | 0 "}" | -1 | -0',
        ),
        # free text
        (
            [
                added({"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": ""}),
                event("custom_tool_call_input.delta", delta="SELECT"),
                event("custom_tool_call_input.done", input="SELECT 1"),
            ],
            '+0 call custom sql #c1 | 0 "SELECT" | 0 " 1" | -0',
        ),
        (
            [done({"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "x"})],
            '+0 call custom sql #c1 | 0 "x" | -0',
        ),
    ],
)
def test_calls(events: list[dict[str, Any]], expected: str) -> None:
    last = [] if events[-1]["type"] == "response.completed" else [completed()]
    assert " | ".join(read(CREATED, *events, *last)) == f"{expected} | finish tool | end"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [added(reasoning()), summary("a"), summary("b"), done(reasoning("ab"))],
            '+0 thinking #rs_1 | 0 "a" | 0 "b" | -0',
        ),
        # parts are kept apart, as thinking.write_item wants them
        (
            [added(reasoning()), summary("a"), summary("b", 1), summary("c", 1), done(reasoning("a", "bc"))],
            '+0 thinking #rs_1 | 0 "a" | 0 "\\n\\n\\nb" | 0 "c" | -0',
        ),
        ([done(reasoning("a", "b"))], '+0 thinking #rs_1 | 0 "a" | 0 "\\n\\n\\nb" | -0'),
        (
            [added(reasoning()), summary("a"), done(reasoning("a", "b"))],
            '+0 thinking #rs_1 | 0 "a" | 0 "\\n\\n\\nb" | -0',
        ),
        # the raw reasoning, but never both
        ([raw("a"), done(reasoning(content=[{"type": "reasoning_text", "text": "a"}]))], '+0 thinking | 0 "a" | -0'),
        ([raw("a"), summary("s"), done(reasoning("s"))], '+0 thinking | 0 "a" | -0'),
        ([done(reasoning("s", content=[{"type": "reasoning_text", "text": "a"}]))], '+0 thinking #rs_1 | 0 "s" | -0'),
        ([event("reasoning_text.done", content_index=0, text="a", item_id="rs_2")], '+0 thinking #rs_2 | 0 "a" | -0'),
        # what the provider wants back: the last word on it counts
        (
            [added(reasoning(encrypted_content="x")), summary("a"), done(reasoning("a", encrypted_content="y"))],
            '+0 thinking #rs_1 | 0 "a" | 0 signed y | -0',
        ),
        ([added(reasoning(encrypted_content="x")), summary("a")], '+0 thinking #rs_1 | 0 "a" | 0 signed x | -0'),
        ([done(reasoning(encrypted_content="y"))], "+0 redacted #rs_1 | 0 signed y | -0"),
        ([done(reasoning())], ""),
        ([added(reasoning(id="")), summary("a")], '+0 thinking | 0 "a" | -0'),
    ],
)
def test_reasoning(events: list[object], expected: str) -> None:
    assert " | ".join(read(CREATED, *events, completed())) == expected


@pytest.mark.parametrize(
    "kind",
    [
        *("web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "mcp_list_tools", "program"),
        *("computer_call", "shell_call", "local_shell_call", "apply_patch_call", "mcp_approval_request", "compaction"),
        *("tool_search_call", "tool_search_output", "some_new_item"),
    ],
)
def test_what_the_client_cannot_answer_is_not_told(kind: str) -> None:
    item = {"type": kind, "id": "x", "call_id": "c9", "name": "n", "arguments": "{}"}
    working = event("code_interpreter_call_code.delta", delta="print()", error={"message": "of the tool's own"})
    assert read(CREATED, added(item), working, done(item), text("hi", 1), completed(item, message("hi"))) == HI.split(
        " | "
    )


def test_a_picture() -> None:
    item = {"type": "image_generation_call", "id": "ig", "status": "in_progress"}
    partial = event("image_generation_call.partial_image", partial_image_b64="AAAA")
    whole = {**item, "result": PICTURE, "output_format": "webp"}
    assert read(CREATED, added(item), partial, done(whole), completed(whole)) == [f"0 image/webp {PICTURE}"]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (completed(), ["finish stop", "end"]),
        (completed(usage=USAGE), ["finish stop", "counts 9 5 4 1 3", "end"]),
        (completed(incomplete_details={"reason": "max_output_tokens"}, kind="incomplete"), ["finish length", "end"]),
        (completed(incomplete_details={"reason": "content_filter"}, kind="incomplete"), ["finish filtered", "end"]),
        (completed(incomplete_details={"reason": "steered"}, kind="incomplete"), ["finish other", "end"]),
        (completed(kind="incomplete"), ["finish other", "end"]),
        (completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"}), ["finish length", "end"]),
        ({"type": "response.completed"}, ["finish stop", "end"]),
        (
            completed(kind="failed", error={"code": "rate_limit_exceeded", "message": "slow down"}, usage=USAGE),
            ["counts 9 5 4 1 3", "failed 429 rate_limit: slow down"],
        ),
        (completed(status="failed", error={"code": "server_error", "message": "oh"}), ["failed 500 internal: oh"]),
        (completed(kind="cancelled"), ["failed 502 upstream: the provider cancelled the response"]),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, ["failed 429 rate_limit: slow"]),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, ["failed 429 rate_limit: slow"]),
        ({"error": {"code": 503, "message": "busy"}}, ["failed 503 overloaded: busy"]),
        ({"type": "response.failed", "error": {"code": 503, "message": "busy"}}, ["failed 503 overloaded: busy"]),
        ({"type": "error", "message": "slow", "status": 429}, ["failed 429 rate_limit: slow"]),
        ("{", ["failed 502 upstream: the provider's stream cannot be read: it is no JSON object"]),
        ("[1]", ["failed 502 upstream: the provider's stream cannot be read: it is no JSON object"]),
    ],
)
def test_the_end(last: object, expected: list[str]) -> None:
    assert short(feed(CREATED, last, text("late"), completed()))[1:] == expected


def test_before_the_end_nothing_is_complete() -> None:
    assert short(feed(CREATED, text("hi"), "[DONE]", whole=False)) == ["begin resp_1 m 5", *HI.split(" | ")[:2]]


@pytest.mark.parametrize(
    "events",
    [
        [CREATED, text(5)],
        [CREATED, text("a", "0")],
        [CREATED, added(call(name=None)), done(call(name=None))],
        [CREATED, arguments("{"), completed()],
        [CREATED, event("output_item.done", item=[])],
        [CREATED, completed("item")],
        [CREATED, added({"type": None}), text("hi"), completed(None)],
        [text("a"), event("content_part.done", content_index=0, part={"type": "output_text", "annotations": [1]})],
    ],
)
def test_what_is_not_of_the_shape_is_a_failure(events: list[object]) -> None:
    assert isinstance(last := feed(*events)[-1], Failed)
    assert "cannot be read" in last.failure.message


def test_halves_of_characters_and_strange_numbers_are_read() -> None:
    halves = '{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\\ud83d"}'
    other = '{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\\ude00","x":NaN}'
    assert read(CREATED, halves, other, completed(created_at=1e999)) == ["+0 text", '0 "\\ud83d"', '0 "\\ude00"', "-0"]


def test_the_name_of_an_event_is_its_type_where_its_data_has_none() -> None:
    data = b'{"output_index":0,"content_index":0,"delta":"hi"}'
    events = StreamReader().feed(sse.Event("response.output_text.delta", data, data))
    assert short(events) == ["begin None None None", *HI.split(" | ")[:2]]


def test_what_is_held_is_bounded() -> None:
    items = [done(message(f"{place}"), place) for place in range(output_reader.ITEMS_LIMIT + 1)]
    assert "more than" in short(feed(CREATED, *items))[-1]
    piece = "x" * (1 << 20)
    nameless = [added(call(name=None)), *[arguments(piece)] * 5]
    assert "does not tell its name" in short(feed(CREATED, *nameless))[-1]
    named = [added(call()), *[arguments(piece)] * 5, done(call(piece * 6))]
    assert len(feed(CREATED, *named, completed())) == 10
    parts = [text("a", part=part) for part in range(output_reader.ITEMS_LIMIT + 1)]
    assert "more than" in short(feed(CREATED, *parts))[-1]
    several = [added(call(call_id=f"{place}"), place) for place in range(6)]
    told = [arguments(piece, place) for place in range(6)]
    events = feed(CREATED, *several, *told, *[done(call(piece + "x"), place) for place in range(6)], completed())
    assert [event.text for event in events if isinstance(event, BlockDelta)].count("x") == 4
