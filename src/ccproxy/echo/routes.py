"""From a request's path and headers to what it wants of which dialect.

It has its own table of paths, as a provider has: what ccproxy believes about paths is not asked here.

=============================================================  ===========================================
``POST [/v1]/messages[/count_tokens]``                          Anthropic Messages
``POST [/v1]/chat/completions``                                 Chat Completions
``POST [/v1]/responses[/input_tokens]``                         Responses
``POST [/v1|/v1beta|/v1alpha]/models/M:generateContent``        Gemini, also ``:streamGenerateContent[?alt=sse]``,
                                                                ``:countTokens``, and with the colon as ``%3A``
``GET  [/v1|/v1beta|/v1alpha]/models[/M]``                      by the headers: Anthropic, Gemini or OpenAI
``GET  /``                                                      200, for a probe
=============================================================  ===========================================

Anything may stand before the version prefix (``/vendor/v1/messages``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ccproxy.lightllm.dialect import Dialect

type Operation = Literal["generate", "count", "models", "root"]


_VERSION = r"(?:.*?/v1(?:beta|alpha)?)?"
_POST: tuple[tuple[re.Pattern[str], Dialect, Operation], ...] = (
    (re.compile(_VERSION + r"/messages"), Dialect.ANTHROPIC, "generate"),
    (re.compile(_VERSION + r"/messages/count_tokens"), Dialect.ANTHROPIC, "count"),
    (re.compile(_VERSION + r"/chat/completions"), Dialect.OPENAI, "generate"),
    (re.compile(_VERSION + r"/responses"), Dialect.OPENAI_RESPONSES, "generate"),
    (re.compile(_VERSION + r"/responses/input_tokens"), Dialect.OPENAI_RESPONSES, "count"),
    (
        re.compile(_VERSION + r"/(?:m|tunedM)odels/(?P<model>.+):(?:generate|streamGenerate)Content"),
        Dialect.GOOGLE,
        "generate",
    ),
    (re.compile(_VERSION + r"/(?:m|tunedM)odels/(?P<model>.+):countTokens"), Dialect.GOOGLE, "count"),
)
_MODELS = re.compile(r"(?:.*?/(?P<version>v1(?:beta|alpha)?))?/models(?:/(?P<model>.+))?")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path means."""

    dialect: Dialect
    operation: Operation
    model: str = ""
    stream: bool = False
    """Asked for by the path (Gemini)."""
    array: bool = False
    """The stream is one JSON array (Gemini without ``alt=sse``)."""


def find(method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Target | None:
    """What this request wants; None for a path that no API has. ``path`` has its escapes resolved."""
    if method == "POST":
        for pattern, dialect, operation in _POST:
            if found := pattern.fullmatch(path):
                streams = path.endswith(":streamGenerateContent")
                array = streams and query.get("alt") != "sse"
                return Target(dialect, operation, found.groupdict().get("model", ""), streams, array)
    elif method in {"GET", "HEAD"}:
        if path == "/":
            return Target(likely(path, headers, query), "root")
        if found := _MODELS.fullmatch(path):
            return Target(likely(path, headers, query), "models", found["model"] or "")
    return None


def likely(path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Dialect:
    """The dialect of a client that asks for something that several APIs have, by its headers."""
    if "anthropic-version" in headers:
        return Dialect.ANTHROPIC
    if "x-goog-api-key" in headers or "key" in query or "/v1beta" in path or "/v1alpha" in path:
        return Dialect.GOOGLE
    return Dialect.OPENAI
