"""What whole answers and streams to a Gemini client have in common: parts, finish reason, head and tail."""

from __future__ import annotations

from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.google.decode import arguments
from ccproxy.lightllm.google.media import standard
from ccproxy.lightllm.google.reasons import WORDS
from ccproxy.lightllm.google.usage import counts
from ccproxy.lightllm.plan import Plan

type Part = dict[str, object]


def call_part(name: str | None, call_id: str | None, text: str, *, custom: bool) -> Part:
    """A call. Its arguments are an object whatever the model wrote; a custom tool's text is its ``input``."""
    args = {"input": text} if custom else arguments(text)
    return {"functionCall": {"name": name or "", "args": args, **({"id": call_id} if call_id else {})}}


def text_part(text: str, *, thought: bool) -> Part:
    """A text, or a thought."""
    return {"text": text, "thought": True} if thought else {"text": text}


def media_part(mime: str, data: str) -> Part:
    """A file that the model made."""
    return {"inlineData": {"mimeType": mime, "data": standard(data)}}


def signed(part: Part, signature: str | None) -> Part:
    """The part with its signature."""
    return part if signature is None else {**part, "thoughtSignature": signature}


def candidate(parts: list[Part], reason: Reason | None, grounding: Part) -> Part:
    """The candidate that ends an answer.

    It has a part even if there is nothing left to say, as Gemini's own: google-genai's chats forget the whole turn if
    the last chunk has none (3.4.0). An answer that was held back has none.
    """
    word = WORDS[reason or "stop"]
    content: Part = {"content": {"parts": parts or [{"text": ""}], "role": "model"}}
    if not parts and reason in ("filtered", "refused"):
        content = {}
    return {**content, "finishReason": word, "index": 0, **({"groundingMetadata": grounding} if grounding else {})}


def answer(ends: Part, usage: Usage | None, model: str | None, response_id: str | None, plan: Plan) -> Part:
    """An answer, or the last chunk of one, with all that stands beside the candidate."""
    return {
        "candidates": [ends],
        "usageMetadata": {} if usage is None else counts(usage),
        "modelVersion": model or plan.model,
        "responseId": response_id or plan.seed,
    }
