"""A request from one dialect to another, and its answer back: the whole of the translation, in two calls.

::

    sent = translate_request(body, Dialect.ANTHROPIC, Asked(), leg, memory)   # sent.body goes to the provider
    answer = AnswerTranslator(sent.plan, memory)                              # and its answer through this
    client.write(*answer.feed(chunk)) …  client.write(*answer.end())
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm import sse
from ccproxy.lightllm.answer import Answer, merged
from ccproxy.lightllm.codecs import REQUEST_READERS, REQUEST_WRITERS, RESPONSES, STREAM_READERS, STREAM_WRITERS
from ccproxy.lightllm.custom import Unwrapping, as_functions
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockDelta,
    BlockStart,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Ping,
)
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.loss import sift
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.names import Names, fit_id, restore_id
from ccproxy.lightllm.plan import Asked, Plan
from ccproxy.lightllm.prompt import Call, CustomTool, Part, Prompt, Result, Tool, Turn
from ccproxy.lightllm.remember import Remembering, recalled
from ccproxy.lightllm.sse import EventTooLarge, SseParser
from ccproxy.lightllm.status import Failure

WHOLE_LIMIT: Final = 8 << 20
"""Largest answer, in bytes, that is not a stream of events; it is parsed at once."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The provider's side of an exchange, and what makes the exchange's ids."""

    flavour: Flavour
    provider: str
    model: str
    seed: str
    now: int


@dataclass(frozen=True, slots=True)
class Translated:
    """A request as the provider reads it."""

    body: dict[str, object]
    plan: Plan
    warnings: tuple[str, ...]
    """What was left out or changed, a line for each kind: the first field stands for the others."""


def translate_request(
    body: Mapping[str, object], client: Dialect, asked: Asked, leg: Leg, memory: Memory
) -> Translated:
    """Translate a request. Raises BadRequest, naming the field, for what cannot be read or must not be left out."""
    target = leg.flavour.dialect
    read = REQUEST_READERS[client].read(body, asked)
    prompt, place = recalled(_with_own_ids(read), leg.provider, memory)
    prompt = replace(prompt, model=leg.model)
    prompt, warnings = sift(prompt, target)
    names = Names(target)
    prompt = _fitted(prompt, names, target)
    custom: frozenset[str] = frozenset()
    if not leg.flavour.custom_tools:
        custom = frozenset(tool.name for tool in read.tools if isinstance(tool, CustomTool))
        prompt = as_functions(prompt)
    plan = Plan(
        client=client,
        flavour=leg.flavour,
        provider=leg.provider,
        model=read.model,
        stream=read.stream,
        seed=leg.seed,
        now=leg.now,
        array=asked.array,
        stream_usage=read.stream_usage,
        custom=custom,
        names=names,
        place=place,
        asked=body,
    )
    told: dict[str, str] = {}

    def warn(warning: str) -> None:
        told.setdefault(_kind(warning), warning)

    for warning in warnings:
        warn(warning)
    written = REQUEST_WRITERS[target].write(prompt, leg.flavour, warn)
    return Translated(written, plan, tuple(told.values()))


def _kind(warning: str) -> str:
    """What warnings of one kind have in common: all but the numbers in ``messages.3.content.0``."""
    field, _, said = warning.partition(": ")
    return f"{re.sub(r'[0-9]+', '', field)}: {said}"


def _with_own_ids(prompt: Prompt) -> Prompt:
    """Calls by the ids that their provider gave them."""
    return _with_parts(prompt, _own_id)


def _own_id(part: Part) -> Part:
    match part:
        case Call() if (own := restore_id(part.id)) != part.id:
            return replace(part, id=own)
        case Result() if (own := restore_id(part.call_id)) != part.call_id:
            return replace(part, call_id=own)
        case _:
            return part


def _fitted(prompt: Prompt, names: Names, target: Dialect) -> Prompt:
    """Ids and names as the provider takes them."""

    def fit(part: Part) -> Part:
        match part:
            case Call():
                call_id, name = fit_id(part.id, target), names.fit(part.name)
                return part if (call_id, name) == (part.id, part.name) else replace(part, id=call_id, name=name)
            case Result():
                call_id, called = fit_id(part.call_id, target), part.name and names.fit(part.name)
                unchanged = (call_id, called) == (part.call_id, part.name)
                return part if unchanged else replace(part, call_id=call_id, name=called)
            case _:
                return part

    prompt = _with_parts(prompt, fit)
    tools = tuple(
        replace(tool, name=names.fit(tool.name)) if isinstance(tool, Tool | CustomTool) else tool
        for tool in prompt.tools
    )
    choice = prompt.tool_choice
    if choice is not None and choice.names:
        choice = replace(choice, names=tuple(names.fit(name) for name in choice.names))
    return replace(prompt, tools=tools, tool_choice=choice)


def _with_parts(prompt: Prompt, change: Callable[[Part], Part]) -> Prompt:
    turns = tuple(
        Turn(turn.role, tuple(change(part) for part in turn.parts), turn.at)
        if any(isinstance(part, Call | Result) for part in turn.parts)
        else turn
        for turn in prompt.turns
    )
    return replace(prompt, turns=turns)


class AnswerTranslator:
    """One answer on its way from the provider's dialect to the client's.

    Takes server-sent events or one JSON document, whichever the provider sends, and gives what the client asked for.
    ``feed`` and ``end`` never give an empty chunk. After ``end`` the other attributes say how it went.
    """

    __slots__ = (
        "_limit",
        "_out",
        "_parser",
        "_plan",
        "_reader",
        "_remembering",
        "_unwrapping",
        "_whole",
        "_writer",
        "failure",
        "finished",
        "model",
        "reason",
        "usage",
    )

    def __init__(self, plan: Plan, memory: Memory, *, limit: int = WHOLE_LIMIT) -> None:
        self._plan = plan
        self._limit = limit
        self._parser: SseParser | None = None
        self._whole: bytearray | None = None
        self._reader = STREAM_READERS[plan.flavour.dialect]()
        self._writer = STREAM_WRITERS[plan.client](plan) if plan.stream else None
        self._out = Answer()
        """The answer so far, of a client that does not read events."""
        self._remembering = Remembering(plan, memory)
        self._unwrapping = Unwrapping() if plan.custom else None
        self.usage: Usage | None = None
        self.reason: str | None = None
        self.model: str | None = None
        self.failure: Failure | None = None
        self.finished = False
        """``End`` or ``Failed`` has been there: nothing more is read."""

    @property
    def complete(self) -> bool:
        """Whether the answer came to its dialect's own end."""
        return self.finished and self.failure is None

    def feed(self, chunk: bytes) -> list[bytes]:
        """The client's bytes for the provider's next ones."""
        if self.finished:
            return []
        if self._parser is None and self._whole is None and not self._begin(chunk):
            return []
        if self._whole is not None:
            self._whole += chunk
            if len(self._whole) > self._limit:
                return self._send([Failed(_broken(f"the provider's answer is larger than {self._limit} bytes"))])
            return []
        assert self._parser is not None
        events: list[Event] = []
        try:
            for event in self._parser.feed(chunk):
                events += self._reader.feed(event)
        except EventTooLarge as error:
            events.append(Failed(Failure.of(error)))
        return self._send(events)

    def end(self, cause: str = "the provider's stream ended before it was complete") -> list[bytes]:
        """The last bytes, once the provider has ended. ``cause``: what to say if the answer is not whole."""
        if self.finished:
            return []
        events: list[Event] = []
        if self._whole is not None:
            events = self._read_whole(bytes(self._whole))
            self._whole = None
        elif self._parser is not None:
            last = self._parser.feed(b"\n\n") if self._parser.rest else []  # some servers leave out the last empty line
            if all(_is_whole(event.data) for event in last):
                for event in last:
                    events += self._reader.feed(event)
                events += self._reader.end()
        if not any(isinstance(event, End | Failed) for event in events):
            events.append(Failed(_broken(cause)))
        return self._send(events)

    def document(self) -> dict[str, object]:
        """The whole answer for a client that does not read events; only if ``complete``."""
        assert self._writer is None and self.complete
        return RESPONSES[self._plan.client].write(self._out, self._plan)

    def _begin(self, chunk: bytes) -> bool:
        start = chunk.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if not start:
            return False
        if start in b"{[":
            self._whole = bytearray()
        else:
            self._parser = SseParser()
        return True

    def _read_whole(self, data: bytes) -> list[Event]:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return [Failed(_broken("the provider's answer is no JSON"))]
        if isinstance(document, list) and self._plan.flavour.dialect is Dialect.GOOGLE:
            return self._read_array(document)
        if not isinstance(document, dict):
            return [Failed(_broken("the provider's answer is no JSON object"))]
        return RESPONSES[self._plan.flavour.dialect].read(document)

    def _read_array(self, elements: list[object]) -> list[Event]:
        events: list[Event] = []
        for element in elements:
            data = json.dumps(element).encode()
            events += self._reader.feed(sse.Event("", data, data))
        return events + self._reader.end()

    def _send(self, events: list[Event]) -> list[bytes]:
        if not events:
            return []
        try:
            return self._pass_on(events)
        except UpstreamError as error:  # it cannot go on: more than may be held
            return self._pass_on([Failed(Failure.of(error))])

    def _pass_on(self, events: list[Event]) -> list[bytes]:
        told: list[Event] = []
        for came in events:
            event = self._told(came)
            if self._unwrapping is None:
                told.append(event)
            else:
                wrapped = isinstance(event, BlockStart) and event.name in self._plan.custom
                told += self._unwrapping.take(event, wrapped=wrapped)
            if self.finished:
                break
        if self._writer is not None:
            out = self._writer.write(told)
            return [out] if out else []
        for event in told:
            self._out.take(event)
        return []

    def _told(self, event: Event) -> Event:
        """Note what the event says, and give it names and ids that the client knows."""
        match event:
            case BlockDelta():
                self._remembering.delta(event)
            case BlockStart(kind="call"):
                event = self._call(event)
                self._remembering.take(event)
            case Begin():
                self.model = event.model
            case Counts(usage):
                self.usage = usage if self.usage is None else merged(self.usage, usage)
            case Finish(reason):
                self.reason = reason
            case End():
                self.finished = True
            case Failed(failure):
                self.finished, self.failure = True, failure
            case Ping():
                pass
            case _:
                self._remembering.take(event)
        return event

    def _call(self, start: BlockStart) -> BlockStart:
        name = self._plan.names.restore(start.name or "")
        own = start.id or f"call_{self._plan.seed}_{start.index}"
        return replace(
            start, id=fit_id(own, self._plan.client), name=name, custom=start.custom or name in self._plan.custom
        )


def _is_whole(data: bytes) -> bool:
    """Whether an event that no empty line ends was not cut."""
    try:
        json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return data.startswith(b"[DONE]")
    return True


def _broken(message: str) -> Failure:
    return Failure.of(UpstreamError(message))
