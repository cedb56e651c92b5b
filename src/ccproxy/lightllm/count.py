"""Counting tokens without generating: what a dialect's operation takes and answers.

==================  ============================================  ===================================================
anthropic           ``POST /v1/messages/count_tokens``            ``{"input_tokens": 9}``
openai_responses    ``POST /v1/responses/input_tokens``           ``{"object": "response.input_tokens", …}``
google              ``POST /v1beta/models/M:countTokens``         ``{"totalTokens": 9, …}``
openai              none; a client that asks is answered as by    Responses
==================  ============================================  ===================================================

A counting request is translated as the request to generate that it is about: ``generate_body`` makes that of the
client's body, ``count_body`` the provider's body of what ``translate_request`` made. Where the provider has no such
operation, or its answer cannot be read, ``estimate`` stands in: a client is never told 404.

References: Anthropic "Count tokens in a Message", OpenAI "Get input token counts", Gemini API and Vertex AI
"models.countTokens".

>>> count_body(Dialect.ANTHROPIC, {"model": "m", "max_tokens": 9, "messages": [], "stream": True})
{'model': 'm', 'messages': []}
>>> read_count(Dialect.GOOGLE, {"totalTokens": 31})
31
>>> write_count(Dialect.OPENAI_RESPONSES, 31)
{'object': 'response.input_tokens', 'input_tokens': 31}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import count, mapping
from ccproxy.lightllm.estimate import estimate

__all__ = ["COUNTING", "count_body", "estimate", "generate_body", "read_count", "write_count"]

COUNTING: Final = frozenset({Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE})
"""The dialects that have the operation."""

# The operations refuse what only an answer needs: max_tokens, stream, temperature, metadata.
_TAKEN: Final[dict[Dialect, frozenset[str]]] = {
    Dialect.ANTHROPIC: frozenset(
        {
            "cache_control",
            "context_management",
            "mcp_servers",
            "messages",
            "model",
            "output_config",
            "speed",
            "system",
            "thinking",
            "tool_choice",
            "tools",
        }
    ),
    Dialect.OPENAI_RESPONSES: frozenset(
        {
            "conversation",
            "input",
            "instructions",
            "model",
            "parallel_tool_calls",
            "personality",
            "previous_response_id",
            "reasoning",
            "text",
            "tool_choice",
            "tools",
            "truncation",
        }
    ),
}
_TAKEN_BY_VERTEX: Final = frozenset({"contents", "systemInstruction", "tools", "generationConfig"})


def generate_body(dialect: Dialect, body: Mapping[str, object]) -> dict[str, object]:
    """The request to generate that a client's counting request is about, complete enough to be read."""
    match dialect:
        case Dialect.ANTHROPIC:
            return {**body, "max_tokens": body.get("max_tokens", 1)}
        case Dialect.GOOGLE:
            inner = body.get("generateContentRequest", body.get("generate_content_request"))
            return {**inner} if isinstance(inner, dict) else {**body}
        case _:
            return {**body}


def count_body(
    dialect: Dialect, body: Mapping[str, object], *, model: str = "", vertex: bool = False
) -> dict[str, object]:
    """The counting request for a provider's request to generate.

    ``model`` and ``vertex`` are of use to Google only: the model stands in the path of a request to generate, but in
    the body of this one, unless it is Vertex AI that counts. Without a model, system and tools are not counted.
    """
    match dialect:
        case Dialect.GOOGLE if vertex:
            return {key: value for key, value in body.items() if key in _TAKEN_BY_VERTEX}
        case Dialect.GOOGLE if not model:
            return {"contents": body.get("contents", [])}
        case Dialect.GOOGLE:
            return {"generateContentRequest": {"model": f"models/{model.removeprefix('models/')}", **body}}
        case _:
            taken = _TAKEN.get(dialect)
            return {key: value for key, value in body.items() if taken is None or key in taken}


def read_count(dialect: Dialect, document: object) -> int:
    """The tokens that a provider's answer names. Raises UpstreamError if it is no such answer."""
    key = "totalTokens" if dialect is Dialect.GOOGLE else "input_tokens"
    found = count(mapping(document).get(key))
    if found is None:
        raise UpstreamError(f"the provider's count of tokens has no {key}")
    return found


def write_count(dialect: Dialect, tokens: int) -> dict[str, object]:
    """The answer to a client."""
    match dialect:
        case Dialect.ANTHROPIC:
            return {"input_tokens": tokens}
        case Dialect.GOOGLE:
            return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}
        case _:
            return {"object": "response.input_tokens", "input_tokens": tokens}
