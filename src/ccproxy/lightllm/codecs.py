"""The dialect packages behind one interface: whoever reads and writes a dialect goes by this registry.

Each package has these modules, with these members:

====================  =============================================================================================
``request_reader``    ``read(body, asked) -> Prompt``: raises BadRequest, naming the field, for a body that no server
                      of the dialect would take
``request_writer``    ``write(prompt, flavour, warn) -> dict``: a prompt that ``loss.sift`` has passed; key order is the
                      dialect's usual one. ``warn`` is told what else is left out or changed, once for each kind; a
                      mere change of notation is not told
``stream_reader``     ``StreamReader()`` with ``feed(event) -> list[Event]`` for each server-sent event and
                      ``end() -> list[Event]`` once, when no more will come
``stream_writer``     ``StreamWriter(plan)`` with ``write(events) -> bytes``, empty if there is nothing to send; raises
                      UpstreamError for more than it may hold, and is then told ``Failed``
``response``          ``read(body) -> list[Event]``: a whole answer; ``write(answer, plan) -> dict``: the same from one
``usage``             ``normalise`` and ``counts(usage) -> dict``, its counterpart
``errors``            see ``failure``
====================  =============================================================================================

A reader keeps the order that ``events`` promises, whatever comes in: a ``BlockStop`` for every block before ``Finish``,
deltas that are not empty, ``End`` only where the dialect's rule of completeness is met, nothing after ``End`` or
``Failed``. What it does not know it skips; data that is no JSON, or not of the dialect's shape, is ``Failed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from ccproxy.lightllm import sse
from ccproxy.lightllm.answer import Answer
from ccproxy.lightllm.anthropic import request_reader as anthropic_request_reader
from ccproxy.lightllm.anthropic import request_writer as anthropic_request_writer
from ccproxy.lightllm.anthropic import response as anthropic_response
from ccproxy.lightllm.anthropic import stream_reader as anthropic_stream_reader
from ccproxy.lightllm.anthropic import stream_writer as anthropic_stream_writer
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import Event
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.google import request_reader as google_request_reader
from ccproxy.lightllm.google import request_writer as google_request_writer
from ccproxy.lightllm.google import response as google_response
from ccproxy.lightllm.google import stream_reader as google_stream_reader
from ccproxy.lightllm.google import stream_writer as google_stream_writer
from ccproxy.lightllm.openai_chat import request_reader as openai_chat_request_reader
from ccproxy.lightllm.openai_chat import request_writer as openai_chat_request_writer
from ccproxy.lightllm.openai_chat import response as openai_chat_response
from ccproxy.lightllm.openai_chat import stream_reader as openai_chat_stream_reader
from ccproxy.lightllm.openai_chat import stream_writer as openai_chat_stream_writer
from ccproxy.lightllm.openai_responses import request_reader as openai_responses_request_reader
from ccproxy.lightllm.openai_responses import request_writer as openai_responses_request_writer
from ccproxy.lightllm.openai_responses import response as openai_responses_response
from ccproxy.lightllm.openai_responses import stream_reader as openai_responses_stream_reader
from ccproxy.lightllm.openai_responses import stream_writer as openai_responses_stream_writer
from ccproxy.lightllm.plan import Asked, Plan, Warn
from ccproxy.lightllm.prompt import Prompt


class RequestReader(Protocol):
    def read(self, body: Mapping[str, object], asked: Asked, /) -> Prompt: ...


class RequestWriter(Protocol):
    def write(self, prompt: Prompt, flavour: Flavour, warn: Warn, /) -> dict[str, object]: ...


class StreamReader(Protocol):
    def feed(self, event: sse.Event, /) -> list[Event]: ...
    def end(self) -> list[Event]: ...


class StreamWriter(Protocol):
    def __init__(self, plan: Plan, /) -> None: ...
    def write(self, events: Sequence[Event], /) -> bytes: ...


class Response(Protocol):
    def read(self, body: Mapping[str, object], /) -> list[Event]: ...
    def write(self, answer: Answer, plan: Plan, /) -> dict[str, object]: ...


REQUEST_READERS: Final[Mapping[Dialect, RequestReader]] = {
    Dialect.ANTHROPIC: anthropic_request_reader,
    Dialect.OPENAI: openai_chat_request_reader,
    Dialect.OPENAI_RESPONSES: openai_responses_request_reader,
    Dialect.GOOGLE: google_request_reader,
}
REQUEST_WRITERS: Final[Mapping[Dialect, RequestWriter]] = {
    Dialect.ANTHROPIC: anthropic_request_writer,
    Dialect.OPENAI: openai_chat_request_writer,
    Dialect.OPENAI_RESPONSES: openai_responses_request_writer,
    Dialect.GOOGLE: google_request_writer,
}
STREAM_READERS: Final[Mapping[Dialect, type[StreamReader]]] = {
    Dialect.ANTHROPIC: anthropic_stream_reader.StreamReader,
    Dialect.OPENAI: openai_chat_stream_reader.StreamReader,
    Dialect.OPENAI_RESPONSES: openai_responses_stream_reader.StreamReader,
    Dialect.GOOGLE: google_stream_reader.StreamReader,
}
STREAM_WRITERS: Final[Mapping[Dialect, type[StreamWriter]]] = {
    Dialect.ANTHROPIC: anthropic_stream_writer.StreamWriter,
    Dialect.OPENAI: openai_chat_stream_writer.StreamWriter,
    Dialect.OPENAI_RESPONSES: openai_responses_stream_writer.StreamWriter,
    Dialect.GOOGLE: google_stream_writer.StreamWriter,
}
RESPONSES: Final[Mapping[Dialect, Response]] = {
    Dialect.ANTHROPIC: anthropic_response,
    Dialect.OPENAI: openai_chat_response,
    Dialect.OPENAI_RESPONSES: openai_responses_response,
    Dialect.GOOGLE: google_response,
}
