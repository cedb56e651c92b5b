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
from ccproxy.lightllm.anthropic.schema import enforced
from ccproxy.lightllm.anthropic.thinking import Thinking, plan_thinking
from ccproxy.lightllm.anthropic.toolbox import called_tools, write_choice, write_tools
from ccproxy.lightllm.anthropic.turns import Conversation, arrange
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.models import COMPATIBLE, Abilities, abilities, default_max_tokens
from ccproxy.lightllm.prompt import OutputFormat, Prompt, Sampling, Text, Turn

CONTINUE: Final = Turn("user", (Text("Continue."),))
_USER_LIMIT: Final = 256
"""Longest ``metadata.user_id``."""
_TOP_P_THINKING: Final = 0.95
"""Least ``top_p`` while the model thinks ("Extended thinking", "Feature compatibility")."""


def write(prompt: Prompt, flavour: Flavour) -> dict[str, object]:
    """Write a prompt that ``loss.sift`` has passed. Raises BadRequest for files and arguments that cannot be sent."""
    model = _model(prompt.model, flavour)
    conversation = _ended(arrange(prompt.turns, system_turns=model.system_turns), model)
    tools = write_tools(prompt, schemas=model.schemas)
    choice = write_choice(prompt, forced=model.forced_tools) if tools else None
    if not tools and (tools := called_tools(conversation)):
        choice = {"type": "none"}
    max_tokens = _max_tokens(prompt, model)
    thinking = plan_thinking(
        prompt.reasoning,
        model,
        max_tokens,
        forced=choice is not None and choice["type"] in ("any", "tool"),
        begun=conversation.unthought,
        display=flavour.adaptive,
    )
    schema = enforced(prompt.output.schema) if prompt.output and prompt.output.schema and model.schemas else None
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
        **_sampling(prompt.sampling, model, thinking),
        "stop_sequences": [sequence for sequence in prompt.stop if sequence.strip()],
        "metadata": {"user_id": prompt.user} if prompt.user and len(prompt.user) <= _USER_LIMIT else None,
        "cache_control": cache_control(prompt.cache) if prompt.cache is not None else None,
        "stream": prompt.stream,
    }
    body = {key: value for key, value in body.items() if value or type(value) in (int, float)}
    bound_marks(body)
    return body


def _model(name: str, flavour: Flavour) -> Abilities:
    known = abilities(name) if flavour.adaptive else COMPATIBLE
    return replace(
        known,
        system_turns=known.system_turns and flavour.system_turns,
        schemas=known.schemas and flavour.output_format,
    )


def _max_tokens(prompt: Prompt, model: Abilities) -> int:
    if prompt.max_tokens is None:
        return default_max_tokens(prompt.model)
    return prompt.max_tokens if model.output_limit is None else min(prompt.max_tokens, model.output_limit)


def _ended(conversation: Conversation, model: Abilities) -> Conversation:
    """With a last turn that the model takes; the text of one that it continues may not end in white space."""
    last = conversation.turns[-1]
    if last.role != "assistant":
        return conversation
    if not model.prefill:
        return replace(conversation, turns=(*conversation.turns, CONTINUE))
    end = last.parts[-1]
    if not isinstance(end, Text):
        return conversation
    trimmed = replace(last, parts=(*last.parts[:-1], replace(end, text=end.text.rstrip())))
    return replace(conversation, turns=(*conversation.turns[:-1], trimmed))


def _sampling(asked: Sampling, model: Abilities, thinking: Thinking) -> dict[str, object]:
    if not model.sampling:
        return {}
    temperature = None if asked.temperature is None else min(asked.temperature, 1.0)
    if thinking.on:
        top_p = asked.top_p if asked.top_p is not None and asked.top_p >= _TOP_P_THINKING else None
        return {"top_p": top_p}
    both = model.both or temperature is None
    return {"temperature": temperature, "top_p": asked.top_p if both else None, "top_k": asked.top_k}


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
