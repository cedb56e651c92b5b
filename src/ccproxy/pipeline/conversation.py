"""Which conversation a request belongs to: requests that begin with the same words of the user do.

>>> first_user_text(Dialect.OPENAI, {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
'hi'
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from ccproxy.lightllm.dialect import Dialect

_TURNS: Final = {
    Dialect.ANTHROPIC: ("messages", "content"),
    Dialect.OPENAI: ("messages", "content"),
    Dialect.OPENAI_RESPONSES: ("input", "content"),
    Dialect.GOOGLE: ("contents", "parts"),
}


def conversation_id(dialect: Dialect | None, body: object, flow_id: str) -> str:
    """Twelve hex digits of the SHA-256 of the first user text; of the flow's id where there is none."""
    text = first_user_text(dialect, body)
    return sha256((text or f"flow:{flow_id}").encode("utf-8", "surrogatepass")).hexdigest()[:12]


def first_user_text(dialect: Dialect | None, body: object) -> str | None:
    """The first text that the user wrote, in a request's raw body of any wire format."""
    if dialect is None or not isinstance(body, dict):
        return None
    turns, content = _TURNS[dialect]
    envelope = body.get("request")
    if dialect is Dialect.GOOGLE and isinstance(envelope, dict):  # /v1internal
        body = envelope
    if isinstance(body.get(turns), str):
        return str(body[turns])
    for turn in _objects(body.get(turns)):
        if turn.get("role", "user") != "user":
            continue
        if isinstance(turn.get(content), str):
            return str(turn[content])
        for part in _objects(turn.get(content)):
            if isinstance(part.get("text"), str):
                return str(part["text"])
    return None


def _objects(value: object) -> Iterator[dict[str, object]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
