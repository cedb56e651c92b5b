"""A relay, fed by hand: whatever the translation does, the client gets a whole answer or is told that it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from ccproxy.errors import BadRequest
from ccproxy.flows.record import FlowRecord
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.status import Failure
from ccproxy.lightllm.translate import AnswerTranslator
from ccproxy.listener.answer import Capture
from ccproxy.listener.relay import (
    COLLECTED_BYTES,
    Collected,
    Generated,
    Held,
    Streamed,
    Whole,
    counting,
    estimated,
    refusal,
)


class Script:
    """Stands for a translator: gives what it was told to, or raises."""

    def __init__(self, *steps: Any, document: Any = None) -> None:
        self.steps = list(steps)
        self.answer = document
        self.finished = self.complete = False
        self.failure: Failure | None = None
        self.usage, self.reason, self.model = Usage(input=1), "stop", "m-1"

    def feed(self, chunk: bytes) -> list[bytes]:
        return self.step()

    def end(self, cause: str) -> list[bytes]:
        if self.steps:
            return self.step()
        self.finished, self.complete = True, self.answer is not None
        if not self.complete:
            self.failure = Failure(502, "upstream", cause)
        return []

    def step(self) -> list[bytes]:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return list(step)

    def document(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def translator(*steps: Any, document: Any = None) -> AnswerTranslator:
    return cast(AnswerTranslator, Script(*steps, document=document))


def record() -> FlowRecord:
    return FlowRecord(id="1", created_at=0.0)


@pytest.mark.parametrize("where", ["first", "later", "end"])
def test_a_defect_in_a_stream_ends_it_with_an_error(where: str) -> None:
    steps = {"first": [KeyError()], "later": [[b"data: 1\n\n"], KeyError()], "end": [[b"data: 1\n\n"], KeyError()]}[
        where
    ]
    relay = Streamed(translator(*steps), Dialect.OPENAI, Capture(1000))
    out = relay.feed(b"a")
    out += relay.end("early") if where == "end" else relay.feed(b"b")
    assert relay.feed(b"more") == relay.end("early") == []
    last = json.loads(out[-1].removeprefix(b"data: "))
    assert "could not be translated" in last["error"]["message"]
    assert (relay.complete, relay.has_enough) == (False, True)
    assert b"".join(relay.capture.parts) == b"".join(out)
    found = record()
    relay.note(found)
    assert (found.complete, found.error) == (False, last["error"]["message"])


def held(sink: Any) -> tuple[Held, list[Whole]]:
    settled: list[Whole] = []
    return Held(sink, Capture(1000), settled.append), settled


@pytest.mark.parametrize(
    "made",
    [
        translator(KeyError()),
        translator([], KeyError()),
        translator([], document=ValueError()),
        translator([], document={"a": float("nan")}),
    ],
)
def test_a_defect_in_a_whole_answer_is_an_error(made: AnswerTranslator) -> None:
    relay, settled = held(Generated(made, Dialect.ANTHROPIC))
    out = relay.feed(b"a") + relay.end("early")
    (body,) = out
    assert json.loads(body)["error"]["type"] == "api_error"
    assert [(whole.status, whole.body) for whole in settled] == [(500, body)]
    assert (relay.complete, relay.has_enough, relay.holds_head) == (False, True, False)
    assert relay.feed(b"more") == relay.end("early") == []


def test_a_whole_answer_is_told_once_and_at_its_end() -> None:
    made = translator([], [], document={"text": "é"})
    relay, settled = held(Generated(made, Dialect.OPENAI))
    assert relay.feed(b"a") == relay.feed(b"b") == []
    assert relay.holds_head
    assert not relay.has_enough
    assert relay.end("early") == ['{"text":"é"}'.encode()]
    assert relay.has_enough
    assert relay.end("early") == []
    assert [whole.status for whole in settled] == [200]
    found = record()
    relay.note(found)
    assert (found.usage, found.stop_reason, found.complete, found.model, found.error) == (
        Usage(input=1), "stop", True, "m-1", None,
    )  # fmt: skip


def test_a_short_answer_says_why() -> None:
    relay, settled = held(Generated(translator([]), Dialect.GOOGLE))
    relay.feed(b"a")
    (body,) = relay.end("it broke off")
    assert json.loads(body)["error"] == {"code": 502, "message": "it broke off", "status": "UNAVAILABLE"}
    assert [whole.status for whole in settled] == [502]


def test_what_is_collected_is_bounded() -> None:
    seen: list[int] = []

    def read(body: bytes) -> Whole:
        seen.append(len(body))
        return Whole(200, b"{}")

    relay, _ = held(Collected(read))
    assert relay.feed(b"x" * (COLLECTED_BYTES - 1)) == []
    assert relay.feed(b"xxx") == [b"{}"]
    assert relay.feed(b"x") == relay.end("") == []
    assert seen == [COLLECTED_BYTES]


@pytest.mark.parametrize(
    ("body", "request_id", "expected"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"a"}', "b", "a"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}', "b", "b"),
        (b"", None, None),
    ],
)
def test_the_providers_name_of_the_request_is_kept(body: bytes, request_id: str | None, expected: str | None) -> None:
    whole = refusal(Dialect.ANTHROPIC, Dialect.ANTHROPIC, 529, request_id)(body)
    assert json.loads(whole.body).get("request_id") == expected
    assert whole.status == 529


def unread(body: bytes) -> Whole:
    return Whole(429, b"refused")


def estimates(tokens: int) -> Callable[[], int]:
    return lambda: tokens


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"input_tokens": 5}', {"totalTokens": 5}),
        (200, b'{"input_tokens": -5}', {"totalTokens": 77}),
        (200, b"[" * 100_000, {"totalTokens": 77}),
        (404, b'{"input_tokens": 5}', {"totalTokens": 77}),
        (429, b"", None),
        (302, b"", None),
    ],
)
def test_counting(status: int, body: bytes, expected: dict[str, int] | None) -> None:
    whole = counting(Dialect.ANTHROPIC, Dialect.GOOGLE, status, estimates(77), unread)(body)
    if expected is None:
        assert whole == unread(b"")
    else:
        assert whole.status == 200
        assert expected.items() <= json.loads(whole.body).items()


def test_what_cannot_be_counted() -> None:
    def refuse() -> int:
        raise BadRequest("messages: should be a list")

    whole = estimated(Dialect.ANTHROPIC, refuse)
    assert (whole.status, json.loads(whole.body)["error"]["message"]) == (400, "messages: should be a list")
