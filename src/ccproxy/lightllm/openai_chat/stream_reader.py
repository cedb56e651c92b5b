"""A stream of chunks, read (API reference, "The chat completion chunk object").

Complete means ``[DONE]``, or the stream's end, after a finish reason. A chunk with usage and no choices, which comes
after everything else, is as good as one before ``[DONE]``: Snowflake sends no finish reason (seen 2026-11).

The finish reason may come twice, and text, sources and usage behind it, so ``Finish`` is told with ``End``.
"""

from __future__ import annotations

import json
from typing import Final

from pydantic_core import from_json

from ccproxy.lightllm import sse
from ccproxy.lightllm.ending import Usage, mapping
from ccproxy.lightllm.events import Counts, End, Event, Failed, Ping
from ccproxy.lightllm.openai_chat.choice import Choice
from ccproxy.lightllm.openai_chat.errors import decode_stream_failure
from ccproxy.lightllm.openai_chat.response import (
    BROKEN_OFF,
    begin_of,
    broken,
    error_in,
    finish_of,
    finish_word,
)
from ccproxy.lightllm.openai_chat.usage import normalise

_PING: Final = Ping()


class StreamReader:
    """Reads one stream."""

    __slots__ = ("_begun", "_choice", "_last", "_over", "_sources", "_summed", "_usage")

    def __init__(self) -> None:
        self._choice = Choice()
        self._begun = False
        self._over = False
        self._last: dict[str, object] | None = None
        """The choice that has the finish reason, in its last chunk."""
        self._summed = False
        """The chunk with the usage alone was there."""
        self._usage: Usage | None = None
        self._sources: object = None

    def feed(self, event: sse.Event) -> list[Event]:
        """The events that one chunk amounts to."""
        data = event.data
        if self._over or not data:
            return []
        try:
            chunk = from_json(data)
        except ValueError:
            if data.lstrip().startswith(b"[DONE]"):
                return self._done()
            chunk = _leniently(data)
        if event.event == "error" or (isinstance(chunk, dict) and _is_error(chunk)):
            return self._fail(Failed(decode_stream_failure(data)))
        if not isinstance(chunk, dict):
            return self._fail(broken("the provider sent a chunk that is no JSON object"))
        out: list[Event] = []
        choices = chunk.get("choices")
        if not self._begun and (choices or chunk.get("id") or chunk.get("usage") or "x_groq" in chunk):
            self._begun = True
            out.append(begin_of(chunk))
        if choices and isinstance(choices, list):
            self._summed = False
            for choice in choices:
                if isinstance(choice, dict) and not choice.get("index") and (failed := self._read(choice, out)):
                    return out + self._fail(failed)
        if counts := chunk.get("usage"):
            self._summed = not choices
            self._count(counts, out)
        elif "x_groq" in chunk:
            self._count(mapping(chunk["x_groq"]).get("usage"), out)
        if "citations" in chunk:
            self._sources = chunk["citations"]
        return out or ([_PING] if self._begun and self._last is None else [])

    def end(self) -> list[Event]:
        """The events of the stream's end, if it may end here."""
        return [] if self._over or self._last is None else self._complete()

    def _read(self, choice: dict[str, object], out: list[Event]) -> Failed | None:
        """What the choice says. Gives the failure that it tells of."""
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._choice.take(delta, out)
        elif delta is None:
            self._whole(choice, out)
        if choice.get("finish_reason") is not None and (word := finish_word(choice)) is not None:
            if choice.get("error"):
                return error_in(choice)
            if word in BROKEN_OFF:
                return broken(f"the provider broke its answer off: {word}")
            self._last = choice
        if "usage" in choice:
            self._count(choice["usage"], out)
        if self._choice.broken is not None:
            return broken(f"the provider's answer has {self._choice.broken}")
        return None

    def _whole(self, choice: dict[str, object], out: list[Event]) -> None:
        """In place of a delta some servers send the message at once, or the older ``text``."""
        message, text = choice.get("message"), choice.get("text")
        if isinstance(message, dict):
            self._choice.take(message, out)
        elif isinstance(text, str):
            self._choice.take({"content": text}, out)

    def _count(self, counts: object, out: list[Event]) -> None:
        """Usage at the end, or with every chunk. Moonshot puts it into the choice."""
        usage = normalise(counts) if isinstance(counts, dict) else None
        if usage is not None and usage != self._usage:
            self._usage = usage
            out.append(Counts(usage))

    def _done(self) -> list[Event]:
        if self._last is None and not (self._summed and self._begun):
            return self._fail(broken("the provider ended its stream without saying why it stopped"))
        return self._complete()

    def _complete(self) -> list[Event]:
        out: list[Event] = []
        last = self._last
        self._choice.cite(self._sources, out)
        self._choice.close(out, cut=last is not None and finish_word(last) == "length")
        if self._choice.broken is not None:
            return self._fail(broken(f"the provider's answer has {self._choice.broken}"))
        self._over = True
        if last is not None and (finish := finish_of(last, called=self._choice.called)) is not None:
            out.append(finish)
        out.append(End())
        return out

    def _fail(self, failed: Failed) -> list[Event]:
        self._over = True
        return [failed]


def _is_error(chunk: dict[str, object]) -> bool:
    """An ``error`` key, as the SDKs look for it; vLLM's ``object: error``; a bare message, as DashScope sends it."""
    if "choices" in chunk:
        return bool(chunk.get("error"))
    return bool(chunk.get("error")) or chunk.get("object") == "error" or isinstance(chunk.get("message"), str)


def _leniently(data: bytes) -> object:
    """JSON with halves of surrogate pairs, or in broken UTF-8; None if it is no JSON."""
    try:
        found: object = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return found
