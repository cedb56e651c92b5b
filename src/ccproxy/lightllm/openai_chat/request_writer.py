"""A request, written as one for chat completions, in the way of one provider (``flavour``).

>>> from ccproxy.lightllm.flavour import flavour_of
>>> from ccproxy.lightllm.prompt import Text, Turn
>>> write(Prompt("m", (Turn("user", (Text("hi"),)),), max_tokens=9), flavour_of("openai", "llm.example"))
{'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], 'max_tokens': 9}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.openai_chat.message_writer import system_role, write_messages
from ccproxy.lightllm.openai_chat.thinking import write_reasoning
from ccproxy.lightllm.openai_chat.tools import write_tools
from ccproxy.lightllm.openai_models import EFFORTS, known
from ccproxy.lightllm.openai_schema import strict_schema
from ccproxy.lightllm.prompt import Knob, OutputFormat, Prompt

_TIERS: Final = frozenset({"default", "flex", "scale", "priority", "fast"})
_ID_LENGTH: Final = 64
"""Of ``user`` and ``prompt_cache_key``. Claude Code's user is longer."""


def write(prompt: Prompt, flavour: Flavour) -> dict[str, object]:
    """The body. ``prompt`` has passed ``loss.sift``; names and ids fit."""
    messages = write_messages(prompt.turns, flavour)
    body: dict[str, object] = {"model": prompt.model, "messages": messages}
    body.update(write_tools(prompt, flavour))
    if prompt.output is not None:
        body["response_format"] = _response_format(prompt.output)
        if prompt.output.schema is None:
            _ask_for_json(messages, flavour)
    body.update(write_reasoning(prompt.reasoning, prompt.model, flavour))
    if prompt.max_tokens is not None:
        body[flavour.max_tokens_key] = prompt.max_tokens
    body.update(_sampling(prompt, body))
    if prompt.stop:
        body["stop"] = list(prompt.stop)
    if prompt.user is not None:
        body["user"] = _short(prompt.user)
    if prompt.cache_key is not None:
        body["prompt_cache_key"] = _short(prompt.cache_key)
    body.update(_knobs(prompt.knobs))
    if prompt.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _sampling(prompt: Prompt, body: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """What is said, without what a reasoning model of OpenAI's refuses even at its own default."""
    given, family = prompt.sampling, known(prompt.model)
    effort = EFFORTS.get(body.get("reasoning_effort"))
    values = {"temperature": given.temperature, "top_p": given.top_p}
    values |= {"presence_penalty": given.presence_penalty, "frequency_penalty": given.frequency_penalty}
    if family is not None and not family.samples(effort):
        values = {}
    values["seed"] = given.seed
    return ((name, value) for name, value in values.items() if value is not None)


def _response_format(output: OutputFormat) -> dict[str, object]:
    if output.schema is None:
        return {"type": "json_object"}
    written: dict[str, object] = {"name": re.sub(r"[^a-zA-Z0-9_-]", "_", output.name or "answer")[:64]}
    if output.description is not None:
        written["description"] = output.description
    strict = strict_schema(output.schema) if output.strict else None
    written["schema"] = output.schema if strict is None else strict
    if output.strict is not None:
        written["strict"] = strict is not None
    return {"type": "json_schema", "json_schema": written}


def _ask_for_json(messages: list[dict[str, object]], flavour: Flavour) -> None:
    """``json_object`` is refused unless the word stands somewhere in the messages (reference, "response_format")."""
    if not any("json" in str(message.get("content")).lower() for message in messages):
        messages.insert(0, {"role": system_role(flavour), "content": "Answer in JSON."})


def _short(name: str) -> str:
    """The name, or a hash of it where it is too long: OpenAI takes 64 characters, others 128 (seen 2026-11)."""
    if len(name) <= _ID_LENGTH:
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _knobs(knobs: tuple[Knob, ...]) -> Iterator[tuple[str, object]]:
    """``store`` is false by default, and only where it is true may there be ``metadata`` (reference, "metadata")."""
    stored = any(knob.name == "store" and knob.value is True for knob in knobs)
    for knob in knobs:
        match knob.name:
            case "store" | "metadata" if stored:
                yield knob.name, knob.value
            case "service_tier" if knob.value in _TIERS:
                yield knob.name, knob.value
            case "verbosity" if knob.value in ("low", "medium", "high"):
                yield knob.name, knob.value
            case _:
                pass
