"""The wire formats, and how a request says which one it speaks.

=====================  ==========================================================================================
dialect                paths (each with or without its version prefix, any ``/vendor`` prefix before it)
=====================  ==========================================================================================
``anthropic``          ``/v1/messages``, ``/v1/messages/count_tokens``, ``/v1/messages/batches…``
``openai``             ``/v1/chat/completions``
``openai_responses``   ``/v1/responses``, ``/v1/responses/input_tokens``, ``/backend-api/codex/responses``
``google``             ``/v1|v1beta|v1alpha/models/M:action``, ``/v1internal:action``; the colon also as ``%3A``
by the headers         ``/v1/models``, ``/v1/models/M``: all vendors list their models at the same path
=====================  ==========================================================================================

The path decides, the query is no part of it. A header never turns one API into another: a chat completion that
carries ``anthropic-version`` is still a chat completion. A version is ``/v`` and a digit; what it versions follows
it directly, so ``/v1/threads/T/messages`` is not the Messages API. Without a version at most two segments may stand
in front.

>>> found = classify("POST", "/anthropic/v1/messages/count_tokens?beta=true", Headers())
>>> found.dialect, found.operation, found.suffix
(<Dialect.ANTHROPIC: 'anthropic'>, 'count_tokens', '/count_tokens')
>>> classify("POST", "/gemini/v1beta/models/gemini-2.5-pro%3AstreamGenerateContent", Headers()).model
'gemini-2.5-pro'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import unquote

from ccproxy.headers import Headers

type Operation = Literal["generate", "count_tokens", "models", "other"]


class Dialect(StrEnum):
    """A wire format that clients and providers speak."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    OPENAI_RESPONSES = "openai_responses"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a request path asks for."""

    dialect: Dialect | None = None
    """None: the path belongs to no API that is known here."""
    operation: Operation = "other"
    model: str | None = None
    """Only where the path names it (google)."""
    action: str | None = None
    """Google's verb after the colon, ``streamGenerateContent``."""
    suffix: str = ""
    """What follows the operation's own path, ``/batches/1`` or ``/count_tokens``; it survives a redirect."""


_UNKNOWN: Final = Endpoint()

# What may stand before an operation: anything that ends in a version (Google's OpenAI endpoint adds /openai to it),
# or, with no version, up to two vendor segments. OpenAI's threads have messages of their own.
_PREFIX: Final = r"(?:(?:/[^/]*)*?/v\d\w*(?:/openai)?|(?:/(?!v\d|threads/)[^/]+){0,2})"
_OPERATION: Final = re.compile(_PREFIX + r"/(messages|responses|models)(/.*)?")
# Two words in a row are enough to know it, behind any gateway (/openai/deployments/D/chat/completions).
_CHAT: Final = re.compile(r"(?:/[^/]*)*?/chat/completions(/.*)?")
# Anchored at the end, so that a model's name may hold a colon or a slash of its own.
_ACTION: Final = re.compile(r"(?::|%3[Aa])([A-Za-z]{1,64})/?\Z")
_ONLY_GOOGLE: Final = re.compile(r"/v\d+(?:beta|alpha)\d*/models\b")
_QUERY_KEY: Final = re.compile(r"[?&]key=")

_GOOGLE_OPERATION: Final[dict[str, Operation]] = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "count_tokens",
}
# Other vendors' models on Vertex AI are called in the vendor's own format, not in Google's.
_FOREIGN_ACTION: Final = frozenset({"rawPredict", "streamRawPredict"})
_NAMED: Final = {"messages": Dialect.ANTHROPIC, "responses": Dialect.OPENAI_RESPONSES}
_COUNT: Final = {Dialect.ANTHROPIC: "/count_tokens", Dialect.OPENAI_RESPONSES: "/input_tokens"}


def classify(method: str, path: str, headers: Headers) -> Endpoint:
    """Tell which API, and which of its operations, a request asks for.

    ``path`` is the raw request target, percent-encoding and query included. Costs under 3 µs.
    """
    bare = path.partition("?")[0]
    if (":" in bare or "%" in bare) and (found := _google(method, bare)) is not None:
        return found
    if (match := _CHAT.fullmatch(bare)) is not None:
        return _endpoint(Dialect.OPENAI, method, match[1])
    if (match := _OPERATION.fullmatch(bare)) is None:
        return _UNKNOWN
    name, rest = match.groups()
    if name == "models":
        return Endpoint(_models_dialect(path, headers), "models" if method == "GET" else "other", suffix=rest or "")
    return _endpoint(_NAMED[name], method, rest)


def wants_stream(endpoint: Endpoint, body: dict[str, object] | None, path: str) -> bool:
    """Whether the answer is asked for event by event.

    Google says it in the path (``:streamGenerateContent``, with or without ``alt=sse``), the others in the body.
    ``body`` is None where it is no JSON object.
    """
    if endpoint.operation != "generate":
        return False
    if endpoint.dialect is Dialect.GOOGLE:
        return endpoint.action == "streamGenerateContent"
    return body is not None and body.get("stream") is True


def wants_json_array(endpoint: Endpoint, path: str) -> bool:
    """Whether a Google stream is to be a JSON array, ``[{…},\\n{…}]``: that is so unless the query says ``alt=sse``."""
    if endpoint.dialect is not Dialect.GOOGLE or endpoint.action != "streamGenerateContent":
        return False
    return "alt=sse" not in path.partition("?")[2].split("&")


def _endpoint(dialect: Dialect, method: str, rest: str | None) -> Endpoint:
    if rest is None or rest == "/":
        return Endpoint(dialect, "generate" if method == "POST" else "other")
    counted = method == "POST" and rest.rstrip("/") == _COUNT.get(dialect)
    return Endpoint(dialect, "count_tokens" if counted else "other", None, None, rest)


def _google(method: str, bare: str) -> Endpoint | None:
    """``/models/M:action`` or ``/v1internal:action``; None if the path is of neither form."""
    tail = bare.rfind("/", 0, -1)
    match = _ACTION.search(bare, tail + 1)
    if match is None:
        return None
    model = None
    resource = bare[: match.start()]
    if not resource.endswith("/v1internal"):
        _, found, model = resource.partition("/models/")
        if not found:
            _, found, model = resource.partition("/tunedModels/")
        if not model:
            return None
        model = unquote(model)
    action = match[1]
    if action in _FOREIGN_ACTION:
        return _UNKNOWN
    operation = _GOOGLE_OPERATION.get(action, "other") if method == "POST" else "other"
    return Endpoint(Dialect.GOOGLE, operation, model, action)


def _models_dialect(path: str, headers: Headers) -> Dialect:
    if _ONLY_GOOGLE.search(path) is not None:
        return Dialect.GOOGLE
    if "anthropic-version" in headers or "x-api-key" in headers:
        return Dialect.ANTHROPIC
    if "x-goog-api-key" in headers or _QUERY_KEY.search(path) is not None:
        return Dialect.GOOGLE
    return Dialect.OPENAI
