"""A request to the Responses API, written (OpenAI API reference, "Responses", "Create a model response").

Nothing is kept by the provider: ``store`` is false unless the client asks for it, and the encrypted reasoning is asked
for, so that it can be given back.

>>> from ccproxy.lightllm.flavour import FLAVOURS
>>> write(Prompt("gpt-4.1", (Turn("user", (Text("hi"),)),)), FLAVOURS["openai_responses"])["input"]
[{'type': 'message', 'role': 'user', 'content': [{'type': 'input_text', 'text': 'hi'}]}]
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.openai_responses import thinking
from ccproxy.lightllm.openai_responses.content import write_content, write_output
from ccproxy.lightllm.openai_responses.tools import write_choice, write_tools
from ccproxy.lightllm.openai_schema import strict_schema
from ccproxy.lightllm.prompt import Call, File, OutputFormat, Part, Prompt, Result, Text, Thought, Turn

LEAST_TOKENS: Final = 16
"""``max_output_tokens`` below it is refused (reference)."""
_LONGEST_NAME: Final = 64
"""In characters, of ``safety_identifier`` and ``prompt_cache_key`` (seen 2026-11 in errors)."""
_SYSTEM: Final = Turn("system", ())
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
# It answers {"detail": "Unsupported parameter: …"} to these (seen 2026-11).
_NOT_FOR_CHATGPT: Final = frozenset({"max_output_tokens", "temperature", "top_p", "metadata", "safety_identifier"})
_INSTRUCTIONS: Final = "You are a helpful assistant."


def write(prompt: Prompt, flavour: Flavour) -> dict[str, object]:
    """The body of a request whose prompt ``loss.sift`` has passed."""
    knobs = {knob.name: knob.value for knob in prompt.knobs}
    body: dict[str, object] = {"model": prompt.model}
    instructions, turns = _instructions(prompt.turns)
    if instructions is not None:
        body["instructions"] = instructions
    items = [item for turn in turns for item in _items(turn, flavour)]
    if prompt.output is not None and prompt.output.schema is None and "json" not in str(items).lower():
        # Refused unless the word stands in the input; that it stands in the instructions is not enough (seen 2026-11).
        items.insert(0, _message(_SYSTEM, [Text("Answer in JSON.")], flavour))
    body["input"] = items
    _add_tools(body, prompt)
    reasoning = thinking.write_settings(prompt.reasoning, prompt.model)
    if reasoning:
        body["reasoning"] = reasoning
    if text := _text(prompt.output, knobs.get("verbosity")):
        body["text"] = text
    if prompt.max_tokens is not None:
        body["max_output_tokens"] = max(prompt.max_tokens, LEAST_TOKENS)
    sampling = prompt.sampling
    if thinking.samples(prompt.model, reasoning.get("effort")):
        body |= _said({"temperature": sampling.temperature, "top_p": sampling.top_p})
    tier, metadata = knobs.get("service_tier"), knobs.get("metadata")
    body |= _said(
        {
            "service_tier": tier if tier in _TIERS else "default" if tier is not None else None,
            "metadata": metadata if isinstance(metadata, dict) else None,
            "safety_identifier": _short(prompt.user),
            "prompt_cache_key": _short(prompt.cache_key),
        }
    )
    body["store"] = knobs.get("store") is True
    if thinking.reasons(prompt.model):
        body["include"] = ["reasoning.encrypted_content"]
    if prompt.stream:
        body["stream"] = True
    return _for_chatgpt(body) if flavour.chatgpt else body


def _for_chatgpt(body: dict[str, object]) -> dict[str, object]:
    """The body as ChatGPT's backend takes it. Whether or not its client reads events, it is asked for them."""
    kept = {name: value for name, value in body.items() if name not in _NOT_FOR_CHATGPT}
    return {"model": "", "instructions": _INSTRUCTIONS, **kept, "store": False, "stream": True}


def _said(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def _short(name: str | None) -> str | None:
    """A name that is too long as its hash: it only has to be the same one each time."""
    if name is None or len(name) <= _LONGEST_NAME:
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


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


def _add_tools(body: dict[str, object], prompt: Prompt) -> None:
    if not prompt.tools:
        return
    body["tools"] = write_tools(prompt.tools)
    if prompt.tool_choice is not None:
        body |= _said({"tool_choice": write_choice(prompt.tool_choice, prompt.tools)})
    if prompt.parallel_calls is not None:
        body["parallel_tool_calls"] = prompt.parallel_calls


def _text(output: OutputFormat | None, verbosity: object) -> dict[str, object]:
    text: dict[str, object] = {}
    if output is not None:
        text["format"] = _format(output)
    if isinstance(verbosity, str):
        text["verbosity"] = verbosity
    return text


def _format(output: OutputFormat) -> dict[str, object]:
    if output.schema is None:
        return {"type": "json_object"}
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", output.name or "answer")[:64]
    form: dict[str, object] = {"type": "json_schema", "name": name}
    form |= _said({"description": output.description})
    strict = strict_schema(output.schema) if output.strict else None
    form["schema"] = output.schema if strict is None else strict
    return form if output.strict is None else {**form, "strict": strict is not None}
