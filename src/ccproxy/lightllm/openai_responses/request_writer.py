"""A request to the Responses API, written (OpenAI API reference, "Responses", "Create a model response").

Nothing is kept by the provider: ``store`` is false unless the client asks for it, and the encrypted reasoning is asked
for, so that it can be given back.

>>> from ccproxy.lightllm.flavour import FLAVOURS
>>> write(Prompt("gpt-4.1", (Turn("user", (Text("hi"),)),)), FLAVOURS["openai_responses"], print)["input"]
[{'type': 'message', 'role': 'user', 'content': [{'type': 'input_text', 'text': 'hi'}]}]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Final

from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.left_out import leave_out_choice, leave_out_sampling
from ccproxy.lightllm.openai_limits import fit_max_tokens, fit_name, fit_schema
from ccproxy.lightllm.openai_responses import thinking
from ccproxy.lightllm.openai_responses.content import write_content, write_output
from ccproxy.lightllm.openai_responses.tools import write_choice, write_tools
from ccproxy.lightllm.plan import Warn, untold
from ccproxy.lightllm.prompt import Call, File, Knob, OutputFormat, Part, Prompt, Result, Sampling, Text, Thought, Turn

LEAST_TOKENS: Final = 16
"""``max_output_tokens`` below it is refused (reference)."""
_SYSTEM: Final = Turn("system", ())
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
_INSTRUCTIONS: Final = "You are a helpful assistant."


def write(prompt: Prompt, flavour: Flavour, warn: Warn = untold) -> dict[str, object]:
    """The body of a request whose prompt ``loss.sift`` has passed."""
    if flavour.chatgpt:
        prompt = _without_refused(prompt, warn)
    knobs = {knob.name: knob for knob in prompt.knobs}
    body: dict[str, object] = {"model": prompt.model}
    instructions, turns = _instructions(prompt.turns)
    if instructions is not None:
        body["instructions"] = instructions
    items = [item for turn in turns for item in _items(turn, flavour)]
    if prompt.output is not None and prompt.output.schema is None and not _tells_of_json(items):
        # Refused unless the word stands in the input; that it stands in the instructions is not enough (seen 2026-11).
        items.insert(0, _message(_SYSTEM, [Text("Answer in JSON.")], flavour))
        warn(f'{prompt.output.at or "output"}: "Answer in JSON." is said besides, without the word it would be refused')
    body["input"] = items
    _add_tools(body, prompt, warn)
    reasoning = thinking.write_settings(prompt.reasoning, prompt.model, warn)
    if reasoning:
        body["reasoning"] = reasoning
    if text := _text(prompt.output, knobs.get("verbosity"), warn):
        body["text"] = text
    if prompt.max_tokens is not None:
        body["max_output_tokens"] = max(fit_max_tokens(prompt.max_tokens, prompt.model, warn), LEAST_TOKENS)
        if prompt.max_tokens < LEAST_TOKENS:
            warn(f"max_tokens: {LEAST_TOKENS} instead of {prompt.max_tokens}, less is refused")
    sampling = prompt.sampling
    if thinking.samples(prompt.model, reasoning.get("effort")):
        body |= _said({"temperature": sampling.temperature, "top_p": sampling.top_p})
    else:
        leave_out_sampling(sampling, f"{prompt.model} refuses it while it reasons", warn)
    body |= _said(
        {
            "service_tier": _tier(knobs.get("service_tier"), warn),
            "metadata": _metadata(knobs.get("metadata"), warn),
            "safety_identifier": None if prompt.user is None else fit_name(prompt.user, "user", warn),
            "prompt_cache_key": None if prompt.cache_key is None else fit_name(prompt.cache_key, "cache_key", warn),
        }
    )
    body["store"] = "store" in knobs and knobs["store"].value is True
    if thinking.reasons(prompt.model):
        body["include"] = ["reasoning.encrypted_content"]
    if prompt.stream:
        body["stream"] = True
    return _for_chatgpt(body, warn) if flavour.chatgpt else body


def _tells_of_json(items: list[dict[str, object]]) -> bool:
    """Before the assistant has spoken: what comes later was not there the first time, and the prompt's beginning must
    not change, or nothing of it is cached."""
    begun = takewhile(lambda item: item.get("role") in ("user", "developer", "system"), items)
    return "json" in str(list(begun)).lower()


def _without_refused(prompt: Prompt, warn: Warn) -> Prompt:
    """Without what ChatGPT's backend answers to with {"detail": "Unsupported parameter: …"} (seen 2026-11)."""
    why = "ChatGPT's backend refuses it"
    for name, value in (("max_tokens", prompt.max_tokens), ("user", prompt.user)):
        if value is not None:
            warn(f"{name}: left out, {why}")
    leave_out_sampling(prompt.sampling, why, warn)
    knobs: list[Knob] = []
    for knob in prompt.knobs:
        if knob.name == "metadata" or (knob.name == "store" and knob.value is True):
            warn(f"{knob.at or knob.name}: left out, {why}")
        else:
            knobs.append(knob)
    return replace(prompt, max_tokens=None, user=None, sampling=Sampling(), knobs=tuple(knobs))


def _for_chatgpt(body: dict[str, object], warn: Warn) -> dict[str, object]:
    """The body as ChatGPT's backend takes it. Whether or not its client reads events, it is asked for them."""
    if "instructions" not in body:
        warn(f'system: there is none, "{_INSTRUCTIONS}" stands for it, which ChatGPT\'s backend wants')
    return {"model": "", "instructions": _INSTRUCTIONS, **body, "store": False, "stream": True}


def _tier(knob: Knob | None, warn: Warn) -> object:
    if knob is None or knob.value is None or knob.value in _TIERS:
        return knob and knob.value
    warn(f"{knob.at or knob.name}: default instead of {knob.value!r}, which the provider does not know")
    return "default"


def _metadata(knob: Knob | None, warn: Warn) -> object:
    if knob is None or isinstance(knob.value, dict):
        return knob and knob.value
    warn(f"{knob.at or knob.name}: left out, the provider takes an object")
    return None


def _said(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def _instructions(turns: tuple[Turn, ...]) -> tuple[str | None, tuple[Turn, ...]]:
    """The first system text, without which some servers answer nothing, and the turns that are left."""
    if not turns or turns[0].role != "system" or not turns[0].parts:
        return None, turns
    first, *rest = turns[0].parts
    if not isinstance(first, Text):
        return None, turns
    return first.text, (Turn("system", tuple(rest), turns[0].at), *turns[1:]) if rest else turns[1:]


def _items(turn: Turn, flavour: Flavour) -> Iterator[dict[str, object]]:
    """A turn's items; neighbouring texts are one message. The assistant's pictures, which only a user may show, are
    a user's behind it."""
    content: list[Text | File] = []
    shown: list[Text | File] = []
    for part in turn.parts:
        if isinstance(part, File) and turn.role == "assistant":
            shown.append(part)
            continue
        if isinstance(part, Text | File):
            content.append(part)
            continue
        if content:
            yield _message(turn, content, flavour)
            content = []
        if (item := _item(part)) is not None:
            yield item
    if content:
        yield _message(turn, content, flavour)
    if shown:
        yield _message(Turn("user", ()), shown, flavour)


def _message(turn: Turn, content: list[Text | File], flavour: Flavour) -> dict[str, object]:
    if turn.role == "assistant":
        told = [_told(part) for part in content if isinstance(part, Text)]
        return {"type": "message", "role": "assistant", "content": told}
    role = "user" if turn.role == "user" else "developer" if flavour.developer else "system"
    return {"type": "message", "role": role, "content": write_content(content)}


def _told(text: Text) -> dict[str, object]:
    if text.refusal:
        return {"type": "refusal", "refusal": text.text}
    return {"type": "output_text", "text": text.text, "annotations": []}


def _item(part: Part) -> dict[str, object] | None:
    match part:
        case Call(custom=True):
            return {"type": "custom_tool_call", "call_id": part.id, "name": part.name, "input": part.arguments}
        case Call():
            return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}
        case Result():
            kind = "custom_tool_call_output" if part.custom else "function_call_output"
            return {"type": kind, "call_id": part.call_id, "output": write_output(part.content)}
        case Thought(signature=str()):
            return thinking.write_item(part)
        case _:
            return None  # loss.LOSS has refused or dropped it before


def _add_tools(body: dict[str, object], prompt: Prompt, warn: Warn) -> None:
    choice = prompt.tool_choice
    said = write_choice(choice, prompt.tools) if choice is not None and prompt.tools else None
    if choice is not None and said is None:
        leave_out_choice(choice, warn)
    if not prompt.tools:
        return
    body["tools"] = write_tools(prompt.tools, warn)
    body |= _said({"tool_choice": said})
    if prompt.parallel_calls is not None:
        body["parallel_tool_calls"] = prompt.parallel_calls


def _text(output: OutputFormat | None, verbosity: Knob | None, warn: Warn) -> dict[str, object]:
    text: dict[str, object] = {}
    if output is not None:
        text["format"] = _format(output, warn)
    if verbosity is not None and isinstance(verbosity.value, str):
        text["verbosity"] = verbosity.value
    elif verbosity is not None and verbosity.value is not None:
        warn(f"{verbosity.at or 'verbosity'}: left out, the provider takes a word")
    return text


def _format(output: OutputFormat, warn: Warn) -> dict[str, object]:
    if output.schema is None:
        return {"type": "json_object"}
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", output.name or "answer")[:64]
    form: dict[str, object] = {"type": "json_schema", "name": name}
    form |= _said({"description": output.description})
    form["schema"], strict = fit_schema(output, warn)
    return form if strict is None else {**form, "strict": strict}
