"""A whole answer of ``:generateContent``: the same document as a chunk of a stream. The tables of finish reasons are in
``reasons``.

>>> events = read({"candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "MAX_TOKENS"}]})
>>> events[-2:]
[Finish(reason='length', sequence=None), End()]
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy.lightllm.answer import Answer, Block
from ccproxy.lightllm.events import Event, Media
from ccproxy.lightllm.google.answer_parts import (
    Part,
    answer,
    call_part,
    candidate,
    media_part,
    signed,
    text_part,
)
from ccproxy.lightllm.google.chunks import Chunks
from ccproxy.lightllm.google.citations import Grounding
from ccproxy.lightllm.google.envelope import is_wrapped
from ccproxy.lightllm.plan import Plan


def read(body: Mapping[str, object]) -> list[Event]:
    """The events of an answer."""
    chunks = Chunks()
    events = chunks.take(dict(body)) + chunks.end()
    return events + chunks.fail("the provider's answer has no finishReason")


def write(folded: Answer, plan: Plan) -> dict[str, object]:
    """The answer as Gemini gives it. Another provider's signatures are left out."""
    parts: list[Part] = []
    grounding = Grounding()
    for block in folded.blocks:
        if isinstance(block, Media):
            parts.append(media_part(block.mime, block.data))
        elif (part := _part(block, block.signature if plan.signed else None)) is not None:
            grounding.cite(block.text, block.citations, part=len(parts))
            parts.append(part)
    reason = folded.reason or "stop"
    ends = candidate(parts, reason, grounding.metadata())
    document = answer(ends, folded.usage, folded.model, folded.id, plan)
    return {"response": document} if is_wrapped(plan.asked) else document


def _part(block: Block, signature: str | None) -> Part | None:
    if block.kind == "call":
        return signed(call_part(block.name, block.id, block.text, custom=block.custom), signature)
    if not block.text and signature is None:
        return None
    return signed(text_part(block.text, thought=block.kind == "thinking"), signature)
