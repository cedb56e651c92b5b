"""One small exchange in each wire format: what a client asks, what a provider answers, what a client reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ccproxy.lightllm.sse import SseParser

DIALECTS = ("anthropic", "openai", "openai_responses", "google")
PAIRS = [(client, provider) for client in DIALECTS for provider in DIALECTS if client != provider]
MODEL = "model-1"
PIECES = ("Hel", "lo, ", "world")
TEXT = "".join(PIECES)
ARRAY_PATH = f"/v1beta/models/{MODEL}:streamGenerateContent"


def ask(client: str, *, stream: bool, **more: Any) -> tuple[str, bytes]:
    """Path and body of a request; ``more`` are further keys of the body."""
    said = {"role": "user", "content": "Say hello"}
    switch = {"stream": True} if stream else {}
    match client:
        case "anthropic":
            return "/v1/messages", dump({"model": MODEL, "max_tokens": 99, "messages": [said], **switch, **more})
        case "openai":
            return "/v1/chat/completions", dump({"model": MODEL, "messages": [said], **switch, **more})
        case "openai_responses":
            return "/v1/responses", dump({"model": MODEL, "input": "Say hello", **switch, **more})
        case _:
            contents = [{"role": "user", "parts": [{"text": "Say hello"}]}]
            path = f"{ARRAY_PATH}?alt=sse" if stream else f"/v1beta/models/{MODEL}:generateContent"
            return path, dump({"contents": contents, **more})


def ask_count(client: str, **more: Any) -> tuple[str, bytes]:
    """The same for a count of tokens."""
    path, body = ask(client, stream=False, **more)
    document = json.loads(body)
    document.pop("max_tokens", None)
    match client:
        case "anthropic":
            return f"{path}/count_tokens", dump(document)
        case "openai_responses":
            return f"{path}/input_tokens", dump(document)
        case _:
            return path.replace("generateContent", "countTokens"), dump(document)


def marked(mark: str) -> list[tuple[str, str]]:
    """Headers by which ``stand.flow`` finds the request."""
    return [("user-agent", mark)]


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


def sse(*documents: Any) -> list[bytes]:
    """Server-sent events, named where Anthropic and Responses name them."""
    return [
        (f"event: {document['type']}\n" if "type" in document else "").encode() + b"data: " + dump(document) + b"\n\n"
        for document in documents
    ]


def _chat(**delta: Any) -> dict[str, Any]:
    reason = delta.pop("finish", None)
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}


def _response(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m-1", "output": [], **more,
    }  # fmt: skip


def _numbered(*documents: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**document, "sequence_number": number} for number, document in enumerate(documents)]


_PART = {"type": "output_text", "text": "", "annotations": []}
_ITEM = {"id": "msg_1", "type": "message", "role": "assistant"}
_AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_DONE_ITEM = {**_ITEM, "status": "completed", "content": [{**_PART, "text": TEXT}]}
_RESPONSES_USAGE = {"input_tokens": 11, "output_tokens": 3, "total_tokens": 14}
_CHAT_USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
_GOOGLE_USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 3, "totalTokenCount": 14}


def _gemini(text: str, **more: Any) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **more}
    return {"candidates": [candidate], "modelVersion": "m-1", "responseId": "r1"}


EVENTS: dict[str, list[bytes]] = {
    "anthropic": sse(
        {
            "type": "message_start",
            "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in PIECES),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ),
    "openai": [
        *sse(
            _chat(role="assistant", content=""),
            *(_chat(content=piece) for piece in PIECES),
            _chat(finish="stop"),
            {**_chat(), "choices": [], "usage": _CHAT_USAGE},
        ),
        b"data: [DONE]\n\n",
    ],
    "openai_responses": sse(
        *_numbered(
            {"type": "response.created", "response": _response("in_progress")},
            {
                "type": "response.output_item.added", "output_index": 0,
                "item": {**_ITEM, "status": "in_progress", "content": []},
            },
            {"type": "response.content_part.added", **_AT, "part": _PART},
            *({"type": "response.output_text.delta", **_AT, "delta": piece} for piece in PIECES),
            {"type": "response.output_text.done", **_AT, "text": TEXT},
            {"type": "response.content_part.done", **_AT, "part": {**_PART, "text": TEXT}},
            {"type": "response.output_item.done", "output_index": 0, "item": _DONE_ITEM},
            {
                "type": "response.completed",
                "response": _response("completed", output=[_DONE_ITEM], usage=_RESPONSES_USAGE),
            },
        )
    ),
    "google": sse(
        *(_gemini(piece) for piece in PIECES), {**_gemini("", finishReason="STOP"), "usageMetadata": _GOOGLE_USAGE}
    ),
}  # fmt: skip
"""What a provider streams. The first piece of text is in the event of ``FIRST``."""
FIRST = {"anthropic": 2, "openai": 1, "openai_responses": 3, "google": 0}
WHOLE: dict[str, Any] = {
    "anthropic": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": TEXT}],
        "usage": {"input_tokens": 11, "output_tokens": 3},
    },
    "openai": {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-1", "usage": _CHAT_USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    },
    "openai_responses": _response("completed", output=[_DONE_ITEM], usage=_RESPONSES_USAGE),
    "google": {**_gemini(TEXT, finishReason="STOP"), "usageMetadata": _GOOGLE_USAGE},
}  # fmt: skip
"""The same at once."""
TYPES = {
    "anthropic": "text/event-stream; charset=utf-8",
    "openai": "text/event-stream; charset=utf-8",
    "openai_responses": "text/event-stream; charset=utf-8",
    "google": "text/event-stream",
}
ENDS = {"anthropic": b"message_stop", "openai": b"[DONE]", "openai_responses": b"response.completed", "google": b"STOP"}
"""What is in the last event of a whole stream."""
SAID: dict[str, dict[str, Any]] = {
    "anthropic": {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}},
    "openai": {"error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "too_fast"}},
    "openai_responses": {"error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": None}},
    "google": {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}},
}  # fmt: skip
"""A provider's 429."""
ERROR_EVENT: dict[str, bytes] = {
    "anthropic": sse({"type": "error", "error": {"type": "overloaded_error", "message": "too much"}})[0],
    "openai": sse({"error": {"message": "too much", "type": "server_error", "code": "server_is_overloaded"}})[0],
    "openai_responses": sse(
        {
            "type": "response.failed",
            "sequence_number": 4,
            "response": _response("failed", error={"code": "server_is_overloaded", "message": "too much"}),
        }
    )[0],
    "google": sse({"error": {"code": 503, "message": "too much", "status": "UNAVAILABLE"}})[0],
}


def text_of(client: str, body: bytes) -> str:
    """The text in an answer that a client got, streamed or whole."""
    documents = json.loads(body) if body[:1] in b"{[" else list(_data(body))
    return "".join(map(_text(client), documents if isinstance(documents, list) else [documents]))


def usage_of(client: str, body: bytes) -> tuple[int, int]:
    """Tokens in and out, as the answer's last word on them."""
    documents = [json.loads(body)] if body[:1] == b"{" else list(_data(body))
    found = (0, 0)
    for document in documents:
        for holder in (document, document.get("message"), document.get("response")):
            usage = (holder or {}).get("usage") or (holder or {}).get("usageMetadata") or {}
            sent = next((usage[k] for k in ("input_tokens", "prompt_tokens", "promptTokenCount") if k in usage), None)
            keys = ("output_tokens", "completion_tokens", "candidatesTokenCount")
            made = next((usage[k] for k in keys if k in usage), None)
            found = (found[0] if sent is None else sent, found[1] if made is None else made)
    return found


def error_of(client: str, document: Any) -> tuple[str, str]:
    """Type and message of an error answer, or of an error event's data."""
    error = document["error"]
    return str(error["status" if client == "google" else "type"]), str(error["message"])


def _data(body: bytes) -> Iterator[dict[str, Any]]:
    for event in SseParser().feed(body):
        if event.data != b"[DONE]":
            yield json.loads(event.data)


def last_data(body: bytes) -> dict[str, Any]:
    """The last event's document."""
    return list(_data(body))[-1]


def _text(client: str) -> Callable[[dict[str, Any]], str]:
    """Reads the text of one event, or of a whole answer."""
    return {
        "anthropic": _anthropic_text, "openai": _chat_text, "openai_responses": _responses_text, "google": _google_text,
    }[client]  # fmt: skip


def _anthropic_text(document: dict[str, Any]) -> str:
    blocks = document.get("content") or [document.get("delta") or {}]
    return "".join(block.get("text", "") for block in blocks)


def _chat_text(document: dict[str, Any]) -> str:
    said = (choice.get("delta") or choice.get("message") or {} for choice in document["choices"])
    return "".join(each.get("content") or "" for each in said)


def _responses_text(document: dict[str, Any]) -> str:
    if document.get("type") == "response.output_text.delta":
        return str(document["delta"])
    return "".join(part["text"] for item in document.get("output", ()) for part in item.get("content", ()))


def _google_text(document: dict[str, Any]) -> str:
    contents = (candidate.get("content", {}) for candidate in document.get("candidates", ()))
    return "".join(part.get("text", "") for content in contents for part in content.get("parts", ()))
