"""Events, written as a stream of chunks (API reference, "The chat completion chunk object").

::

    {"role": "assistant"}  *( content / refusal / reasoning_content / tool_calls / annotations / images )
    finish_reason  [ usage, with no choices ]  data: [DONE]

Each chunk is the same but for its delta, so it is put together from strings that are made once. Lists in keys that the
reference does not have must have an ``index`` in each entry: the SDKs' accumulators go by it (openai 3.52).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from ccproxy.lightllm.answer import merged
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockKind,
    BlockSignature,
    BlockStart,
    BlockStop,
    Citation,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Media,
    Ping,
)
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.openai_chat import usage
from ccproxy.lightllm.openai_chat.errors import encode_stream_failure
from ccproxy.lightllm.openai_chat.response import annotation, completion_id, picture, wants_function_call, word_of
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Cut

_WORDS: Final = {"text": "content", "refusal": "refusal", "thinking": "reasoning_content"}
_PING: Final = ": keep-alive\n\n"
_DONE: Final = "data: [DONE]\n\n"


@dataclass(slots=True)
class _Block:
    """A block that is shown: what stands around each of its deltas."""

    kind: BlockKind
    before: str
    after: str
    gap: str = ""
    """Goes before the first delta."""
    size: int = 0
    """Characters so far."""
    start: int = 0
    """Of text: the characters of the content before it."""
    citations: list[Citation] = field(default_factory=list)
    empty: str = ""
    """What is written at the end if there was no delta."""


class StreamWriter:
    """Writes one stream."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_cited",
        "_head",
        "_legacy",
        "_over",
        "_pictures",
        "_plan",
        "_reason",
        "_rest",
        "_said",
        "_tail",
        "_thought",
        "_top",
        "_usage",
    )

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._legacy = wants_function_call(plan)
        self._blocks: dict[int, _Block] = {}
        self._top = self._head = self._tail = self._rest = ""
        self._calls = self._cited = self._pictures = self._said = 0
        self._thought = False
        self._reason: Reason | None = None
        self._usage: Usage | None = None
        self._over = False

    def write(self, events: Sequence[Event]) -> bytes:
        """The bytes for some events; empty if there is nothing to send."""
        out: list[str] = []
        blocks = self._blocks
        for event in events:
            if isinstance(event, BlockDelta):
                if (block := blocks.get(event.index)) is not None:
                    text = event.text
                    if block.gap:
                        text, block.gap = block.gap + text, ""
                    block.size += len(text)
                    out += (block.before, quoted(text), block.after)
            elif not self._over:
                self._other(event, out)
        return "".join(out).encode("ascii")

    def _other(self, event: Event, out: list[str]) -> None:
        match event:
            case BlockStart():
                self._start(event, out)
            case BlockStop(index):
                if (block := self._blocks.pop(index, None)) is not None:
                    self._stop(block, out)
            case BlockCitation(index, citation):
                if (block := self._blocks.get(index)) is not None:
                    block.citations.append(citation)
            case Begin():
                self._begin(event)
                out.append(self._chunk('"role":"assistant","content":null'))
            case Media():
                self._picture(event, out)
            case Counts(counted):
                self._usage = counted if self._usage is None else merged(self._usage, counted)
            case Finish(reason):
                self._reason = reason
            case End() | Failed():
                self._end(event, out)
            case Ping():
                out.append(_PING)
            case BlockSignature() | BlockDelta():
                pass

    def _begin(self, begin: Begin) -> None:
        own, created = completion_id(begin.id, self._plan), begin.created_at or self._plan.now
        model = begin.model or self._plan.model
        self._top = (
            f'data: {{"id":{quoted(own)},"object":"chat.completion.chunk","created":{created},"model":{quoted(model)},'
        )
        self._head = self._top + '"choices":[{"index":0,"delta":{'
        nulls = ',"usage":null' if self._plan.stream_usage else ""
        self._rest = "}]" + nulls + "}\n\n"
        self._tail = '},"finish_reason":null' + self._rest

    def _chunk(self, delta: str) -> str:
        return self._head + delta + self._tail

    def _start(self, start: BlockStart, out: list[str]) -> None:
        if start.kind == "call":
            self._call(start, out)
        elif (word := _WORDS.get(start.kind)) is not None:
            block = _Block(start.kind, f'{self._head}"{word}":', self._tail)
            if start.kind == "text":
                block.start = self._said
            elif start.kind == "thinking" and self._thought:
                block.gap = "\n\n"
            self._blocks[start.index] = block

    def _call(self, start: BlockStart, out: list[str]) -> None:
        number, self._calls = self._calls, self._calls + 1
        name = quoted(start.name or "")
        if self._legacy:
            if number == 0:  # there is room for one
                out.append(self._chunk(f'"function_call":{{"name":{name},"arguments":""}}'))
                before, after = self._head + '"function_call":{"arguments":', "}" + self._tail
                self._blocks[start.index] = _Block("call", before, after, empty="{}")
            return
        kind, key = ("custom", "input") if start.custom else ("function", "arguments")
        opening = f'"tool_calls":[{{"index":{number},'
        own = f'"id":{quoted(start.id or "")},"type":"{kind}","{kind}":{{"name":{name},"{key}":""}}}}]'
        out.append(self._chunk(opening + own))
        before, after = f'{self._head}{opening}"{kind}":{{"{key}":', "}}]" + self._tail
        self._blocks[start.index] = _Block("call", before, after, empty="" if start.custom else "{}")

    def _stop(self, block: _Block, out: list[str]) -> None:
        if block.empty and not block.size:
            out += (block.before, quoted(block.empty), block.after)
        if block.kind == "text":
            self._said = block.start + block.size
            found = (annotation(citation, block.start, self._said) for citation in block.citations)
            numbered = [{"index": self._cited + at, **each} for at, each in enumerate(filter(None, found))]
            self._cited += len(numbered)
            if numbered:
                out.append(self._chunk(f'"annotations":{_dumped(numbered)}'))
        elif block.kind == "thinking" and block.size:
            self._thought = True

    def _picture(self, media: Media, out: list[str]) -> None:
        if (made := picture(media)) is not None:
            out.append(self._chunk(f'"images":{_dumped([{"index": self._pictures, **made}])}'))
            self._pictures += 1

    def _end(self, end: End | Failed, out: list[str]) -> None:
        self._over = True
        self._blocks.clear()
        if isinstance(end, Failed):
            out.append(encode_stream_failure(end.failure, Cut()).decode("ascii"))
            return
        word = word_of(self._reason, called=self._calls > 0, legacy=self._legacy)
        out.append(f'{self._head}}},"finish_reason":"{word}"{self._rest}')
        if self._plan.stream_usage:  # clients that asked for it wait for it, whether the provider counts or not
            counted = _dumped(usage.counts(self._usage or Usage()))
            out.append(f'{self._top}"choices":[],"usage":{counted}}}\n\n')
        out.append(_DONE)


def _dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
