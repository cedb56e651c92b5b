"""The stream of ``:streamGenerateContent?alt=sse`` to events: every server-sent event is a chunk, see ``chunks``.

The stream is complete if it ends after a finishReason, or after a prompt's blockReason.

>>> from ccproxy.lightllm.sse import SseParser
>>> data = b'data: {"candidates":[{"content":{"parts":[{"text":"ok"}]},"finishReason":"STOP"}]}\\n\\n'
>>> reader = StreamReader()
>>> [type(event).__name__ for read in SseParser().feed(data) for event in reader.feed(read) + reader.end()]
['Begin', 'BlockStart', 'BlockDelta', 'BlockStop', 'Finish', 'End']
"""

from __future__ import annotations

from pydantic_core import from_json

from ccproxy.lightllm import sse
from ccproxy.lightllm.events import Event
from ccproxy.lightllm.google.chunks import Chunks
from ccproxy.lightllm.google.decode import parse


class StreamReader:
    """One stream."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks = Chunks()

    def feed(self, event: sse.Event) -> list[Event]:
        """The events of a server-sent event."""
        try:
            document: object = from_json(event.data, allow_inf_nan=False)
        except ValueError:
            if event.data.strip() == b"[DONE]":  # what some gateways add
                return []
            try:
                document = parse(event.data)
            except ValueError:
                return self._chunks.fail("the provider's stream has an event that is no JSON")
        if isinstance(document, list):  # a gateway's chunks, or Google's error, as they come without ``alt=sse``
            return [read for each in document for read in self._chunks.take(each)]
        return self._chunks.take(document)

    def end(self) -> list[Event]:
        """What the end of the stream means: ``End``, if it was complete."""
        return self._chunks.end()
