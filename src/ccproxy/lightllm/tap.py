"""What can be learnt of a stream while it is passed on untouched: tokens, stop reason, model, and whether it is whole.

Complete means: ``message_stop`` | a ``finish_reason`` or ``[DONE]`` | ``response.completed``, ``.incomplete`` or
``.failed`` | a Gemini ``finishReason`` (or a prompt's ``blockReason``); and the stream does not end inside an event.

Nothing is parsed while the stream runs. Each chunk is searched once for the few events that matter, of which there are
at most four kinds in a dialect, and the last of each kind is kept; they are read when somebody asks.

>>> tap = StreamTap(Dialect.OPENAI)
>>> tap.feed(b'data: {"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]}\\n\\ndata: [DO')
>>> tap.stop_reason, tap.complete, tap.mid_event
('stop', False, True)
>>> tap.feed(b'NE]\\n\\n')
>>> tap.complete, tap.mid_event
(True, False)
"""

from __future__ import annotations

import json
import re
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Ending, salvage
from ccproxy.lightllm.failure import decode_stream_failure
from ccproxy.lightllm.framing import ArrayFraming, EventFraming, data_of
from ccproxy.lightllm.status import Cut, Failure, dump
from ccproxy.lightllm.usage import READERS, Usage

_DONE: Final = b"[DONE]"
_SEQUENCE: Final = re.compile(rb'"sequence_number"\s*:\s*(\d{1,12})')


class StreamTap:
    """Watches one answer of a known dialect: an event stream, or Google's JSON array. Its memory is bounded."""

    __slots__ = ("_ending", "_framing", "_kept", "_named", "_numbered", "_reader", "_sequence", "dialect")

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._reader = READERS[dialect]
        self._framing: EventFraming | ArrayFraming | None = None
        self._kept: dict[str, bytes] = {}  # events by kind, in order of arrival
        self._named = dialect is Dialect.GOOGLE  # whether the event that names the model is there
        self._numbered = dialect is Dialect.OPENAI_RESPONSES
        self._sequence = b""
        self._ending: Ending | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, cut anywhere. Content encoding is removed already."""
        framing = self._framing
        if framing is None:
            if not (begun := chunk.lstrip()):
                return
            array = self.dialect is Dialect.GOOGLE and begun.startswith(b"[")
            self._framing = framing = ArrayFraming() if array else EventFraming()
        self._ending = None
        if isinstance(framing, ArrayFraming):
            framing.feed(chunk)
        elif region := framing.feed(chunk):
            self._search(framing, region)

    @property
    def usage(self) -> Usage | None:
        """The counts so far."""
        counts = self._read().counts
        return self._reader.normalise(counts) if counts else None

    @property
    def stop_reason(self) -> str | None:
        """The provider's own word for why it stopped."""
        return self._read().stop_reason

    @property
    def model(self) -> str | None:
        """The model that the provider says it used."""
        return self._read().model

    @property
    def complete(self) -> bool:
        """Whether the stream, if it ended now, would be a whole answer.

        A last event that is all there but for its final line end counts: clients differ in whether they read it, so
        close it with ``b"\\n\\n"`` (``mid_event`` is then true as well).
        """
        if not self._read().finished:
            return False
        if isinstance(self._framing, ArrayFraming):
            return self._framing.closed
        return not self.mid_event or bool(self._last())

    @property
    def mid_event(self) -> bool:
        """Whether the stream ends inside an event."""
        match self._framing:
            case None:
                return False
            case ArrayFraming() as array:
                return array.mid_event
            case EventFraming() as events:
                return events.rest is not None

    @property
    def error(self) -> Failure | None:
        """The error that the provider told in the middle of the stream."""
        if not self._read().failed:
            return None
        if isinstance(self._framing, ArrayFraming):
            return decode_stream_failure(self.dialect, dump({"error": salvage(self._framing.tail, "error")}))
        data = next(data for data in reversed(self._data()) if self._read_one(data).failed)
        return decode_stream_failure(self.dialect, data)

    @property
    def cut(self) -> Cut:
        """What an error event needs to know to be put at the end of what has passed."""
        match = _SEQUENCE.search(self._sequence)
        return Cut(
            self.mid_event,
            int(match[1]) + 1 if match is not None else 0,
            isinstance(self._framing, ArrayFraming),
            self._framing is None,
        )

    def _search(self, framing: EventFraming, region: bytes) -> None:
        found: list[tuple[int, str]] = []
        for kind, mark in self._reader.MARKS.items():
            last = None
            for last in mark.finditer(region):  # noqa: B007 (the last one is what is wanted)
                pass
            if last is not None:
                found.append((last.start(), kind))
        if not self._named and (position := region.find(b'"model"')) >= 0:
            found.append((position, "model"))
            self._named = True
        found.sort()
        end, event = -1, b""
        for position, kind in found:
            if position >= end:
                start, end = framing.bounds(region, position)
                event = region[start:end]
            self._kept.pop(kind, None)
            self._kept[kind] = event
        if self._numbered and (position := region.rfind(b'"sequence_number"')) >= 0:
            self._sequence = region[position : position + 48]

    def _read(self) -> Ending:
        if self._ending is None:
            ending = Ending()
            for data in self._data():
                ending = ending.merge(self._read_one(data))
            self._ending = ending
        return self._ending

    def _data(self) -> list[bytes]:
        """The data of the events that were kept, in order."""
        if isinstance(self._framing, ArrayFraming):
            return [bytes(self._framing.tail)]
        return [*(data_of(event) or b"" for event in self._kept.values()), *self._last()]

    def _last(self) -> tuple[bytes, ...]:
        """The last event's data, if all of it is there and only its end is missing."""
        rest = self._framing.rest if isinstance(self._framing, EventFraming) else None
        return (rest,) if rest is not None and (rest == _DONE or _parse(rest) is not None) else ()

    def _read_one(self, data: bytes) -> Ending:
        if data == _DONE:
            return Ending(finished=True)
        document = _parse(data)
        return self._reader.read_event(document) if document is not None else self._reader.read_remains(data)


def _parse(data: bytes) -> dict[str, object] | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
