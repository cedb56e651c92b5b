"""Code Assist's envelope (``/v1internal:generateContent``): ``{"model", "project", "request": {…}}``, ``{"response"}``.

Gemini CLI speaks so when a user has logged in with Google.
"""

from __future__ import annotations

from ccproxy.lightllm.google.fields import Json


def is_wrapped(body: Json) -> bool:
    """Whether a client's body is an envelope; then its answer is to be one, too."""
    return isinstance(body.get("request"), dict) and "contents" not in body


def unwrapped(answer: Json) -> Json:
    """The answer, or chunk of one, in an envelope; any other as it is."""
    inner = answer.get("response")
    return inner if isinstance(inner, dict) and "candidates" not in answer else answer
