"""A request, written as one for chat completions, in the way of one provider (``flavour``).

>>> from ccproxy.lightllm.flavour import flavour_of
>>> from ccproxy.lightllm.prompt import Text, Turn
>>> write(Prompt("m", (Turn("user", (Text("hi"),)),), max_tokens=9), flavour_of("openai", "llm.example"), print)
{'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], 'max_tokens': 9}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Final

from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.left_out import leave_out_sampling
from ccproxy.lightllm.openai_chat.message_writer import system_role, write_messages
from ccproxy.lightllm.openai_chat.thinking import is_thinker, write_reasoning
from ccproxy.lightllm.openai_chat.tools import write_tools
from ccproxy.lightllm.openai_limits import fit_max_tokens, fit_name, fit_schema
from ccproxy.lightllm.openai_models import EFFORTS, known
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Knob, OutputFormat, Prompt

_TIERS: Final = frozenset({"default", "flex", "scale", "priority", "fast"})
_VERBOSITIES: Final = frozenset({"low", "medium", "high"})


def write(prompt: Prompt, flavour: Flavour, warn: Warn) -> dict[str, object]:
    """The body. ``prompt`` has passed ``loss.sift``; names and ids fit."""
    messages = write_messages(prompt.turns, flavour, warn, thinker=is_thinker(prompt.model))
    body: dict[str, object] = {"model": prompt.model, "messages": messages}
    body.update(write_tools(prompt, flavour, warn))
    if prompt.output is not None:
        body["response_format"] = _response_format(prompt.output, warn)
        if prompt.output.schema is None:
            _ask_for_json(messages, prompt.output, flavour, warn)
    body.update(write_reasoning(prompt.reasoning, prompt.model, flavour, warn))
    if prompt.max_tokens is not None:
        body[flavour.max_tokens_key] = fit_max_tokens(prompt.max_tokens, prompt.model, warn)
    body.update(_sampling(prompt, body, warn))
    if prompt.stop:
        body["stop"] = list(prompt.stop)
    if prompt.user is not None:
        body["user"] = fit_name(prompt.user, "user", warn)
    if prompt.cache_key is not None:
        body["prompt_cache_key"] = fit_name(prompt.cache_key, "cache_key", warn)
    body.update(_knobs(prompt.knobs, warn))
    if prompt.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _sampling(prompt: Prompt, body: Mapping[str, object], warn: Warn) -> Iterator[tuple[str, object]]:
    """What is said, without what a reasoning model of OpenAI's refuses even at its own default."""
    given, family = prompt.sampling, known(prompt.model)
    effort = EFFORTS.get(body.get("reasoning_effort"))
    values = {"temperature": given.temperature, "top_p": given.top_p}
    values |= {"presence_penalty": given.presence_penalty, "frequency_penalty": given.frequency_penalty}
    if family is not None and not family.samples(effort):
        leave_out_sampling(given, f"{prompt.model} refuses it while it reasons", warn)
        values = {}
    values["seed"] = given.seed
    return ((name, value) for name, value in values.items() if value is not None)


def _response_format(output: OutputFormat, warn: Warn) -> dict[str, object]:
    if output.schema is None:
        return {"type": "json_object"}
    written: dict[str, object] = {"name": re.sub(r"[^a-zA-Z0-9_-]", "_", output.name or "answer")[:64]}
    if output.description is not None:
        written["description"] = output.description
    written["schema"], strict = fit_schema(output, warn)
    if strict is not None:
        written["strict"] = strict
    return {"type": "json_schema", "json_schema": written}


def _ask_for_json(messages: list[dict[str, object]], output: OutputFormat, flavour: Flavour, warn: Warn) -> None:
    """``json_object`` is refused unless the word stands somewhere in the messages (reference, "response_format").

    What comes once the assistant has spoken is not looked at: it was not there the first time.
    """
    begun = takewhile(lambda message: message["role"] != "assistant", messages)
    if not any("json" in str(message.get("content")).lower() for message in begun):
        messages.insert(0, {"role": system_role(flavour), "content": "Answer in JSON."})
        warn(f'{output.at or "output"}: "Answer in JSON." is said besides, without the word it would be refused')


def _knobs(knobs: tuple[Knob, ...], warn: Warn) -> Iterator[tuple[str, object]]:
    """``store`` is false by default, and only where it is true may there be ``metadata`` (reference, "metadata")."""
    stored = any(knob.name == "store" and knob.value is True for knob in knobs)
    for knob in knobs:
        match knob.name:
            case "store" | "metadata" if stored:
                yield knob.name, knob.value
            case "service_tier" if knob.value in _TIERS:
                yield knob.name, knob.value
            case "verbosity" if knob.value in _VERBOSITIES:
                yield knob.name, knob.value
            case "metadata" if knob.value:
                warn(f"{knob.at or knob.name}: left out, the provider takes it only with store: true")
            case "service_tier" | "verbosity" if knob.value not in (None, "auto"):
                warn(f"{knob.at or knob.name}: left out, {knob.value!r} is not known to the provider")
            case _:  # what is the default anyhow
                pass
