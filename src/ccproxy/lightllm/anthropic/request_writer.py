"""Requests to the Messages API, written (Anthropic API reference, "Create a Message").

What a model refuses is in ``models``, what the order of the conversation must be in ``turns``. The schema of an answer
goes into ``output_config.format`` where the model enforces it, else it is told in the system prompt. An assistant's
turn at the end is continued by older models, and answered by newer ones to ``CONTINUE``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ccproxy.lightllm.anthropic.blocks import cache_control, text_block, write_blocks
from ccproxy.lightllm.anthropic.cache import bound_marks
from ccproxy.lightllm.anthropic.schema import Enforced, enforced
from ccproxy.lightllm.anthropic.thinking import Thinking, plan_thinking
from ccproxy.lightllm.anthropic.toolbox import called_tools, write_choice, write_tools
from ccproxy.lightllm.anthropic.turns import Conversation, arrange
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.left_out import leave_out_choice, leave_out_sampling
from ccproxy.lightllm.models import COMPATIBLE, Abilities, abilities, default_max_tokens
from ccproxy.lightllm.plan import Warn, untold
from ccproxy.lightllm.prompt import File, OutputFormat, Prompt, Result, Sampling, Text, Turn

CONTINUE: Final = Turn("user", (Text("Continue."),))
_USER_LIMIT: Final = 256
"""Longest ``metadata.user_id``."""
_TOP_P_THINKING: Final = 0.95
"""Least ``top_p`` while the model thinks ("Extended thinking", "Feature compatibility")."""


def write(prompt: Prompt, flavour: Flavour, warn: Warn = untold) -> dict[str, object]:
    """Write a prompt that ``loss.sift`` has passed. Raises BadRequest for files and arguments that cannot be sent."""
    model = _model(prompt.model, flavour)
    arranged = arrange(prompt.turns, system_turns=model.system_turns)
    conversation = _ended(arranged, model, prompt.model, warn)
    tools = write_tools(prompt, warn, schemas=model.schemas)
    choice = write_choice(prompt, warn, forced=model.forced_tools) if tools else None
    if not tools:
        if prompt.tool_choice is not None:
            leave_out_choice(prompt.tool_choice, warn)
        if tools := called_tools(conversation):
            choice = {"type": "none"}
    max_tokens = _max_tokens(prompt, model, warn)
    thinking = plan_thinking(
        prompt.reasoning,
        model,
        max_tokens,
        forced=choice is not None and choice["type"] in ("any", "tool"),
        begun=conversation.unthought,
        display=flavour.adaptive,
    )
    for note in (*arranged.notes, *thinking.notes):
        warn(note)
    schema = _schema(prompt.output, model, warn) if prompt.output is not None else None
    told = [_in_words(prompt.output)] if prompt.output is not None and schema is None else []
    body: dict[str, object] = {
        "model": prompt.model,
        "max_tokens": max_tokens,
        "system": [text_block(text) for text in (*conversation.system, *told)],
        "messages": [{"role": turn.role, "content": write_blocks(turn.parts)} for turn in conversation.turns],
        "tools": tools,
        "tool_choice": choice,
        "thinking": thinking.config,
        "output_config": _output_config(thinking, schema.schema if schema is not None else None),
        **_sampling(prompt, model, thinking, warn),
        "stop_sequences": _stop(prompt.stop, warn),
        "metadata": _metadata(prompt.user, warn),
        "cache_control": cache_control(prompt.cache) if prompt.cache is not None else None,
        "stream": prompt.stream,
    }
    body = {key: value for key, value in body.items() if value or type(value) in (int, float)}
    bound_marks(body, warn)
    _warn_of_inner_marks(prompt, warn)
    return body


def _model(name: str, flavour: Flavour) -> Abilities:
    known = abilities(name) if flavour.adaptive else COMPATIBLE
    return replace(
        known,
        system_turns=known.system_turns and flavour.system_turns,
        schemas=known.schemas and flavour.output_format,
    )


def _max_tokens(prompt: Prompt, model: Abilities, warn: Warn) -> int:
    if prompt.max_tokens is None:
        return default_max_tokens(prompt.model)
    if model.output_limit is None or prompt.max_tokens <= model.output_limit:
        return prompt.max_tokens
    warn(f"max_tokens: {model.output_limit} instead of {prompt.max_tokens}, {prompt.model} writes no more")
    return model.output_limit


def _ended(conversation: Conversation, model: Abilities, name: str, warn: Warn) -> Conversation:
    """With a last turn that the model takes; the text of one that it continues may not end in white space."""
    last = conversation.turns[-1]
    if last.role != "assistant":
        return conversation
    if not model.prefill:
        warn(f'{last.at or "messages"}: "Continue." is said behind it, {name} does not continue an answer by itself')
        return replace(conversation, turns=(*conversation.turns, CONTINUE))
    end = last.parts[-1]
    if not isinstance(end, Text):
        return conversation
    if end.text != end.text.rstrip():
        warn(f"{last.at or 'messages'}: the white space at its end is left out, an answer to continue must not have it")
    trimmed = replace(last, parts=(*last.parts[:-1], replace(end, text=end.text.rstrip())))
    return replace(conversation, turns=(*conversation.turns[:-1], trimmed))


def _sampling(prompt: Prompt, model: Abilities, thinking: Thinking, warn: Warn) -> dict[str, object]:
    asked = prompt.sampling
    if not model.sampling:
        leave_out_sampling(asked, f"{prompt.model} takes none", warn)
        return {}
    if thinking.on:
        top_p = asked.top_p if asked.top_p is not None and asked.top_p >= _TOP_P_THINKING else None
        kept = () if top_p is None else ("top_p",)
        leave_out_sampling(asked, "the model refuses it while it thinks", warn, kept=kept)
        return {"top_p": top_p}
    temperature = asked.temperature
    if temperature is not None and temperature > 1:
        warn(f"temperature: 1 instead of {temperature}, more is refused")
        temperature = 1.0
    if model.both or temperature is None:
        return {"temperature": temperature, "top_p": asked.top_p, "top_k": asked.top_k}
    leave_out_sampling(Sampling(top_p=asked.top_p), f"{prompt.model} does not take it beside temperature", warn)
    return {"temperature": temperature, "top_k": asked.top_k}


def _stop(asked: tuple[str, ...], warn: Warn) -> list[str]:
    kept = [sequence for sequence in asked if sequence.strip()]
    if len(kept) < len(asked):
        warn("stop: sequences of white space are left out, they are refused")
    return kept


def _metadata(user: str | None, warn: Warn) -> dict[str, object] | None:
    if not user:
        return None
    if len(user) > _USER_LIMIT:
        warn(f"user: left out, the provider takes no more than {_USER_LIMIT} characters")
        return None
    return {"user_id": user}


def _warn_of_inner_marks(prompt: Prompt, warn: Warn) -> None:
    results = (part for turn in prompt.turns for part in turn.parts if isinstance(part, Result))
    inner = (part for result in results for part in result.content if isinstance(part, Text | File))
    if (marked := next((part for part in inner if part.cache is not None), None)) is not None:
        warn(f"{marked.at or 'messages'}: its cache mark is left out, only the whole result has one")


def _schema(output: OutputFormat, model: Abilities, warn: Warn) -> Enforced | None:
    """The schema that the model enforces. None: it is told in words."""
    at = output.at or "output"
    schema = enforced(output.schema) if output.schema and model.schemas else None
    if schema is None:
        what = "the schema" if output.schema else "that the answer is JSON"
        warn(f"{at}: {what} is told in words, the model cannot be held to it")
        return None
    if schema.told:
        warn(f"{at}: {', '.join(schema.told)} are told in words, the model cannot be held to them")
    if output.description:
        warn(f"{at}: the description is left out, there is no place for it")
    return schema


def _output_config(thinking: Thinking, schema: Mapping[str, object] | None) -> dict[str, object]:
    config: dict[str, object] = {}
    if thinking.effort is not None:
        config["effort"] = thinking.effort
    if schema is not None:
        config["format"] = {"type": "json_schema", "schema": schema}
    return config


def _in_words(output: OutputFormat) -> Text:
    words = "Answer with one JSON object and with nothing else: no words around it, no code fence."
    if output.schema is None:
        return Text(words)
    about = f" It is: {output.description}" if output.description else ""
    words = words.replace("JSON object", "JSON value")
    return Text(
        f"{words} It must be valid by this JSON schema.{about}\n{json.dumps(output.schema, ensure_ascii=False)}"
    )
