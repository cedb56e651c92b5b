"""The lists of models, in each wire format."""

from __future__ import annotations

from typing import assert_never

from ccproxy.echo.wire import CREATED, CREATED_TEXT, Body
from ccproxy.lightllm.dialect import Dialect


def models(dialect: Dialect, names: list[str]) -> Body:
    """The list of models."""
    each = [model(dialect, name) for name in names]
    match dialect:
        case Dialect.ANTHROPIC:
            return {"data": each, "has_more": False, "first_id": names[0], "last_id": names[-1]}
        case Dialect.GOOGLE:
            return {"models": each}
        case Dialect.OPENAI | Dialect.OPENAI_RESPONSES:
            return {"object": "list", "data": each}
    assert_never(dialect)


def model(dialect: Dialect, name: str) -> Body:
    """One model."""
    match dialect:
        case Dialect.ANTHROPIC:
            return {"type": "model", "id": name, "display_name": name.title(), "created_at": CREATED_TEXT}
        case Dialect.GOOGLE:
            return {
                "name": f"models/{name}",
                "version": "1",
                "displayName": name.title(),
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 1_048_576,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
        case Dialect.OPENAI | Dialect.OPENAI_RESPONSES:
            return {"id": name, "object": "model", "created": CREATED, "owned_by": "ccproxy"}
    assert_never(dialect)
