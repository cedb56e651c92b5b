"""Ask for bare JSON where commitbee wants it.

commitbee (a writer of commit messages) parses the whole answer as JSON; models like to wrap it in a code fence. Its
requests are known by the first sentence of its system prompt, and get one more sentence there::

    hooks:
      outbound:
        - {hook: commitbee_compat, params: {signature: "You generate Conventional Commit messages from git diffs"}}
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from ccproxy.pipeline.context import Context
from ccproxy.pipeline.extras import Parts
from ccproxy.pipeline.hook import hook

SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "messages")
"""Where the four wire formats keep the system prompt."""


class CommitbeeParams(BaseModel):
    """Parameters of ``commitbee_compat``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signature: str = Field(default="You generate Conventional Commit messages from git diffs", min_length=1)
    """Text in the system prompt that tells commitbee's requests; the default is how its prompt began in 2026."""
    instruction: str = Field(
        default="Write the JSON object itself, with nothing before or after it and no Markdown code fence.",
        min_length=1,
    )
    """What is added to that text's block."""


@hook(
    reads=[f"body.{name}" for name in SYSTEM],
    writes=[f"body.{name}" for name in SYSTEM],
    model=CommitbeeParams,
)
def commitbee_compat(ctx: Context, params: CommitbeeParams) -> None:
    """Append once; a request that has the instruction already is left alone."""
    if not _may_hold(ctx, params.signature):
        return
    for place, text in _system_texts(ctx):
        if params.signature in text and params.instruction not in text:
            ctx.extras.set(place, f"{text.rstrip()}\n\n{params.instruction}")
            return


def _may_hold(ctx: Context, text: str) -> bool:
    """A look at the bytes, as UTF-8 or escaped, that spares nearly every request the parsing."""
    plain, escaped = text.encode(), json.dumps(text)[1:-1].encode()
    return ctx.mentions(plain) or (escaped != plain and ctx.mentions(escaped))


def _system_texts(ctx: Context) -> Iterator[tuple[Parts, str]]:
    """Every text of the system prompt, with its place."""
    for name in SYSTEM:
        value = ctx.extras.get((name,))
        if name != "messages":
            yield from _texts((name,), value)
            continue
        for index, message in enumerate(value if isinstance(value, list) else ()):
            if isinstance(message, dict) and message.get("role") in ("system", "developer"):
                yield from _texts((name, index, "content"), message.get("content"))


def _texts(place: Parts, value: object) -> Iterator[tuple[Parts, str]]:
    """A text, a list of text blocks, or Google's ``{"parts": [...]}``."""
    match value:
        case str():
            yield place, value
        case {"parts": list() as parts}:
            yield from _texts((*place, "parts"), parts)
        case list():
            for index, block in enumerate(value):
                if isinstance(block, dict) and isinstance(text := block.get("text"), str):
                    yield (*place, index, "text"), text
