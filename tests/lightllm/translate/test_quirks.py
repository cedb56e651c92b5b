"""Streams as compatible servers send them, older ones and gateways: the same answer, told in another way.

Each quirk changes the events of a plain stream; the answer must be what the plain one is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from ccproxy.lightllm import sse
from ccproxy.lightllm.codecs import STREAM_READERS
from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate import grammar, wire
from tests.lightllm.translate.equivalence import differences
from tests.lightllm.translate.exchange import plan, translated
from tests.lightllm.translate.fold import fold
from tests.lightllm.translate.samples import ARGUMENTS, DIALECTS, FULL, SIGNATURE
from tests.lightllm.translate.scripted import Say, Script, Think, Use, stream

type Events = list[dict[str, Any]]
type Quirk = Callable[[Events], Events]

SCRIPTS = {
    "text": Script([Think("Let me see.", SIGNATURE), Say("It is so.")]),
    "calls": Script([Say("I look."), Use("call_1", "read", ARGUMENTS), Use("call_2", "now")], "tool"),
}


def each(change: Callable[[dict[str, Any]], object]) -> Quirk:
    """Change every event in place."""

    def quirk(events: Events) -> Events:
        for event in events:
            change(event)
        return events

    return quirk


def without(*types: str) -> Quirk:
    """Leave events out by the end of their type."""
    return lambda events: [event for event in events if not event["type"].endswith(types)]


def without_keys(*keys: str) -> Quirk:
    return each(lambda event: [event.pop(key, None) for key in keys])


def delta(event: dict[str, Any]) -> dict[str, Any]:
    return event["choices"][0]["delta"] if event["choices"] else {}


def calls(event: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = delta(event).get("tool_calls", [])
    return found


def name_late(events: Events) -> Events:
    for event in list(events):
        for call in calls(event):
            if "name" in call.get("function", {}):
                name = call["function"].pop("name")
                later = deepcopy(event)
                delta(later)["tool_calls"] = [{"index": call["index"], "function": {"name": name, "arguments": ""}}]
                events.insert(events.index(event) + 1, later)
    return events


def arguments_at_once(events: Events) -> Events:
    told: dict[int, str] = {}
    for event in events:
        for call in calls(event):
            told[call["index"]] = told.get(call["index"], "") + (call["function"].get("arguments") or "")
    kept = [event for event in events if not calls(event) or "id" in calls(event)[0]]
    for event in kept:
        for call in calls(event):
            call["function"]["arguments"] = told[call["index"]]
    return kept


def repeat_heads(events: Events) -> Events:
    heads: dict[int, dict[str, Any]] = {}
    for event in events:
        for call in calls(event):
            head = heads.setdefault(call["index"], call)
            call["id"], call["type"] = head["id"], "function"
            call["function"]["name"] = head["function"]["name"]
    return events


def blank_heads(events: Events) -> Events:
    for event in events:
        for call in calls(event):
            if "id" not in call:
                call.update(id="", type="function")
                call["function"]["name"] = None
    return events


def usage_each_time(events: Events) -> Events:
    usage = events[-1]["usage"]
    for number, event in enumerate(events[:-1]):
        event["usage"] = {**usage, "completion_tokens": min(number, usage["completion_tokens"])}
    return events


def finish_with_text(events: Events) -> Events:
    *early, last, finish, usage = events
    last["choices"][0]["finish_reason"] = finish["choices"][0]["finish_reason"]
    return [*early, last, usage]


def choices_with(**values: object) -> Quirk:
    return each(lambda event: [choice.update({**values, **choice}) for choice in event["choices"]])


def usage_with_finish(events: Events) -> Events:
    *early, finish, last = events
    return [*early, {**finish, "usage": last["usage"]}]


def usage_of_groq(events: Events) -> Events:
    *early, finish, last = events
    return [*early, {**finish, "x_groq": {"usage": last["usage"]}}]


def usage_first(events: Events) -> Events:
    return [events[-1], *events[:-1]]


def reasoning_renamed(event: dict[str, Any]) -> None:
    if "reasoning_content" in delta(event):
        delta(event)["reasoning"] = delta(event).pop("reasoning_content")


def everything_null(event: dict[str, Any]) -> None:
    for key in ("content", "reasoning_content", "refusal", "tool_calls", "function_call", "audio", "role"):
        if event["choices"]:
            delta(event).setdefault(key, None)


def stop_with_calls(event: dict[str, Any]) -> None:
    if event["choices"] and event["choices"][0]["finish_reason"]:
        event["choices"][0]["finish_reason"] = "stop"


CHAT: dict[str, Quirk] = {
    "no role": lambda events: events[1:],
    "a role each time": each(lambda event: delta(event).update(role="assistant")),
    "everything null": each(everything_null),
    "empty content each time": each(lambda event: delta(event).setdefault("content", "")),
    "no object, id, model": without_keys("object", "id", "model", "created"),
    "an empty id": each(lambda event: event.update(id="", created=0)),
    "a name that comes late": name_late,
    "arguments at once": arguments_at_once,
    "id and name each time": repeat_heads,
    "blank ids and no names afterwards": blank_heads,
    "no type of calls": each(lambda event: [call.pop("type", None) for call in calls(event)]),
    "null arguments": each(
        lambda event: [
            call["function"].update(arguments=call["function"]["arguments"] or None) for call in calls(event)
        ]
    ),
    "an empty finish reason": each(
        lambda event: [choice.update(finish_reason=choice["finish_reason"] or "") for choice in event["choices"]]
    ),
    "the finish reason with the last piece": finish_with_text,
    "logprobs and filters": choices_with(
        logprobs=None, content_filter_results={"hate": {"filtered": False}}, stop_reason=None
    ),
    "usage each time": usage_each_time,
    "usage with the finish reason": usage_with_finish,
    "usage of Groq": usage_of_groq,
    "usage first": usage_first,
    "usage first, nothing named": lambda events: usage_first(without_keys("object", "id", "model", "created")(events)),
    "no usage key elsewhere": each(lambda event: event["usage"] is None and event.pop("usage")),
    "reasoning": each(reasoning_renamed),
    "stop for calls": each(stop_with_calls),
    "the finish reason twice": lambda events: [*events[:-1], *events[-2:]],
    "unknown keys": each(lambda event: event.update(obfuscation="x", provider={"a": [1]}, citations=[])),
    "a chunk of a filter first": lambda events: [
        {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": []},
        *events,
    ],
}


def whole_input(events: Events) -> Events:
    kept = [event for event in events if event.get("delta", {}).get("type") != "input_json_delta"]
    for event in kept:
        block = event.get("content_block", {})
        if block.get("id") == "call_1":
            block["input"] = json.loads(ARGUMENTS)
    return kept


def whole_text(events: Events) -> Events:
    told: dict[int, str] = {}
    for event in events:
        if event.get("delta", {}).get("type") == "text_delta":
            told[event["index"]] = told.get(event["index"], "") + event["delta"]["text"]
    kept = [event for event in events if event.get("delta", {}).get("type") != "text_delta"]
    for event in kept:
        if event["type"] == "content_block_start" and event["index"] in told:
            event["content_block"]["text"] = told[event["index"]]
    return kept


def server_tool(events: Events) -> Events:
    shifted = [{**event, "index": event["index"] + 2} if "index" in event else event for event in events[1:]]
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    piece = {"type": "input_json_delta", "partial_json": '{"query": "x"}'}
    return [
        events[0],
        {"type": "content_block_start", "index": 0, "content_block": use},
        {"type": "content_block_delta", "index": 0, "delta": piece},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": found},
        {"type": "content_block_stop", "index": 1},
        *shifted,
    ]


def two_deltas(events: Events) -> Events:
    *early, last, stop = events
    return [*early, {**last, "delta": {"stop_reason": None, "stop_sequence": None}}, last, stop]


def usage_in_delta(events: Events) -> Events:
    usage = events[0]["message"].pop("usage")
    events[-2]["usage"] = {**usage, **events[-2]["usage"]}
    return events


def indices_from(start: int, step: int) -> Quirk:
    return each(lambda event: "index" in event and event.update(index=start + step * event["index"]))


ANTHROPIC: dict[str, Quirk] = {
    "no pings": without("ping"),
    "input in the block's start": whole_input,
    "text in the block's start": whole_text,
    "a server tool": server_tool,
    "two message deltas": two_deltas,
    "usage in the delta only": usage_in_delta,
    "indices from 1": indices_from(1, 1),
    "gaps in the indices": indices_from(0, 3),
    "no type of message": each(lambda event: event.get("message", {}).pop("type", None)),
    "unknown events and deltas": lambda events: [
        *events[:2],
        {"type": "message_note", "note": 1},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "mood_delta", "mood": "x"}},
        *events[2:],
    ],
    "the start twice": lambda events: [events[0], *events],
}


def empty_output(events: Events) -> Events:
    events[-1]["response"]["output"] = []
    return events


def wrong_ids(events: Events) -> Events:
    for number, event in enumerate(events):
        for holder in (event.get("response"), event.get("item")):
            if isinstance(holder, dict) and "id" in holder:
                holder["id"] = f"rotated_{number}"
        if "item_id" in event:
            event["item_id"] = f"rotated_{number}"
    return events


def web_search(events: Events) -> Events:
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
    shifted = [
        {**each, "output_index": each["output_index"] + 1} if "output_index" in each else each for each in events
    ]
    shifted[-1]["response"]["output"].insert(0, item)
    return [
        *shifted[:2],
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        *shifted[2:],
    ]


RESPONSES: dict[str, Quirk] = {
    "no deltas": without(".delta"),
    "no deltas, nothing done but items": without(".delta", "_text.done", "arguments.done", "part.done", "part.added"),
    "only the end": lambda events: [events[0], events[-1]],
    "no parts": without("part.added", "part.done"),
    "items are not done": without("output_item.done"),
    "nothing is done": without(".done"),
    "an empty output at the end": empty_output,
    "no output at the end": each(lambda event: event["type"].endswith("completed") and event["response"].pop("output")),
    "not in progress": without("in_progress"),
    "queued": lambda events: [events[0], {**events[1], "type": "response.queued"}, *events[1:]],
    "ids that change": wrong_ids,
    "a web search": web_search,
    "no numbers": without_keys("sequence_number"),
    "keep-alives": lambda events: [*events[:3], {"type": "keepalive"}, *events[3:]],
}


def parts(event: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = event["candidates"][0]["content"]["parts"]
    return found


def one_chunk(events: Events) -> Events:
    last = events[-1]
    last["candidates"][0]["content"]["parts"] = [
        part for event in events for part in parts(event) if part != {"text": ""}
    ]
    return [last]


def finish_alone(events: Events) -> Events:
    del events[-1]["candidates"][0]["content"]
    return events


GOOGLE: dict[str, Quirk] = {
    "one chunk": one_chunk,
    "the finish reason alone": finish_alone,
    "no parts at the end": each(
        lambda event: parts(event) == [{"text": ""}] and event["candidates"][0].update(content={})
    ),
    "usage at the end only": lambda events: [*([e.pop("usageMetadata"), e][1] for e in events[:-1]), events[-1]],
    "STOP each time": each(lambda event: event["candidates"][0].update(finishReason="STOP")),
    "no role, no index": each(
        lambda event: (event["candidates"][0].pop("index"), event["candidates"][0]["content"].pop("role"))
    ),
    "Code Assist": lambda events: [{"response": event, "traceId": "x"} for event in events],
    "no args": each(lambda event: [p["functionCall"].pop("args") for p in parts(event) if "now" in str(p)]),
    "null fields": each(lambda event: event.update(promptFeedback=None, automaticFunctionCallingHistory=None)),
    "an empty text each time": each(lambda event: parts(event).insert(0, {"text": ""})),
}

QUIRKS = {
    Dialect.ANTHROPIC: ANTHROPIC,
    Dialect.OPENAI: CHAT,
    Dialect.OPENAI_RESPONSES: RESPONSES,
    Dialect.GOOGLE: GOOGLE,
}
CASES = [(dialect, name, script) for dialect in DIALECTS for name in QUIRKS[dialect] for script in SCRIPTS]


def respelt(dialect: Dialect, data: bytes, quirk: Quirk, *, named: bool) -> bytes:
    """The stream with a quirk."""
    found = [json.loads(event.data) for event in sse.SseParser().feed(data) if event.data != b"[DONE]"]
    out = b""
    for event in quirk(found):
        name = event.get("type", "") if named else ""
        out += sse.encode_event(json.dumps(event).encode(), name if dialect is not Dialect.OPENAI else "")
    return out + (b"data: [DONE]\n\n" if dialect is Dialect.OPENAI else b"")


@pytest.mark.parametrize(("source", "quirk", "script"), CASES)
def test_an_answer_told_in_another_way_is_the_same(source: Dialect, quirk: str, script: str) -> None:
    plain = stream(source, SCRIPTS[script])
    want = fold(source, plain)
    for named in (True, False) if FULL else (True,):
        data = respelt(source, plain, QUIRKS[source][quirk], named=named)
        reader = STREAM_READERS[source]()
        told = [event for each in sse.SseParser().feed(data) for event in reader.feed(each)]
        assert grammar.breaches(told + reader.end()) == []
        for target in DIALECTS:
            if target is source:
                continue
            out = translated(plan(source, target), [data])
            assert wire.check(target, out).breaches == []
            assert differences(want, fold(target, out), target) == {}, target
