"""What OpenAI's two APIs refuse of a request, changed to what they take, with a warning.

>>> fit_name("x" * 65, "user", print)[:8]
user: hashed, the provider takes no more than 64 characters
'9537c5fd'
"""

from __future__ import annotations

import hashlib
from typing import Final

from ccproxy.lightllm.openai_models import fitting, known, output_limit
from ccproxy.lightllm.openai_schema import Schema, object_schema, strict_schema
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Effort, OutputFormat, Reasoning, Tool

NAME_LENGTH: Final = 64
"""In characters, of ``user``, ``safety_identifier`` and ``prompt_cache_key`` (seen 2026-11 in errors)."""


def fit_name(name: str, field: str, warn: Warn) -> str:
    """A name that is too long as its hash: it only has to be the same one each time. Claude Code's user is longer."""
    if len(name) <= NAME_LENGTH:
        return name
    warn(f"{field}: hashed, the provider takes no more than {NAME_LENGTH} characters")
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def fit_max_tokens(tokens: int, model: str, warn: Warn) -> int:
    """The limit as the model takes it. Claude Code asks for 128,000."""
    limit = output_limit(model)
    if limit is None or tokens <= limit:
        return tokens
    warn(f"max_tokens: {limit} instead of {tokens}, {model} writes no more")
    return limit


def fit_effort(effort: Effort | None, reasoning: Reasoning, model: str, warn: Warn) -> Effort | None:
    """The effort as the model takes it; None: nothing is said. ``reasoning`` is what was asked for."""
    at, family = reasoning.at or "reasoning", known(model)
    if family is None:
        if effort == "none" and reasoning.effort != "none":
            # Most servers that do not know the setting do not think either.
            warn(f"{at}: that the model is not to think is not said, many servers refuse to be told")
            return None
        return effort
    if not family.efforts:
        if effort not in (None, "none") or (effort is None and reasoning.enabled):
            warn(f"{at}: left out, {model} does not reason")
        return None
    if effort is None:
        return "medium" if reasoning.enabled and not family.by_default else None
    fitted = fitting(effort, family.efforts)
    if fitted != effort:
        warn(f"{at}: {fitted} instead of {effort}, which {model} does not take")
    return fitted


def fit_schema(output: OutputFormat, warn: Warn) -> tuple[Schema, bool | None]:
    """The schema of an answer, and whether it is strict. There is one."""
    assert output.schema is not None
    strict = strict_schema(output.schema) if output.strict else None
    if output.strict and strict is None:
        warn(f"{output.at or 'output'}.strict: turned off, the schema leaves keys to choice")
    return (output.schema if strict is None else strict), (None if output.strict is None else strict is not None)


def fit_parameters(tool: Tool, warn: Warn) -> tuple[Schema, bool]:
    """The schema of a tool's arguments, and whether it is strict."""
    schema = object_schema(tool.schema or {})
    strict = strict_schema(schema) if tool.strict else None
    if tool.strict and strict is None:
        warn(f"{tool.at or tool.name}.strict: turned off, the schema leaves keys to choice")
    return (schema if strict is None else strict), strict is not None
