"""From a request's body, in any wire format, to what it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from ccproxy.echo.ask import Ask, Refusal, Result, Tool
from ccproxy.errors import BadRequest
from ccproxy.lightllm import prompt as prompts
from ccproxy.lightllm.codecs import REQUEST_READERS
from ccproxy.lightllm.count import generate_body
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Call, Part, Prompt, Reasoning, Text, Thought, Turn

_QUIET: Final = frozenset({Dialect.OPENAI_RESPONSES, Dialect.GOOGLE})
"""Where thoughts are told only to those who ask for them."""


def read(dialect: Dialect, body: object, asked: Asked, *, seed: str, counting: bool = False) -> Ask | Refusal:
    """What the request asks for, or why no server of the dialect would take it."""
    if not isinstance(body, dict):
        return Refusal(400, "the body is no JSON object")
    try:
        prompt = REQUEST_READERS[dialect].read(generate_body(dialect, body) if counting else body, asked)
    except BadRequest as error:
        where, found, _ = str(error).partition(": ")
        return Refusal(400, str(error), where if found and " " not in where else None)
    names = {part.id: part.name for part in _parts(prompt) if isinstance(part, Call)}
    return _refused(prompt, names) or _ask(dialect, prompt, body, names, seed)


def _refused(prompt: Prompt, names: Mapping[str, str]) -> Refusal | None:
    """What readers let pass, as some server takes it, and echo does not."""
    if not prompt.model:
        return Refusal(400, "model: this field is required", "model")
    if prompt.max_tokens is not None and prompt.max_tokens < 1:
        return Refusal(400, "max_tokens: must be 1 or more", "max_tokens")
    for part in _parts(prompt):
        if isinstance(part, prompts.Result) and part.call_id not in names:
            return Refusal(
                400, f"{part.at}: there was no call {part.call_id} that this could be the result of", part.at
            )
    for knob in prompt.knobs:
        if knob.name == "state":
            return Refusal(400, f"{knob.at}: echo keeps no conversations", knob.at)
    return None


def _ask(dialect: Dialect, prompt: Prompt, body: Mapping[str, object], names: Mapping[str, str], seed: str) -> Ask:
    choice = prompt.tool_choice
    reasoning = prompt.reasoning or Reasoning()
    must = choice is not None and choice.mode in ("any", "one", "some") and choice.must
    include = body.get("include")
    return Ask(
        seed=seed,
        model=prompt.model,
        said=_said(prompt),
        texts=tuple(_text(part) for part in _parts(prompt) if not isinstance(part, Thought)),
        stream=prompt.stream,
        with_usage=prompt.stream_usage,
        tools=tuple(
            Tool(tool.name, tool.schema or {}, tool.description or "")
            for tool in prompt.tools
            if isinstance(tool, prompts.Tool)
        ),
        choice="any" if must else "none" if choice is not None and choice.mode == "none" else "auto",
        forced=choice.names[0] if must and choice is not None and choice.names else None,
        results=tuple(_results(prompt, names)),
        thinking=_thinks(dialect, reasoning),
        quiet=reasoning.shown is False or (dialect in _QUIET and not reasoning.shown),
        sealed=dialect is not Dialect.OPENAI_RESPONSES
        or (isinstance(include, list) and "reasoning.encrypted_content" in include),
        json=prompt.output is not None,
        schema=prompt.output.schema if prompt.output else None,
        limit=prompt.max_tokens,
        body=body,
    )


def _parts(prompt: Prompt) -> list[Part]:
    return [part for turn in prompt.turns for part in turn.parts]


def _thinks(dialect: Dialect, reasoning: Reasoning) -> bool:
    if reasoning.enabled is not None:
        return reasoning.enabled
    effort = reasoning.effort not in (None, "none", "minimal")
    return bool(reasoning.budget or reasoning.shown) or (effort and dialect is not Dialect.ANTHROPIC)


def _said(prompt: Prompt) -> str:
    texts = [part.text for turn in prompt.turns if turn.role == "user" for part in turn.parts if isinstance(part, Text)]
    return texts[-1] if texts else ""


def _results(prompt: Prompt, names: Mapping[str, str]) -> list[Result]:
    """Those that no text of the user's and no answer follows."""
    results: list[Result] = []
    for turn in prompt.turns:
        if turn.role != "system":
            found = _results_of(turn, names)
            results = results + found if found else []
    return results


def _results_of(turn: Turn, names: Mapping[str, str]) -> list[Result]:
    return [Result(names[part.call_id], _text(part)) for part in turn.parts if isinstance(part, prompts.Result)]


def _text(part: Part) -> str:
    match part:
        case Text():
            return part.text
        case Call():
            return f"{part.name} {part.arguments}"
        case prompts.Result():
            return _bare("".join(inner.text for inner in part.content if isinstance(inner, Text)))
        case _:
            return ""


def _bare(text: str) -> str:
    """The text in ``{"result": "…"}``, which is how Gemini's clients wrap what is no object."""
    if not text.startswith('{"result"'):
        return text
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    found = document["result"] if len(document) == 1 else None
    return found if isinstance(found, str) else text
