"""An answer of the Gemini API, whole or in chunks of the same shape, to events (reference, "GenerateContentResponse").

A chunk holds what is new of the first candidate's parts, and all counts so far. What shapes the reading:

* A text's signature may come behind it, in a part of its own with no text (Gemini 3, seen 2026-11): a block stays open
  until another begins. A signature with no text that it could belong to is redacted thinking.
* Older models name a finishReason in every chunk: it is told at the end, the last one.
* A chunk may leave out counts that an earlier one had: each count's last value is told.
* An answer that is nothing but a call which the service could not read is a failure: clients ask again, where they
  would take an empty answer for the end of their work.
* What Google's own tools did (executableCode, toolCall and their results) is not shown; it ends a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.ending import Usage, mapping, word
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
)
from ccproxy.lightllm.google import errors
from ccproxy.lightllm.google.citations import read_citations
from ccproxy.lightllm.google.decode import compact
from ccproxy.lightllm.google.envelope import unwrapped
from ccproxy.lightllm.google.media import standard
from ccproxy.lightllm.google.partial_args import PartialArguments
from ccproxy.lightllm.google.reasons import BROKEN, reason_of
from ccproxy.lightllm.google.usage import normalise
from ccproxy.lightllm.status import KIND_STATUS, Failure, dump

_TEXT_LIMIT: Final = 1 << 18
"""Characters of a text in which cited segments are found."""
_CITED_LIMIT: Final = 1000

type Json = Mapping[str, object]


class Chunks:
    """One answer. ``take`` for each chunk, then ``end``."""

    __slots__ = (
        "_begun",
        "_calls",
        "_cited",
        "_counted",
        "_counts",
        "_index",
        "_kind",
        "_message",
        "_next",
        "_partial",
        "_said",
        "_said_size",
        "_signed",
        "_spoke",
        "_word",
        "over",
    )

    def __init__(self) -> None:
        self._begun = False
        self._counts: dict[str, object] = {}
        self._counted: Usage | None = None
        self._kind: BlockKind | None = None
        """Of the block that is open."""
        self._index = -1
        self._next = 0
        self._signed = False
        self._partial: PartialArguments | None = None
        """Arguments of the call that is open: it comes in pieces."""
        self._said: list[str] = []
        self._said_size = 0
        self._cited: set[Citation] = set()
        self._calls = False
        self._spoke = False
        """There is more than thoughts."""
        self._message: object = None
        """The finishMessage."""
        self._word: str | None = None
        """The finishReason, or ``blocked``."""
        self.over = False

    def take(self, document: object) -> list[Event]:
        """The events of a chunk."""
        if self.over:
            return []
        events: list[Event] = []
        try:
            self._chunk(document, events)
        except UpstreamError as error:
            self._fail(Failure.of(error), events)
        return events

    def end(self) -> list[Event]:
        """The last events. Without ``End`` among them the answer is not complete."""
        if self.over or not self._begun:
            return []
        events: list[Event] = []
        if self._word is not None:
            self._close(events)
        self._count(events)
        if self._word in BROKEN and not self._spoke:
            said = f": {self._message}" if isinstance(self._message, str) else ""
            return events + self.fail(f"the model's answer could not be read ({self._word}){said}")
        if self._word is not None:
            reason = "filtered" if self._word == "blocked" else reason_of(self._word, calls=self._calls)
            events += (Finish(reason), End())
            self.over = True
        return events

    def fail(self, message: str) -> list[Event]:
        """The events of an answer that cannot be followed any further."""
        events: list[Event] = []
        if not self.over:
            self._fail(Failure.of(UpstreamError(message)), events)
        return events

    def _fail(self, failure: Failure, events: list[Event]) -> None:
        if self._begun:
            self._count(events)
        events.append(Failed(failure))
        self.over = True

    def _chunk(self, document: object, events: list[Event]) -> None:
        if not isinstance(document, dict):
            raise UpstreamError("the provider's answer has an event that is no JSON object")
        if document.get("error"):
            self._fail(_failure(document), events)
            return
        chunk = document if "candidates" in document else unwrapped(document)
        if not self._begun:
            self._begin(chunk, events)
        counts = chunk.get("usageMetadata")
        if counts is not None:
            if not isinstance(counts, dict):
                raise _malformed("usageMetadata")
            self._counts.update(counts if None not in counts.values() else _known(counts))
            if self._counted is None:
                self._count(events)
        candidates = chunk.get("candidates")
        if not candidates:
            if word(mapping(chunk.get("promptFeedback")).get("blockReason")):
                self._word = self._word or "blocked"
            return
        if not isinstance(candidates, list):
            raise _malformed("candidates")
        for candidate in candidates:
            if not isinstance(candidate, dict):
                raise _malformed("candidates")
            if not candidate.get("index"):
                self._candidate(candidate, events)

    def _begin(self, chunk: Json, events: list[Event]) -> None:
        self._begun = True
        made = chunk.get("createTime")
        created_at = None
        if isinstance(made, str):
            try:
                moment = datetime.fromisoformat(made)
                created_at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
            except (ValueError, OverflowError):
                created_at = None
        events.append(Begin(word(chunk.get("responseId")), word(chunk.get("modelVersion")), created_at))

    def _count(self, events: list[Event]) -> None:
        usage = normalise(self._counts)
        if usage is not None and usage != self._counted:
            self._counted = usage
            events.append(Counts(usage))

    def _candidate(self, candidate: Json, events: list[Event]) -> None:
        content = candidate.get("content")
        if content is not None:
            parts = content.get("parts") if isinstance(content, dict) else ()
            if isinstance(parts, list):
                self._parts(parts, events)
            elif parts is not None:
                raise _malformed("content")
        if candidate.get("groundingMetadata") or candidate.get("citationMetadata"):
            self._cite(candidate, events)
        finish = candidate.get("finishReason")
        if isinstance(finish, str) and finish:
            self._word = finish
            self._message = candidate.get("finishMessage")

    def _parts(self, parts: list[object], events: list[Event]) -> None:
        for part in parts:
            if not isinstance(part, dict):
                raise _malformed("part")
            text = part.get("text")
            if text is None:
                self._other(part, events)
                continue
            if not isinstance(text, str):
                raise _malformed("text")
            kind: BlockKind = "thinking" if part.get("thought") else "text"
            signature = part.get("thoughtSignature")
            if kind != self._kind or signature:
                self._text(kind, text, signature, events)
            elif text:
                events.append(BlockDelta(self._index, text))
                if kind == "text":
                    self._note(text)

    def _text(self, kind: BlockKind, text: str, signature: object, events: list[Event]) -> None:
        """A text of another kind than the open block, or one with a signature, of which a block has one at most."""
        if text:
            if kind != self._kind or (signature and self._signed):
                self._open(kind, events)
            events.append(BlockDelta(self._index, text))
            if kind == "text":
                self._note(text)
        if signature:
            self._sign(kind, signature, events)

    def _sign(self, kind: BlockKind, signature: object, events: list[Event]) -> None:
        if not isinstance(signature, str):
            raise _malformed("thoughtSignature")
        if kind != self._kind or self._signed:
            self._open("redacted", events)
        events.append(BlockSignature(self._index, signature))
        self._signed = True
        if self._kind == "redacted":
            self._close(events)

    def _note(self, text: str) -> None:
        self._said_size += len(text)
        if self._said_size <= _TEXT_LIMIT:
            self._said.append(text)

    def _open(self, kind: BlockKind, events: list[Event], id: str | None = None, name: str | None = None) -> None:
        if self._kind is not None:
            self._close(events)
        self._index = self._next
        self._next += 1
        self._kind = kind
        self._signed = False
        self._spoke = self._spoke or kind in ("text", "call")
        events.append(BlockStart(self._index, kind, id, name))

    def _close(self, events: list[Event]) -> None:
        if self._kind is None:
            return
        if self._partial is not None:
            events.append(BlockDelta(self._index, compact(self._partial.whole())))
            self._partial = None
        events.append(BlockStop(self._index))
        self._kind = None
        self._said = []
        self._said_size = 0

    def _other(self, part: Json, events: list[Event]) -> None:
        signature = part.get("thoughtSignature")
        if (call := part.get("functionCall")) is not None:
            if not isinstance(call, dict):
                raise _malformed("functionCall")
            self._call(call, signature, events)
        elif (blob := part.get("inlineData")) is not None:
            data, mime = mapping(blob).get("data"), mapping(blob).get("mimeType")
            self._close(events)
            if isinstance(data, str) and isinstance(mime, str) and data and mime and not part.get("thought"):
                self._spoke = True
                events.append(Media(self._next, mime, standard(data)))
                self._next += 1
        elif set(part) <= {"thought", "thoughtSignature"}:
            if signature:
                self._sign("thinking" if part.get("thought") else "text", signature, events)
        else:
            self._close(events)

    def _call(self, call: Json, signature: object, events: list[Event]) -> None:
        name, args, pieces = call.get("name"), call.get("args"), call.get("partialArgs")
        if args is not None and not isinstance(args, dict):
            raise _malformed("functionCall.args")
        goes_on = call.get("willContinue") is True
        if isinstance(name, str) and name:
            self._open("call", events, word(call.get("id")), name)
            self._calls = True
            self._partial = PartialArguments(args or {})
        elif self._partial is None:  # the end of a call that had already ended
            return
        elif args:
            self._partial = PartialArguments({**self._partial.whole(), **args})
        if signature and not self._signed:
            self._sign("call", signature, events)
        for piece in pieces if isinstance(pieces, list) else ():
            self._partial.put(mapping(piece))
        if not goes_on:
            self._close(events)

    def _cite(self, candidate: Json, events: list[Event]) -> None:
        """Sources are told of the text that is open; a service tells them with its last piece, or all of them again."""
        if self._kind != "text":
            return
        for citation in read_citations(candidate, "".join(self._said)):
            if citation not in self._cited and len(self._cited) < _CITED_LIMIT:
                self._cited.add(citation)
                events.append(BlockCitation(self._index, citation))


def _known(counts: Json) -> dict[str, object]:
    return {key: value for key, value in counts.items() if value is not None}


def _failure(document: Json) -> Failure:
    data = dump(document)
    code = mapping(document.get("error")).get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return errors.decode_failure(code, data)
    found = errors.decode_failure(500, data)
    return Failure(KIND_STATUS[found.kind], found.kind, found.message, found.request_id, found.code)


def _malformed(what: str) -> UpstreamError:
    return UpstreamError(f"the provider's answer has a {what} that is not of the Gemini API's shape")
