"""A streamed response, read (OpenAI API reference, "Responses", "Streaming events").

``response.created``, then each item of the output from ``output_item.added`` to ``output_item.done`` with its parts
in deltas between, items overlapping or not, and a last event with the whole response. It is complete with
``response.completed`` or ``response.incomplete``; compatible servers leave out most of the rest.

>>> reader = StreamReader()
>>> data = b'{"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hi"}'
>>> reader.feed(sse.Event("response.output_text.delta", data, data))[1:]
[BlockStart(index=0, kind='text', id=None, name=None, custom=False), BlockDelta(index=0, text='hi')]
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from pydantic_core import from_json

from ccproxy.errors import UpstreamError
from ccproxy.lightllm import sse
from ccproxy.lightllm.ending import mapping, word
from ccproxy.lightllm.events import Begin, BlockDelta, Counts, End, Event, Failed, Finish
from ccproxy.lightllm.openai_responses.errors import decode_stream_failure
from ccproxy.lightllm.openai_responses.outcome import reason_of
from ccproxy.lightllm.openai_responses.output_reader import OutputReader
from ccproxy.lightllm.openai_responses.told import Fields, Malformed, array, fields, number, string
from ccproxy.lightllm.openai_responses.usage import normalise
from ccproxy.lightllm.status import Failure, dump

_TEXT_DELTA: Final = "response.output_text.delta"
_ENDS: Final = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}


class StreamReader:
    """One response, event by event."""

    __slots__ = ("_begun", "_output", "_over", "_texts")

    def __init__(self) -> None:
        self._output = OutputReader()
        self._texts = self._output.told["text"]
        self._begun = False
        self._over = False

    def feed(self, event: sse.Event) -> list[Event]:
        """The events that one of the server's amounts to."""
        if self._over:
            return []
        try:
            document = from_json(event.data)
        except ValueError:
            document = self._odd(event.data)
        if not isinstance(document, dict):
            return [] if document is None else self._broken("it is no JSON object")
        kind = document.get("type") or event.event
        if kind == _TEXT_DELTA:  # nearly all of a stream
            try:
                told = self._texts[document["output_index"], document["content_index"]]
                delta = document["delta"]
            except (KeyError, TypeError):
                pass
            else:
                if isinstance(delta, str) and delta and not told.whole:
                    told.size += len(delta)
                    return [BlockDelta(told.index, delta)]
        try:
            return self._take(kind, document, event.data)
        except Malformed as error:
            return self._broken(str(error))

    def end(self) -> list[Event]:
        """Nothing more comes; whether it was all has been said before."""
        return []

    def whole(self, response: Fields) -> list[Event]:
        """The events of an answer that is no stream."""
        status = response.get("status", "completed" if "output" in response else None)
        if status not in _ENDS.values():
            if response.get("error"):
                return [Failed(decode_stream_failure(dump(response)))]
            return self._broken(f"the response is not complete, its status is {word(status)!r}")
        try:
            self._end(str(status), response, dump(response) if response.get("error") else b"")
        except Malformed as error:
            return self._broken(str(error))
        return self._output.taken()

    def _odd(self, data: bytes) -> object:
        """What the quick parser refuses: halves of surrogate pairs, other words than JSON's. None: nothing to read."""
        if data.strip() in (b"", b"[DONE]"):
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return ()

    def _take(self, kind: object, document: Fields, data: bytes) -> list[Event]:
        if not isinstance(kind, str):
            kind = ""
        if kind == "error" or (document.get("error") and not kind.startswith("response.")):
            self._over = True
            return [Failed(decode_stream_failure(data))]
        if (handler := _HANDLERS.get(kind)) is not None:
            if not self._begun:
                self._begin({})
            handler(self, document)
        elif (status := _ENDS.get(kind)) is not None:
            self._end(status, fields(document.get("response") or {}), data)
        elif "response" in document and kind in ("response.created", "response.queued", "response.in_progress"):
            self._begin(fields(document["response"]))
        return self._output.taken()

    def _begin(self, response: Fields) -> None:
        if not self._begun:
            self._begun = True
            created = response.get("created_at")
            at = int(created) if isinstance(created, int | float) and abs(created) < 2**53 else None
            self._output.events.append(Begin(word(response.get("id")), word(response.get("model")), at))

    def _end(self, status: str, response: Fields, data: bytes) -> None:
        output, usage = self._output, mapping(response.get("usage"))
        self._begin(response)
        if (said := word(response.get("status"))) is not None and said in _ENDS.values():
            status = said
        failed = status in ("failed", "cancelled")
        if not failed:
            output.rest(array(response.get("output")))
            incomplete = word(mapping(response.get("incomplete_details")).get("reason"))
            reason = reason_of(status, incomplete)
            if reason == "stop" and (output.called or output.refused):
                reason = "tool" if output.called else "refused"
            output.events.append(Finish(reason))
        if (counts := normalise(usage)) is not None:
            output.events.append(Counts(counts))
        self._over = True
        if failed:
            output.events.append(Failed(_failure(status, response, data)))
        else:
            output.events.append(End())

    def _broken(self, message: str) -> list[Event]:
        """The events up to what is not as it should be, and its end."""
        self._over = True
        failure = Failure.of(UpstreamError(f"the provider's stream cannot be read: {message}"))
        return [*self._output.taken(), Failed(failure)]

    # ------------------------------------------------------------------ one for each kind of event

    def _text(self, document: Fields) -> None:
        self._output.text("text", _place(document), string(document.get("delta")) or "")

    def _refusal(self, document: Fields) -> None:
        self._output.text("refusal", _place(document), string(document.get("delta")) or "")

    def _text_done(self, document: Fields) -> None:
        self._output.text_done("text", _place(document), string(document.get("text")) or "")

    def _refusal_done(self, document: Fields) -> None:
        self._output.text_done("refusal", _place(document), string(document.get("refusal")) or "")

    def _part_done(self, document: Fields) -> None:
        self._output.part_done(_place(document), fields(document.get("part") or {}))

    def _annotation(self, document: Fields) -> None:
        self._output.annotation(_place(document), fields(document.get("annotation") or {}))

    def _summary(self, document: Fields) -> None:
        self._think("summary_index", document, "delta", raw=False)

    def _raw(self, document: Fields) -> None:
        self._think("content_index", document, "delta", raw=True)

    def _summary_done(self, document: Fields) -> None:
        self._think("summary_index", document, "text", raw=False)

    def _raw_done(self, document: Fields) -> None:
        self._think("content_index", document, "text", raw=True)

    def _think(self, index: str, document: Fields, key: str, *, raw: bool) -> None:
        add = self._output.thought if key == "delta" else self._output.thought_part_done
        place, part = number(document.get("output_index")), number(document.get(index))
        add(place, part, string(document.get(key)) or "", raw=raw, id=word(document.get("item_id")))

    def _arguments(self, document: Fields) -> None:
        place = number(document.get("output_index"))
        self._output.arguments(place, string(document.get("delta")) or "", custom=False)

    def _input(self, document: Fields) -> None:
        place = number(document.get("output_index"))
        self._output.arguments(place, string(document.get("delta")) or "", custom=True)

    def _arguments_done(self, document: Fields) -> None:
        place = number(document.get("output_index"))
        self._output.arguments_done(place, string(document.get("arguments")) or "")

    def _input_done(self, document: Fields) -> None:
        self._output.arguments_done(number(document.get("output_index")), string(document.get("input")) or "")

    def _item_added(self, document: Fields) -> None:
        if document.get("item") is not None:  # some servers number what they then leave out
            self._output.added(number(document.get("output_index")), fields(document["item"]))

    def _item_done(self, document: Fields) -> None:
        if document.get("item") is not None:
            self._output.done(number(document.get("output_index")), fields(document["item"]))


_HANDLERS: Final[dict[str, Callable[[StreamReader, Fields], None]]] = {
    "response.reasoning_summary_text.delta": StreamReader._summary,
    "response.reasoning_text.delta": StreamReader._raw,
    "response.reasoning.delta": StreamReader._raw,
    "response.function_call_arguments.delta": StreamReader._arguments,
    "response.custom_tool_call_input.delta": StreamReader._input,
    _TEXT_DELTA: StreamReader._text,
    "response.refusal.delta": StreamReader._refusal,
    "response.output_text.done": StreamReader._text_done,
    "response.refusal.done": StreamReader._refusal_done,
    "response.reasoning_summary_text.done": StreamReader._summary_done,
    "response.reasoning_text.done": StreamReader._raw_done,
    "response.function_call_arguments.done": StreamReader._arguments_done,
    "response.custom_tool_call_input.done": StreamReader._input_done,
    "response.output_text.annotation.added": StreamReader._annotation,
    "response.content_part.done": StreamReader._part_done,
    "response.output_item.added": StreamReader._item_added,
    "response.output_item.done": StreamReader._item_done,
}


def _place(document: Fields) -> tuple[int, int]:
    return number(document.get("output_index")), number(document.get("content_index"))


def _failure(status: str, response: Fields, data: bytes) -> Failure:
    if status == "cancelled" and not response.get("error"):
        return Failure.of(UpstreamError("the provider cancelled the response"))
    return decode_stream_failure(data)
