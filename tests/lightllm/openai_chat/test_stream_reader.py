from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.answer import Block, fold
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_chat.stream_reader import StreamReader
from tests.lightllm.openai_chat.shorthand import DONE, call, chunk, feed, short
from tests.lightllm.recordings import recordings
from tests.lightllm.translate import fold as official
from tests.lightllm.translate.grammar import breaches

STOP = chunk(finish="stop")
BEGIN = "begin 1 m 5"
USAGE = {"prompt_tokens": 9, "completion_tokens": 4}
PNG = "data:image/png;base64,iVBO"


def said(*chunks: object) -> list[str]:
    """What lies between the begin and the end of a stream that is well ended."""
    events = feed(*chunks)
    assert breaches(events) == []
    told = short(events)
    assert told[0] == BEGIN and told[-1] == "end"
    return told[1:-1]


WORDS: dict[str, tuple[list[object], list[str]]] = {
    "text": (
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "a"}), chunk({"content": "b"}), STOP, DONE],
        ["+0 text", '0 "a"', '0 "b"', "-0", "finish stop"],
    ),
    "no done": ([chunk({"content": "a"}), STOP], ["+0 text", '0 "a"', "-0", "finish stop"]),
    "finish with the last text": (
        [chunk({"content": "a"}, "length"), DONE],
        ["+0 text", '0 "a"', "-0", "finish length"],
    ),
    "thinking": (
        [chunk({"reasoning_content": "t", "content": None}), chunk({"reasoning_content": "u", "content": "a"}), STOP],
        ["+0 thinking", '0 "t"', '0 "u"', "-0", "+1 text", '1 "a"', "-1", "finish stop"],
    ),
    "thinking said twice": (
        [chunk({"reasoning": "t", "reasoning_details": [{"type": "reasoning.text", "text": "t"}]}), STOP],
        ["+0 thinking", '0 "t"', "-0", "finish stop"],
    ),
    "thinking under two keys": (
        [chunk({"reasoning": "t", "reasoning_content": "t"}), chunk({"reasoning": "u"}), STOP],
        ["+0 thinking", '0 "t"', "ping", "-0", "finish stop"],
    ),
    "thinking again": (
        [chunk({"reasoning": "t"}), chunk({"content": "a"}), chunk({"reasoning": "u"}), STOP],
        ["+0 thinking", '0 "t"', "-0", "+1 text", '1 "a"', "-1", "+2 thinking", '2 "u"', "-2", "finish stop"],
    ),
    "parts": (
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}, "u"]}]}),
            chunk({"content": [{"type": "thinking", "thinking": []}, {"type": "reference", "reference_ids": [1]}]}),
            chunk({"content": ["a", {"type": "text", "text": "b"}, None, {"type": "refusal", "refusal": "no"}]}),
            STOP,
        ],
        [
            *("+0 thinking", '0 "tu"', "ping", "-0", "+1 text", '1 "a"', '1 "b"', "-1"),
            *("+2 refusal", '2 "no"', "-2", "finish stop"),
        ],
    ),
    "refusal": (
        [chunk({"content": None, "refusal": "n"}), chunk({"refusal": "o"}), STOP],
        ["+0 refusal", '0 "n"', '0 "o"', "-0", "finish stop"],
    ),
    "annotations": (
        [
            chunk({"content": "ab"}),
            chunk({"tool_calls": None, "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}, 7]}),
            chunk({"annotations": [{"url_citation": {"url": "v", "title": "t", "start_index": 1, "end_index": 2}}]}),
            {**STOP, "citations": ["https://elsewhere"]},
        ],
        ["+0 text", '0 "ab"', "0 cites u None None-None", "0 cites v t 1-2", "-0", "finish stop"],
    ),
    "annotations of a later block": (
        [
            chunk({"content": "ab"}),
            chunk({"reasoning": "t"}),
            chunk({"content": "cd"}),
            chunk({"annotations": [{"url_citation": {"url": "v", "start_index": 2, "end_index": 4}}]}, "stop"),
        ],
        [
            *("+0 text", '0 "ab"', "-0", "+1 thinking", '1 "t"', "-1"),
            *("+2 text", '2 "cd"', "2 cites v None 0-2", "-2", "finish stop"),
        ],
    ),
    "bare sources": (
        [{**chunk({"content": "a"}), "citations": ["u"]}, {**STOP, "citations": ["u", "v"]}, DONE],
        ["+0 text", '0 "a"', "0 cites u None None-None", "0 cites v None None-None", "-0", "finish stop"],
    ),
    "pictures": (
        [chunk({"content": "a", "images": [{"type": "image_url", "image_url": {"url": PNG}, "index": 0}]}), STOP],
        ["+0 text", '0 "a"', "-0", "1 image/png iVBO", "finish stop"],
    ),
    "a picture elsewhere": (
        [chunk({"images": [{"type": "image_url", "image_url": {"url": "https://p"}}]}), STOP],
        ["+0 text", '0 "![image](https://p)"', "-0", "finish stop"],
    ),
    "speech": (
        [chunk({"audio": {"id": "a", "transcript": "hi"}}), chunk({"audio": {"data": "AA=="}}), STOP],
        ["+0 text", '0 "hi"', "ping", "-0", "finish stop"],
    ),
    "another choice": (
        [
            {**chunk(), "choices": [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "a"}}]},
            STOP,
        ],
        ["+0 text", '0 "a"', "-0", "finish stop"],
    ),
    "a message in place of deltas": (
        [{**chunk(), "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}],
        ["+0 text", '0 "a"', "-0", "finish stop"],
    ),
    "usage behind the finish": (
        [chunk({"content": "a"}), STOP, {**chunk(), "choices": [], "usage": USAGE}, DONE],
        ["+0 text", '0 "a"', "counts 9 4 None None None", "-0", "finish stop"],
    ),
    "usage with every chunk": (
        [chunk({"content": "a"}, usage=USAGE), chunk({}, "stop", usage={**USAGE, "completion_tokens": 5}), DONE],
        ["+0 text", '0 "a"', "counts 9 4 None None None", "counts 9 5 None None None", "-0", "finish stop"],
    ),
    "usage in full": (
        [
            {
                **STOP,
                "usage": {
                    **USAGE,
                    "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
                    "completion_tokens_details": {"reasoning_tokens": 1},
                },
            }
        ],
        ["counts 9 4 2 3 1", "finish stop"],
    ),
    "usage of Groq": ([{**STOP, "x_groq": {"id": "r", "usage": USAGE}}], ["counts 9 4 None None None", "finish stop"]),
    "usage of Moonshot": (
        [{**STOP, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}],
        ["counts 9 4 None None None", "finish stop"],
    ),
    "the finish said twice": ([STOP, {**STOP, "usage": USAGE}, DONE], ["counts 9 4 None None None", "finish stop"]),
    "text behind the finish": (
        [chunk({"content": "a"}, "stop"), chunk({"content": "b"}), DONE],
        ["+0 text", '0 "a"', '0 "b"', "-0", "finish stop"],
    ),
    "no finish, but the usage": (
        [chunk({"content": "a"}), {**chunk(), "choices": [], "usage": USAGE}, {**chunk(), "choices": []}, DONE],
        ["+0 text", '0 "a"', "counts 9 4 None None None", "ping", "-0"],
    ),
    "a filter's chunk first": (
        [{"choices": [], "id": "", "model": "", "created": 0, "object": "", "prompt_filter_results": []}, STOP],
        ["finish stop"],
    ),
    "no object": ([{"id": "1", "model": "m", "created": 5, "choices": STOP["choices"]}], ["finish stop"]),
    "half a pair": ([chunk({"content": "\ud83d"}), STOP], ["+0 text", '0 "\\ud83d"', "-0", "finish stop"]),
}


@pytest.mark.parametrize(("chunks", "told"), WORDS.values(), ids=list(WORDS))
def test_words(chunks: list[object], told: list[str]) -> None:
    assert said(*chunks) == told


A = ["+0 call f #a", '0 "{}"', "-0"]
B = ["+1 call g #b", '1 "{}"', "-1"]
CALLED = chunk(finish="tool_calls")
CALLS: dict[str, tuple[list[Any], list[str]]] = {
    "one": (
        [call("", "f", "a", 0), call('{"x": "\\u00', index=0), call('e9"}', index=0)],
        ["+0 call f #a", '0 "{\\"x\\": \\"\\\\u00"', '0 "e9\\"}"', "-0"],
    ),
    "without arguments": ([call("", "f", "a", 0)], ["+0 call f #a", "-0"]),
    "one after the other": ([call("", "f", "a", 0), call("{}", index=0), call("{}", "g", "b", 1)], A + B),
    "interleaved": (
        [call("{", "f", "a", 0), call("{", "g", "b", 1), call("}", index=0), call("}", index=1)],
        ["+0 call f #a", '0 "{"', "+1 call g #b", '1 "{"', '0 "}"', '1 "}"', "-0", "-1"],
    ),
    "text between": (
        [call("{}", "f", "a", 0), {"content": "t"}, call("{}", "g", "b", 1)],
        [*A, "+1 text", '1 "t"', "-1", "+2 call g #b", '2 "{}"', "-2"],
    ),
    "the same index": ([call("{}", "f", "a", 0), call("{}", "g", "b", 0)], A + B),
    "the same index, no ids": (
        [call("{}", "f", None, 0), call("{}", "f", None, 0)],
        ["+0 call f", '0 "{}"', "-0", "+1 call f", '1 "{}"', "-1"],
    ),
    "no index": ([call("{}", "f", "a"), call("{}", "g", "b")], A + B),
    "no index, in pieces": (
        [call("", "f", "a"), call("{"), call("}"), call("{}", "g", "b")],
        [A[0], '0 "{"', '0 "}"', "-0", *B],
    ),
    "neither index nor ids": (
        [{"tool_calls": [{"function": {"name": n, "arguments": "{}"}} for n in "ff"]}],
        ["+0 call f", '0 "{}"', "-0", "+1 call f", '1 "{}"', "-1"],
    ),
    "id and name every time": (
        [call("", "f", "a", 0), call("{", "f", "a", 0), call("}", "f", "a", 0)],
        [A[0], '0 "{"', '0 "}"', "-0"],
    ),
    "another id every time": ([call("{", "f", "a", 0), call("}", None, "z", 0)], [A[0], '0 "{"', '0 "}"', "-0"]),
    "a late name": ([call("{", None, "a", 0), call("}", "f", None, 0)], A),
    "a late id": ([call("", "f", None, 0), call("{}", None, "a", 0)], A),
    "a late id, no index": (
        [call("", "f"), call("{", None, "a"), call("}", None, "a")],
        [A[0], '0 "{"', '0 "}"', "-0"],
    ),
    "an id that is too late": (
        [call("{", "f", None, 0), call("}", None, "a", 0)],
        ["+0 call f", '0 "{"', '0 "}"', "-0"],
    ),
    "waiting for an id": (
        [call("", "f", None, 0), call("{}", "g", "b", 1)],
        ["+0 call f", "+1 call g #b", '1 "{}"', "-0", "-1"],
    ),
    "half a pair in a call that goes on": (
        [call('{"\ud83d', "f", "a", 0), call("{}", "g", "b", 1), call('":1}', index=0)],
        ["+0 call f #a", '0 "{\\"\\ud83d"', *B[:2], '0 "\\":1}"', "-0", "-1"],
    ),
    "an object": ([call({"x": 1}, "f", "a", 0)], ["+0 call f #a", '0 "{\\"x\\":1}"', "-0"]),
    "nothing in the middle": (
        [call("{}", "f", "a", 0), {"tool_calls": [{"index": 1}, 7, {"index": 0}]}],
        [*A[:2], "ping", "-0"],
    ),
    "the older kind": (
        [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
        ["+0 call f", '0 "{}"', "-0"],
    ),
    "custom": (
        [
            {"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": ""}}]},
            {"tool_calls": [{"index": 0, "custom": {"input": "{}"}}]},
            {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]},
            {"tool_calls": [{"index": 0, "custom": {"input": "!"}}]},
        ],
        ["+0 call custom f #a", '0 "{}"', *B[:2], '0 "!"', "-0", "-1"],
    ),
}


@pytest.mark.parametrize(("deltas", "told"), CALLS.values(), ids=list(CALLS))
def test_calls(deltas: list[object], told: list[str]) -> None:
    assert said(*map(chunk, deltas), CALLED, DONE) == [*told, "finish tool"]
    assert said(*map(chunk, deltas), STOP, DONE) == [*told, "finish tool"]  # as many servers say


FINISHES = [
    *[(word, "stop") for word in ("stop", "STOP", "eos", "tool_calls", "function_call")],
    *[(word, "length") for word in ("length", "max_tokens", "MAX_TOKENS")],
    *[("content_filter", "filtered"), ("sensitive", "filtered"), ("SAFETY", "filtered")],
    *[("stop_sequence", "stop_sequence"), ("model_length", "context"), ("refusal", "refused"), ("whatever", "other")],
]


@pytest.mark.parametrize(("word", "reason"), FINISHES)
def test_finish(word: str, reason: str) -> None:
    assert said(chunk(finish=word)) == [f"finish {reason}"]


def test_the_stop_sequence_that_was_met() -> None:
    met = {**chunk(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "###"}]}
    assert said(met) == ["finish stop_sequence ###"]
    assert said(json.loads(json.dumps(met).replace("###", "end_turn"))) == ["finish stop"]


UPSTREAM = "failed 502 upstream: the provider"
FAILURES: list[tuple[list[object], str]] = [
    ([{"error": {"message": "no", "type": "server_error", "code": "server_error"}}], "failed 500 internal: no"),
    ([chunk({"content": "a"}), {"error": "no"}, chunk({"content": "b"})], "failed 500 internal: no"),
    ([{"error": {"message": "wait", "code": 429}}], "failed 429 rate_limit: wait"),
    ([{"error": {"message": "wait", "code": "429"}, "choices": []}], "failed 429 rate_limit: wait"),
    ([{"error": {"message": "no", "status_code": 400}}], "failed 400 invalid_request: no"),
    ([{"object": "error", "message": "no", "code": 400}], "failed 400 invalid_request: no"),
    ([{"code": "InvalidParameter", "message": "no"}], "failed 500 internal: no"),
    (
        [{**chunk(), "choices": [{"index": 0, "finish_reason": "error", "error": {"code": 503, "message": "no"}}]}],
        "failed 503 overloaded: no",
    ),
    ([chunk(finish="network_error")], f"{UPSTREAM} broke its answer off: network_error"),
    (["{"], f"{UPSTREAM} sent a chunk that is no JSON object"),
    (["[1]"], f"{UPSTREAM} sent a chunk that is no JSON object"),
    (["[" * 100_000], f"{UPSTREAM} sent a chunk that is no JSON object"),
    ([DONE], f"{UPSTREAM} ended its stream without saying why it stopped"),
    ([chunk({"content": "a"}), DONE], f"{UPSTREAM} ended its stream without saying why it stopped"),
    (
        [{**chunk(), "choices": [], "usage": USAGE}, chunk({"content": "a"}), DONE],
        f"{UPSTREAM} ended its stream without saying why it stopped",
    ),
    ([chunk(call("{}", None, "a", 0)), CALLED, DONE], f"{UPSTREAM}'s answer has a tool call without a name"),
    (
        [chunk(call("x" * 2**20, None, "a", 0)), chunk(call("x", None, None, 0))],
        f"{UPSTREAM}'s answer has a tool call without a name",
    ),
    ([chunk(call("{", "f", str(n), n)) for n in range(1025)], f"{UPSTREAM}'s answer has more than 1024 tool calls"),
]


@pytest.mark.parametrize(("chunks", "failure"), FAILURES)
def test_failures(chunks: list[object], failure: str) -> None:
    events = feed(*chunks)
    assert breaches(events) == [] and short(events)[-1] == failure


def test_an_error_event_of_any_shape() -> None:
    assert short(StreamReader().feed(sse.Event("error", b"gone away", b""))) == [
        "failed 500 internal: HTTP 500: gone away"
    ]


def test_a_cut_stream_is_not_ended() -> None:
    assert short(feed(chunk({"content": "a"}))) == [BEGIN, "+0 text", '0 "a"']


def test_a_call_that_the_limit_cut_needs_no_name() -> None:
    assert said(chunk({"content": "a"}), chunk(call("", None, "a", 0)), chunk(finish="length"))[-1] == "finish length"


def test_recordings() -> None:
    """What the official SDK makes of each stream is what its events amount to."""
    folded = 0
    for recording in recordings():
        if recording.dialect is not Dialect.OPENAI:
            continue
        reader, parser = StreamReader(), sse.SseParser()
        events = [event for each in parser.feed(recording.stream + b"\n\n") for event in reader.feed(each)]
        events += reader.end()
        assert (recording.name, breaches(events)) == (recording.name, [])
        try:
            want = official.fold(Dialect.OPENAI, recording.stream)
        except official.Unfoldable:
            continue  # nothing to compare with: other APIs' streams, content in parts
        answer = fold(events)
        said = dict.fromkeys(("text", "refusal", "thinking"), "")
        calls = []
        for block in answer.blocks:
            assert isinstance(block, Block)
            if block.kind == "call":
                calls.append((block.name, json.loads(block.text or "{}")))
            else:
                said[block.kind] += block.text
        got = (said["text"] + said["refusal"], said["thinking"], calls, answer.failure is not None)
        assert (recording.name, *got) == (recording.name, want.text, want.thinking, want.calls, want.stop == "error")
        if want.input is not None and answer.failure is None:
            assert answer.usage is not None
            assert (answer.usage.input, answer.usage.output) == (want.input, want.output)
        folded += 1
    assert folded > 20
