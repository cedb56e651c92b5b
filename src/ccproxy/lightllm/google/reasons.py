"""Why a model stopped, in Google's words and in ours (Gemini API and Vertex AI references, "FinishReason")."""

from __future__ import annotations

from typing import Final

from ccproxy.lightllm.finish import Reason

REASONS: Final[dict[str, Reason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",  # the service's limit for one request; google-genai asks for the rest by a token
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "LANGUAGE": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "MODEL_ARMOR": "filtered",
    "ESCALATION": "filtered",
    "IMAGE_SAFETY": "filtered",
    "IMAGE_PROHIBITED_CONTENT": "filtered",
    "IMAGE_RECITATION": "filtered",
    "FUNCTION_CALL": "tool",  # no word of Google's, but of servers that play it
    "FINISH_REASON_UNSPECIFIED": "other",
    "OTHER": "other",
    "IMAGE_OTHER": "other",
    "NO_IMAGE": "other",
    "MALFORMED_FUNCTION_CALL": "other",
    "UNEXPECTED_TOOL_CALL": "other",
    "TOO_MANY_TOOL_CALLS": "other",
    "MISSING_THOUGHT_SIGNATURE": "other",
    "MALFORMED_RESPONSE": "other",
    "PUP_LIMITED_DISABLED": "other",
}

BROKEN: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
    }
)
"""The service could make nothing of what the model wrote. If there is nothing else, that is no answer."""

WORDS: Final[dict[Reason, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool": "STOP",  # calls are seen by their parts
    "length": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "paused": "MAX_TOKENS",
    "filtered": "PROHIBITED_CONTENT",
    "refused": "SAFETY",
    "other": "OTHER",
}


def reason_of(word: str, *, calls: bool) -> Reason:
    """Our word for Google's. ``calls``: the model has called functions of the client's.

    >>> reason_of("STOP", calls=True), reason_of("A_NEW_ONE", calls=False)
    ('tool', 'other')
    """
    reason = REASONS.get(word, "other")
    if reason in ("stop", "tool"):
        return "tool" if calls else "stop"
    return reason
