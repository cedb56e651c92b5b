"""What an SDK made of an answer: the value, and what all SDKs have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
from google.genai import errors as genai_errors
from jiter import from_json

from ccproxy.lightllm.dialect import Dialect

API_ERRORS = (anthropic.APIError, openai.APIError, genai_errors.APIError)

STOPS = {
    Dialect.ANTHROPIC: {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool",
        "refusal": "filtered",
        "pause_turn": "paused",
        "compaction": "paused",
    },
    Dialect.OPENAI: {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool",
        "function_call": "tool",
        "content_filter": "filtered",
    },
    Dialect.OPENAI_RESPONSES: {
        "completed": "stop",
        "max_output_tokens": "length",
        "content_filter": "filtered",
        "failed": "error",
        "cancelled": "error",
    },
    Dialect.GOOGLE: {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        **dict.fromkeys(
            (
                "SAFETY",
                "RECITATION",
                "LANGUAGE",
                "BLOCKLIST",
                "PROHIBITED_CONTENT",
                "SPII",
                "IMAGE_SAFETY",
                "IMAGE_PROHIBITED_CONTENT",
                "IMAGE_RECITATION",
            ),
            "filtered",
        ),
    },
}
"""The vendor's word to the class of it; any other word is ``other``, none at all ``cut``."""

CLIENT_CALLS = frozenset(
    {
        "custom_tool_call",
        "shell_call",
        "local_shell_call",
        "apply_patch_call",
        "computer_call",
        "mcp_approval_request",
        "tool_search_call",
    }
)
"""Items of the Responses API that the client must answer and that no other dialect has."""


class Unfoldable(Exception):
    """The SDK fails at the answer, other than by reporting the API's own error."""


@dataclass(slots=True)
class Folded:
    """What is in an answer."""

    text: str = ""
    """Refusals included."""
    thinking: str = ""
    signatures: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Name and parsed arguments; those that a limit cut off are read as far as they go."""
    stop: str = "cut"
    input: int | None = None
    """Cache reads and writes included."""
    output: int | None = None
    """Reasoning included."""
    cache_read: int | None = None
    refused: bool = False
    """Some of the text is a refusal."""
    foreign: bool = False
    """There were CLIENT_CALLS."""
    streamed: str | None = None
    """Responses: the text as its deltas told it."""
    error: str = ""
    message: object = None
    """The SDK's own object: a Message, ChatCompletion, Response; of Google a list of its chunks."""


def arguments(raw: str | None) -> Any:
    """A call's arguments; what is no JSON, as it is."""
    try:
        return from_json((raw or "").strip().encode("utf-8", "surrogatepass") or b"{}", partial_mode=True)
    except ValueError:
        return raw


def drained(stream: Iterable[Any], keep: Callable[[Any], object]) -> str:
    """Give every event to ``keep``; the API's error that ended the stream, if one did."""
    try:
        for event in stream:
            keep(event)
    except API_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return ""


def ended(folded: Folded, error: str) -> Folded:
    if error:
        folded.stop, folded.error = "error", error
    return folded


def stop_of(dialect: Dialect, word: str | None) -> str:
    return "cut" if word is None else STOPS[dialect].get(word, "other")


class Memory(httpx2.MockTransport):
    """Answers every request with ``body``."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.body = b""

    def _answer(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200, headers={"content-type": media_type(self.body)}, stream=httpx2.ByteStream(self.body)
        )


def media_type(body: bytes) -> str:
    """What the service would say that it is."""
    return "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/event-stream"
