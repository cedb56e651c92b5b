"""Server-sent events and items as short calls, so that a case of a table is one line."""

from __future__ import annotations

import json
from typing import Any

from ccproxy.lightllm import sse
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import Event
from ccproxy.lightllm.flavour import flavour_of
from ccproxy.lightllm.openai_responses.stream_reader import StreamReader
from ccproxy.lightllm.plan import Plan
from tests.lightllm.openai_chat.shorthand import short
from tests.lightllm.translate.grammar import breaches

CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 5.0, "output": []}}
PICTURE = "iVBORw0KGgo="


def event(kind: str, place: object = 0, **more: object) -> dict[str, object]:
    """An event of the item at ``place``."""
    return {"type": f"response.{kind}", "output_index": place, **more}


def text(delta: object, place: object = 0, part: object = 0, **more: object) -> dict[str, object]:
    """A delta of a text."""
    return event("output_text.delta", place, content_index=part, delta=delta, **more)


def added(item: dict[str, Any], place: object = 0) -> dict[str, object]:
    """An item begins."""
    return event("output_item.added", place, item=item)


def done(item: dict[str, Any], place: object = 0) -> dict[str, object]:
    """An item is whole."""
    return event("output_item.done", place, item=item)


def message(*texts: str, **more: object) -> dict[str, object]:
    """A message of the assistant's."""
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": content, **more}


def call(arguments: str = "", name: str | None = "ls", **more: object) -> dict[str, object]:
    """A function call."""
    return {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": name, "arguments": arguments, **more}


def reasoning(*summary: str, **more: object) -> dict[str, object]:
    """A reasoning item."""
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return {"type": "reasoning", "id": "rs_1", "summary": parts, **more}


def completed(*output: object, kind: str = "completed", **more: object) -> dict[str, object]:
    """The last event."""
    response = {"id": "resp_1", "status": kind, "output": list(output), **more}
    return {"type": f"response.{kind}", "response": response}


def feed(*events: object, whole: bool = True) -> list[Event]:
    """All events of a stream, which keep their order; one of the server's may also be raw text."""
    reader = StreamReader()
    found: list[Event] = []
    for each in events:
        data = each.encode() if isinstance(each, str) else json.dumps(each).encode()
        found += reader.feed(sse.Event("", data, data))
    found += reader.end()
    assert not whole or list(breaches(found)) == []
    return found


def read(*events: object) -> list[str]:
    """The same in words, without the beginning and the end of an answer that is whole."""
    words = short(feed(*events))
    return words[1:-2] if words[-1] == "end" and words[-2] == "finish stop" else words[1:]


def plan(**more: object) -> Plan:
    """An exchange of a Responses client with an Anthropic provider."""
    given: dict[str, object] = {
        "client": Dialect.OPENAI_RESPONSES,
        "flavour": flavour_of("anthropic", "api.anthropic.com"),
        "provider": "p",
        "model": "asked",
        "stream": True,
        "seed": "seed",
        "now": 7,
    }
    return Plan(**{**given, **more})  # type: ignore[arg-type]
