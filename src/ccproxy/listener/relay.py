"""A provider's answer on its way to a client of another dialect.

==============  ===========================================================================================
``Streamed``    the client reads events: each is sent as soon as the provider has said enough for it
``Held``        the client reads a whole answer: nothing is sent, not even the status, before it is settled
==============  ===========================================================================================

Both are fed the provider's bytes, decoded and scrubbed, and give the client's. What a ``Held`` one is fed goes into a
``Sink``: the model's answer (``Generated``), or something short that is read at once (``Collected``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ccproxy.errors import RequestError, UpstreamError
from ccproxy.flows.record import FlowRecord
from ccproxy.lightllm.count import read_count, write_count
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.failure import Cut, Failure, decode_failure, encode_failure, encode_stream_failure
from ccproxy.lightllm.json_edit import dumps
from ccproxy.lightllm.translate import AnswerTranslator
from ccproxy.listener.answer import Capture
from ccproxy.listener.api_headers import retry_after

COLLECTED_BYTES: Final = 1 << 20
"""Most bytes that are read of an error, or of a count."""
UNCOUNTED: Final = frozenset({404, 405, 501})
"""How a provider says that it does not count tokens."""
DEFECT: Final = Failure(500, "internal", "the answer could not be translated; ccproxy's log has the details")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whole:
    """What a client is told at once."""

    status: int
    body: bytes
    failure: Failure | None = None
    retry_after: str | None = None
    """Seconds, where the body said it and no header."""


class Streamed:
    """The client reads events. What it is given is never empty."""

    holds_head: Final = False

    def __init__(self, translator: AnswerTranslator, client: Dialect, capture: Capture) -> None:
        self.translator = translator
        self.client = client
        self.capture = capture
        """What the client got."""
        self.defect: Failure | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        """The client's bytes for the provider's next ones."""
        return self.captured(lambda: self.translator.feed(chunk))

    def end(self, cause: str) -> list[bytes]:
        """The last bytes: there is no more of the provider's. ``cause``: what to say of an answer that is not whole."""
        return self.captured(lambda: self.translator.end(cause))

    def captured(self, step: Callable[[], list[bytes]]) -> list[bytes]:
        if self.defect is not None:
            return []
        try:
            out = step()
        except Exception:  # the edge: the client must learn that its answer is not whole
            log.exception("an answer could not be translated to %s", self.client)
            self.defect = DEFECT
            out = [encode_stream_failure(self.client, DEFECT, Cut(empty=not self.capture.size))]
        for each in out:
            self.capture.add(each)
        return out

    @property
    def complete(self) -> bool:
        """The client has a whole answer."""
        return self.defect is None and self.translator.complete

    @property
    def has_enough(self) -> bool:
        """The client has been told of a failure; what the provider still says is of no use."""
        return self.defect is not None or self.translator.failure is not None

    def note(self, record: FlowRecord) -> None:
        """Write in the record what is known at the end."""
        note(record, self.translator, self.defect)


class Sink(Protocol):
    """Takes a provider's answer, and says what the client is told."""

    @property
    def finished(self) -> bool:
        """Nothing that may still come can change it."""

    def feed(self, chunk: bytes) -> None: ...
    def end(self, cause: str) -> None: ...
    def whole(self) -> Whole: ...
    def note(self, record: FlowRecord) -> None: ...


class Held:
    """The client reads a whole answer."""

    def __init__(self, sink: Sink, capture: Capture, settle: Callable[[Whole], None]) -> None:
        """``settle`` sets status and headers, once it is known what the client is told."""
        self.sink = sink
        self.capture = capture
        self.settle = settle
        self.told: Whole | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        if self.told is None:
            self.sink.feed(chunk)
        return self.tell() if self.sink.finished else []

    def end(self, cause: str) -> list[bytes]:
        if self.told is None:
            self.sink.end(cause)
        return self.tell()

    def tell(self) -> list[bytes]:
        """The whole body, once."""
        if self.told is not None:
            return []
        self.told = self.sink.whole()
        self.settle(self.told)
        self.capture.add(self.told.body)
        return [self.told.body]

    @property
    def holds_head(self) -> bool:
        """Status and headers are not known yet."""
        return self.told is None

    @property
    def complete(self) -> bool:
        return self.told is not None and self.told.failure is None

    @property
    def has_enough(self) -> bool:
        """The client has all of its answer. It must not wait for the end of a stream that it does not read."""
        return self.told is not None

    def note(self, record: FlowRecord) -> None:
        self.sink.note(record)
        if self.told is not None and self.told.failure is not None:
            record.error = self.told.failure.message


type Relay = Streamed | Held


class Generated:
    """The model's answer."""

    def __init__(self, translator: AnswerTranslator, client: Dialect) -> None:
        self.translator = translator
        self.client = client
        self.defect: Failure | None = None

    @property
    def finished(self) -> bool:
        return self.translator.finished or self.defect is not None

    def feed(self, chunk: bytes) -> None:
        self.guard(lambda: self.translator.feed(chunk))

    def end(self, cause: str) -> None:
        self.guard(lambda: self.translator.end(cause))

    def whole(self) -> Whole:
        body = self.guard(lambda: dumps(self.translator.document())) if self.translator.complete else None
        if body is not None:
            return Whole(200, body)
        failure = self.defect or self.translator.failure or DEFECT
        return Whole(failure.status, encode_failure(self.client, failure), failure)

    def note(self, record: FlowRecord) -> None:
        note(record, self.translator, self.defect)

    def guard[T](self, step: Callable[[], T]) -> T | None:
        if self.defect is not None:
            return None
        try:
            return step()
        except Exception:  # the edge, as above
            log.exception("an answer could not be translated to %s", self.client)
            self.defect = DEFECT
            return None


class Collected:
    """Something short, which ``read`` is given when all of it is there."""

    def __init__(self, read: Callable[[bytes], Whole]) -> None:
        self.read = read
        self.data = bytearray()

    @property
    def finished(self) -> bool:
        return len(self.data) >= COLLECTED_BYTES

    def feed(self, chunk: bytes) -> None:
        self.data += chunk[: COLLECTED_BYTES - len(self.data)]

    def end(self, cause: str) -> None:
        """The status has said what it is; whatever came of the body will do."""

    def whole(self) -> Whole:
        return self.read(bytes(self.data))

    def note(self, record: FlowRecord) -> None: ...


def refusal(provider: Dialect, client: Dialect, status: int, request_id: str | None) -> Callable[[bytes], Whole]:
    """Reads a provider's error."""

    def read(body: bytes) -> Whole:
        if status < 400:
            failure = Failure.of(UpstreamError(f"the provider answered with status {status}, which is no answer"))
        else:
            failure = decode_failure(provider, status, body)
        if failure.request_id is None:
            failure = replace(failure, request_id=request_id)
        return Whole(failure.status, encode_failure(client, failure), failure, retry_after(body))

    return read


def counting(
    provider: Dialect, client: Dialect, status: int, estimate: Callable[[], int], refused: Callable[[bytes], Whole]
) -> Callable[[bytes], Whole]:
    """Reads a count of tokens; where the provider has none to give, ``estimate`` does."""

    def read(body: bytes) -> Whole:
        if status in UNCOUNTED:
            return estimated(client, estimate)
        if status >= 300:
            return refused(body)
        try:
            return Whole(200, dumps(write_count(client, read_count(provider, json.loads(body)))))
        except (UpstreamError, ValueError, RecursionError):
            return estimated(client, estimate)

    return read


def estimated(client: Dialect, estimate: Callable[[], int]) -> Whole:
    """A count that is made here. A request that cannot be read is an error, as at a provider."""
    try:
        return Whole(200, dumps(write_count(client, estimate())))
    except RequestError as error:
        failure = Failure.of(error)
        return Whole(failure.status, encode_failure(client, failure), failure)


def note(record: FlowRecord, translator: AnswerTranslator, defect: Failure | None) -> None:
    """What a translator knows at the end of an answer."""
    record.usage, record.stop_reason = translator.usage, translator.reason
    record.complete = translator.complete and defect is None
    record.model = record.model or translator.model
    if (failure := defect or translator.failure) is not None:
        record.error = record.error or failure.message
