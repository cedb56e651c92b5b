"""A whole chat completion, read and written (API reference, "The chat completion object"), and the words for its end.

>>> read({"id": "1", "choices": [{"message": {"content": "hi"}, "finish_reason": "eos"}]})[-2]
Finish(reason='stop', sequence=None)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.answer import Answer, Block
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import Begin, Citation, Counts, End, Event, Failed, Finish, Media
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.openai_chat import usage
from ccproxy.lightllm.openai_chat.choice import Choice
from ccproxy.lightllm.openai_chat.errors import decode_stream_failure
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Failure

REASONS: Final[dict[str, Reason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool",
    "function_call": "tool",
    "content_filter": "filtered",
    # What compatible servers say, in lower case (seen 2026-11).
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "complete": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "context",
    "model_context_window_exceeded": "context",
    "tool_call": "tool",
    "tool_use": "tool",
    "sensitive": "filtered",
    "safety": "filtered",
    "recitation": "filtered",
    "blocklist": "filtered",
    "prohibited_content": "filtered",
    "refusal": "refused",
    "pause_turn": "paused",
}
"""Their words → ours."""

WORDS: Final[dict[Reason, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context": "length",
    "tool": "tool_calls",
    "filtered": "content_filter",
    "refused": "content_filter",
    "paused": "length",  # there would be more to say
    "other": "stop",
}
"""Our words → those of the reference."""

BROKEN_OFF: Final = frozenset(
    {"error", "network_error", "insufficient_system_resource", "abort", "aborted", "cancelled", "canceled", "failed"}
)
"""Words for an answer that the provider did not bring to its end (OpenRouter, Z.ai, DeepSeek, vLLM; seen 2026-11)."""


def finish_of(choice: Mapping[str, object], *, called: bool) -> Finish | None:
    """Why the choice ended; None if it does not say. ``called``: whether it calls tools."""
    word = finish_word(choice)
    if word is None:
        return None
    reason = REASONS.get(word, "other")
    if reason == "stop":
        # vLLM and SGLang name what they stopped at beside it: the text of a stop sequence, else a token's number.
        met = choice.get("stop_reason") or choice.get("matched_stop")
        if isinstance(met, str) and met.lower() not in REASONS and not called:
            return Finish("stop_sequence", met)
        return Finish("tool" if called else "stop")  # many servers say stop though they call
    return Finish("stop" if reason == "tool" and not called else reason)


def finish_word(choice: Mapping[str, object]) -> str | None:
    """The word itself, in lower case; None for what means that it has not ended."""
    word = choice.get("finish_reason")
    return word.lower() if isinstance(word, str) and word and word != "null" else None


def begin_of(document: Mapping[str, object]) -> Begin:
    """Id, model and time, which are empty in answers of some servers."""
    own, model, created = document.get("id"), document.get("model"), document.get("created")
    return Begin(
        own if isinstance(own, str) and own else None,
        model if isinstance(model, str) and model else None,
        created if isinstance(created, int) and created > 0 else None,
    )


def broken(message: str) -> Failed:
    """The end of an answer of which no sense can be made."""
    return Failed(Failure.of(UpstreamError(message)))


def counts_of(document: Mapping[str, object]) -> Usage | None:
    """The token counts of a chunk or a whole answer, wherever the server puts them."""
    counts = usage.read_event(document).counts
    return usage.normalise(counts) if counts else None


def read(body: Mapping[str, object]) -> list[Event]:
    """The events of a whole answer. An error in its place is ``Failed``, whatever the status was."""
    if body.get("error"):
        return [error_in(body)]
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message", first.get("delta")) if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        return [broken("the provider's answer has no message")]
    if (word := finish_word(first)) in BROKEN_OFF:
        return [broken(f"the provider broke its answer off: {word}")]
    events: list[Event] = [begin_of(body)]
    choice = Choice()
    choice.take(message, events)
    choice.cite(body.get("citations"), events)
    choice.close(events, cut=word == "length")
    if choice.broken is not None:
        return [broken(f"the provider's answer has {choice.broken}")]
    if (counted := counts_of(body)) is not None:
        events.append(Counts(counted))
    events.append(finish_of(first, called=choice.called) or Finish("tool" if choice.called else "stop"))
    events.append(End())
    return events


def error_in(document: Mapping[str, object]) -> Failed:
    """The error that a document, a chunk or a choice holds."""
    try:
        return Failed(decode_stream_failure(json.dumps({"error": document["error"]}).encode()))
    except RecursionError:
        return broken("the provider sent an error that is nested too deeply to be read")


def write(answer: Answer, plan: Plan) -> dict[str, object]:
    """The document of a complete answer."""
    legacy = wants_function_call(plan)
    message = _message(answer, legacy=legacy)
    called = "tool_calls" in message or "function_call" in message
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": word_of(answer.reason, called=called, legacy=legacy),
    }
    written: dict[str, object] = {
        "id": completion_id(answer.id, plan),
        "object": "chat.completion",
        "created": answer.created_at or plan.now,
        "model": answer.model or plan.model,
        "choices": [choice],
    }
    if answer.usage is not None:
        written["usage"] = usage.counts(answer.usage)
    return written


def completion_id(own: str | None, plan: Plan) -> str:
    """The provider's own id as one of this dialect, or a made one."""
    return own if own is not None and own.startswith("chatcmpl-") else f"chatcmpl-{own or plan.seed}"


def wants_function_call(plan: Plan) -> bool:
    """Whether the client declared ``functions``, and so reads ``function_call`` and no ``tool_calls``."""
    return bool(plan.asked.get("functions")) and not plan.asked.get("tools")


def word_of(reason: Reason | None, *, called: bool, legacy: bool) -> str:
    """The word for the end of an answer that calls tools or not: who is told of calls must be told to run them."""
    word = WORDS[reason or "stop"]
    if word in ("stop", "tool_calls"):
        word = ("function_call" if legacy else "tool_calls") if called else "stop"
    return word


def annotation(citation: Citation, start: int, end: int) -> dict[str, object] | None:
    """A citation of the text from ``start`` to ``end`` of the content; None if it names no URL."""
    if citation.url is None:
        return None
    cited = {
        "start_index": start + (citation.start or 0),
        "end_index": end if citation.end is None else start + citation.end,
        "title": citation.title or citation.url,
        "url": citation.url,
    }
    if citation.quoted is not None:
        cited["content"] = citation.quoted  # OpenRouter's
    return {"type": "url_citation", "url_citation": cited}


def picture(media: Media) -> dict[str, object] | None:
    """A picture as OpenRouter has it, the only place that there is for one; None for other media."""
    if not media.mime.startswith("image/"):
        return None
    return {"type": "image_url", "image_url": {"url": f"data:{media.mime};base64,{media.data}"}}


def _message(answer: Answer, *, legacy: bool) -> dict[str, object]:
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[str] = []
    annotations: list[dict[str, object]] = []
    calls: list[dict[str, object]] = []
    said = 0
    for block in answer.blocks:
        if isinstance(block, Media):
            continue
        match block.kind:
            case "text":
                end = said + len(block.text)
                found = (annotation(citation, said, end) for citation in block.citations)
                annotations += [each for each in found if each is not None]
                texts.append(block.text)
                said = end
            case "refusal":
                refusals.append(block.text)
            case "thinking" if block.text:
                thoughts.append(block.text)
            case "call":
                calls.append(_call(block))
            case _:
                pass
    images = [image for block in answer.blocks if isinstance(block, Media) and (image := picture(block)) is not None]
    silent = None if calls or refusals else ""
    message: dict[str, object] = {
        "role": "assistant",
        "content": "".join(texts) if texts else silent,
        "refusal": "".join(refusals) if refusals else None,
    }
    if thoughts:
        message["reasoning_content"] = "\n\n".join(thoughts)
    if annotations:
        message["annotations"] = annotations
    if images:
        message["images"] = images
    if calls and legacy:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message


def _call(block: Block) -> dict[str, object]:
    if block.custom:
        return {"id": block.id, "type": "custom", "custom": {"name": block.name, "input": block.text}}
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": block.text or "{}"}}
