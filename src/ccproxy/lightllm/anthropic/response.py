"""Answers of the Messages API as one document, read and written (Anthropic API reference, "Create a Message").

What Anthropic's own tools did is left out: blocks of any type but those below, and so are marks of a compaction or of
a change of models.

=====================  ==============================================================================================
text                   ``text``; ``refusal`` is written as text, too
thinking               ``thinking``, without text where ``display`` is ``omitted``
redacted_thinking      ``redacted``
tool_use               ``call``
=====================  ==============================================================================================

Toward a client, thoughts are signed with ``FOREIGN``: their true signature is kept for their provider. Those of which
only a signature is known are not shown, and neither are pictures, for which an answer has no block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ccproxy.lightllm.answer import Answer, Block
from ccproxy.lightllm.anthropic.arguments import whole_arguments
from ccproxy.lightllm.anthropic.errors import decode_failure
from ccproxy.lightllm.anthropic.usage import counts, normalise
from ccproxy.lightllm.ending import mapping, word
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
)
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import KIND_STATUS, Failure, dump

REASONS: Final[dict[str, Reason]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool",
    "pause_turn": "paused",
    "compaction": "paused",
    "refusal": "refused",
    "model_context_window_exceeded": "context",
}
WORDS: Final[dict[Reason, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context": "model_context_window_exceeded",
    "tool": "tool_use",
    "filtered": "refusal",
    "refused": "refusal",
    "paused": "pause_turn",
    "other": "end_turn",
}
KINDS: Final[dict[str, BlockKind]] = {
    "text": "text",
    "thinking": "thinking",
    "redacted_thinking": "redacted",
    "tool_use": "call",
}
"""The types of block that are read."""


def read(body: Mapping[str, object]) -> list[Event]:
    """Read a whole answer, or an error in its place."""
    content = body.get("content")
    if body.get("type") == "error" or "error" in body:
        return [Failed(provider_failure(dump(body)))]
    if not isinstance(content, list):
        return [Failed(broken("the provider's answer is no message of the Messages API"))]
    events: list[Event] = [Begin(word(body.get("id")), word(body.get("model")))]
    index, called = 0, False
    for block in content:
        if found := read_block(mapping(block), index):
            events += found
            called = called or block_kind(mapping(block)) == "call"
            index += 1
    usage = normalise(mapping(body.get("usage")))
    if usage is not None:
        events.append(Counts(usage))
    if (reason := word(body.get("stop_reason"))) is not None:
        events.append(Finish(read_reason(reason, called=called), word(body.get("stop_sequence"))))
    return [*events, End()]


def read_reason(reason: str, *, called: bool) -> Reason:
    """Why the model stopped. ``called``: it calls tools, and so waits for them, whatever the word says."""
    found = REASONS.get(reason, "other")
    if found == "stop" and called:
        return "tool"
    return "stop" if found == "tool" and not called else found


def block_kind(block: Mapping[str, object]) -> BlockKind | None:
    """The kind of a block, as far as it is one that is read and has what makes it that."""
    kind = KINDS.get(str(block.get("type")))
    if (kind == "call" and word(block.get("name")) is None) or (kind == "redacted" and not _signature(kind, block)):
        return None
    return kind


def read_block(block: Mapping[str, object], index: int) -> list[Event]:
    """A whole block; nothing if it is of no kind."""
    kind = block_kind(block)
    if kind is None:
        return []
    start = BlockStart(index, kind)
    events: list[Event] = []
    given = block.get("text" if kind == "text" else "thinking")
    if kind == "call":
        start = BlockStart(index, kind, word(block.get("id")), word(block.get("name")))
        given = _arguments(block)
    if isinstance(given, str) and given:
        events.append(BlockDelta(index, given))
    citations = block.get("citations") if kind == "text" else None
    for citation in citations if isinstance(citations, list) else []:
        events.append(BlockCitation(index, read_citation(mapping(citation))))
    if signature := _signature(kind, block):
        events.append(BlockSignature(index, signature))
    return [start, *events, BlockStop(index)]


def _signature(kind: BlockKind, block: Mapping[str, object]) -> str | None:
    if kind not in ("thinking", "redacted"):
        return None
    signature = block.get("data" if kind == "redacted" else "signature")
    return signature if isinstance(signature, str) and signature else None


def _arguments(block: Mapping[str, object]) -> str | None:
    try:
        return json.dumps(mapping(block.get("input")), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
        return None


def read_citation(citation: Mapping[str, object]) -> Citation:
    """A citation of any type; the whole block refers to it."""
    url = citation.get("url", citation.get("source"))
    title = citation.get("title", citation.get("document_title"))
    quoted = citation.get("cited_text")
    return Citation(
        url if isinstance(url, str) else None,
        title if isinstance(title, str) else None,
        quoted if isinstance(quoted, str) else None,
    )


def write(answer: Answer, plan: Plan) -> dict[str, object]:
    """The document for a client."""
    blocks = [block for block in answer.blocks if isinstance(block, Block)]
    content = [written for block in blocks if (written := _written(block, signed=plan.signed)) is not None]
    reason, sequence = stop_reason(answer.reason, answer.sequence, [block.kind for block in blocks])
    return {
        "id": message_id(answer.id, plan),
        "type": "message",
        "role": "assistant",
        "model": answer.model or plan.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": counts(answer.usage),
    }


def message_id(given: str | None, plan: Plan) -> str:
    """The provider's id if it is one of this API; else one of the exchange, since other APIs' ids may come twice."""
    return given if given is not None and given.startswith("msg_") else f"msg_{plan.seed}"


def stop_reason(reason: Reason | None, sequence: str | None, kinds: Iterable[BlockKind]) -> tuple[str, str | None]:
    """The API's words for why the model stopped: ``stop_reason`` and ``stop_sequence``, which is there or not with it.

    A model that ends with words for not answering has refused, and only one that calls waits for tools.
    """
    kinds = set(kinds)
    if reason is None or (reason == "tool" and "call" not in kinds):
        reason = "tool" if "call" in kinds else "stop"
    if reason == "stop" and "refusal" in kinds:
        reason = "refused"
    if reason == "stop_sequence" and sequence is None:
        reason = "stop"
    return WORDS[reason], sequence if reason == "stop_sequence" else None


def write_citation(citation: Citation) -> dict[str, object] | None:
    """A citation of the web: the only type that does not refer to a document of the request."""
    if citation.url is None:
        return None
    return {
        "type": "web_search_result_location",
        "cited_text": citation.quoted or "",
        "url": citation.url,
        "title": citation.title,
        "encrypted_index": FOREIGN,
    }


def _written(block: Block, *, signed: bool) -> dict[str, object] | None:
    own = block.signature if signed else None
    match block.kind:
        case "text" | "refusal" if block.text:
            found: dict[str, object] = {"type": "text", "text": block.text}
            if citations := [each for citation in block.citations if (each := write_citation(citation))]:
                found["citations"] = citations
            return found
        case "thinking" if block.text or own is not None:
            return {"type": "thinking", "thinking": block.text, "signature": own or FOREIGN}
        case "call":
            return {
                "type": "tool_use",
                "id": block.id,
                "name": block.name,
                "input": whole_arguments(block.text, custom=block.custom),
            }
        case _:
            return None


def provider_failure(data: bytes) -> Failure:
    """What an error document says that came with no status: its own kind's usual one."""
    found = decode_failure(500, data)
    return replace(found, status=KIND_STATUS[found.kind])


def broken(message: str) -> Failure:
    """An answer that is not as the API has it."""
    return Failure(502, "upstream", message)
