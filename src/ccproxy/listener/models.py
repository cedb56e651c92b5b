"""``GET /v1/models`` where no provider is asked: what clients expect to find, in the client's own format.

A request with a sentinel goes to its provider, which knows better. Model names as seen 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from ccproxy.config.providers import Provider
from ccproxy.lightllm.dialect import Dialect

CREATED: Final = "2026-11-01T00:00:00Z"
CREATED_AT: Final = 1793491200
KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "anthropic": ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
    "deepseek": ("deepseek-chat", "deepseek-reasoner"),
    "openai": ("gpt-5.1", "gpt-4o"),
    "openai_responses": ("gpt-5.1-codex", "gpt-5.1"),
    "google": ("gemini-2.5-pro", "gemini-2.5-flash"),
    "gemini": ("gemini-2.5-pro", "gemini-2.5-flash"),
    "echo": ("echo",),
}
"""Provider type → model names. Types that are not here name their models by their own endpoint only."""


def model_names(providers: Iterable[Provider]) -> list[str]:
    """The known models of these providers, each once, in the providers' order."""
    return list(dict.fromkeys(name for provider in providers for name in KNOWN.get(provider.type, ())))


def encode_models(dialect: Dialect | None, names: list[str]) -> bytes:
    """The list as the client's API has it (Anthropic and OpenAI: ``data``; Gemini: ``models``)."""
    match dialect:
        case Dialect.ANTHROPIC:
            data: object = {
                "data": [{"type": "model", "id": n, "display_name": n, "created_at": CREATED} for n in names],
                "has_more": False,
                "first_id": names[0] if names else None,
                "last_id": names[-1] if names else None,
            }
        case Dialect.GOOGLE:
            methods = ["generateContent", "streamGenerateContent", "countTokens"]
            data = {
                "models": [
                    {"name": f"models/{n}", "displayName": n, "supportedGenerationMethods": methods} for n in names
                ]
            }
        case _:
            data = {
                "object": "list",
                "data": [{"id": n, "object": "model", "created": CREATED_AT, "owned_by": "ccproxy"} for n in names],
            }
    return json.dumps(data, ensure_ascii=False).encode()
