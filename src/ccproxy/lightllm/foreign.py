"""Thoughts of another provider, taken out of a request that goes to the client's own.

A client of the Messages or the Responses API was shown another provider's thoughts with ``memory.FOREIGN`` for a
signature, and brings them back when its conversation goes on. Where the provider behind it now is one of its own
format, nothing is translated, and that provider would refuse a signature that it did not give. All other bytes stay.

>>> without_foreign(Dialect.ANTHROPIC, b'{"messages": [{"role": "assistant", "content": [{"type": "thinking", '
...     b'"thinking": "a", "signature": "' + FOREIGN_BYTES + b'"}, {"type": "text", "text":  "b"}]}]}')
b'{"messages": [{"role": "assistant", "content": [{"type": "text", "text":  "b"}]}]}'
"""

from __future__ import annotations

from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.json_edit import JsonError, loads, rearrange, spans
from ccproxy.lightllm.memory import FOREIGN

FOREIGN_BYTES: Final = FOREIGN.encode()
"""What to look for before anything is parsed."""
SIGNING: Final = frozenset({Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES})
"""The dialects in which thoughts have a signature, and so are shown with FOREIGN."""


def without_foreign(dialect: Dialect, raw: bytes) -> bytes:
    """The body without thoughts of other providers; the same object if there are none, or it cannot be edited."""
    try:
        document = loads(raw)
        match dialect:
            case Dialect.ANTHROPIC:
                return _without_thinking(raw, document)
            case Dialect.OPENAI_RESPONSES:
                return _without_reasoning(raw, document)
            case _:
                return raw
    except (JsonError, KeyError):  # a key that occurs twice, say: its provider will judge it
        return raw


def _without_thinking(raw: bytes, document: object) -> bytes:
    messages = _list(document, "messages")
    foreign = {
        at: [part for part, block in enumerate(blocks) if _is_foreign(block, "thinking", "signature")]
        for at, message in enumerate(messages)
        if (blocks := _list(message, "content"))
    }
    if not any(foreign.values()):
        return raw
    places = spans(raw, ("messages",))
    items: list[int | bytes] = []
    for at, message in enumerate(messages):
        if not (gone := foreign.get(at)):
            items.append(at)
        elif rest := [part for part in range(len(_list(message, "content"))) if part not in gone]:
            items.append(rearrange(raw[places[at].start : places[at].end], ("content",), rest))
    return rearrange(raw, ("messages",), items)


def _without_reasoning(raw: bytes, document: object) -> bytes:
    items = _list(document, "input")
    kept = [at for at, item in enumerate(items) if not _is_foreign(item, "reasoning", "encrypted_content")]
    return raw if len(kept) == len(items) else rearrange(raw, ("input",), kept)


def _list(value: object, key: str) -> list[object]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _is_foreign(value: object, kind: str, slot: str) -> bool:
    return isinstance(value, dict) and value.get("type") == kind and value.get(slot) == FOREIGN
