"""A ``Prompt`` to a request to the Gemini API or to Vertex AI, which take the same body. The model is not in it.

>>> from ccproxy.lightllm.flavour import FLAVOURS
>>> from ccproxy.lightllm.prompt import Text, Turn
>>> prompt = Prompt("gemini-2.5-pro", (Turn("system", (Text("Be brief."),)), Turn("user", (Text("hi"),))), max_tokens=9)
>>> write(prompt, FLAVOURS["google"], print)["contents"]
[{'role': 'user', 'parts': [{'text': 'hi'}]}]
"""

from __future__ import annotations

from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.google.content_writer import write_contents
from ccproxy.lightllm.google.decode import compact
from ccproxy.lightllm.google.models import output_limit, takes_schema_with_tools
from ccproxy.lightllm.google.thinking import write_thinking
from ccproxy.lightllm.google.tools import write_choice, write_tools
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import CustomTool, OutputFormat, Prompt, Tool

_SEED_RANGE: Final = 2**31
"""``seed`` is an int32; OpenAI's has 64 bits."""


def write(prompt: Prompt, flavour: Flavour, warn: Warn) -> dict[str, object]:
    """The body. Raises BadRequest for a call whose arguments are no JSON object."""
    try:
        return _write(prompt, flavour, warn)
    except RecursionError as error:
        raise BadRequest("the request is nested too deeply") from error


def _write(prompt: Prompt, flavour: Flavour, warn: Warn) -> dict[str, object]:
    system, contents = write_contents(prompt, flavour, warn)
    config = _generation(prompt, warn)
    if prompt.output is not None:
        at = prompt.output.at or "output"
        if _in_words(prompt):
            warn(f"{at}: the form of the answer is told in words, {prompt.model} cannot be held to it beside functions")
            system.append({"text": _words(prompt.output)})
        else:
            config["responseMimeType"] = "application/json"
            if prompt.output.schema is not None:
                config["responseJsonSchema"] = dict(prompt.output.schema)
            if prompt.output.description:
                warn(f"{at}: the description is left out, there is no place for it")
    body: dict[str, object] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if tools := write_tools(prompt, warn):
        body["tools"] = tools
    if choice := write_choice(prompt, warn):
        body["toolConfig"] = choice
    if config:
        body["generationConfig"] = config
    return body


def _generation(prompt: Prompt, warn: Warn) -> dict[str, object]:
    sampling = prompt.sampling
    seed = sampling.seed
    if seed is not None and not -_SEED_RANGE <= seed < _SEED_RANGE:
        seed %= _SEED_RANGE
        warn(f"seed: {seed} instead of {sampling.seed}, the provider's has 32 bits")
    config: dict[str, object] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "seed": seed,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "maxOutputTokens": _max_tokens(prompt, warn),
        "stopSequences": list(prompt.stop) or None,
        "thinkingConfig": (write_thinking(prompt.reasoning, prompt.model, warn) if prompt.reasoning else None) or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _max_tokens(prompt: Prompt, warn: Warn) -> int | None:
    limit = output_limit(prompt.model)
    if prompt.max_tokens is None or limit is None or prompt.max_tokens <= limit:
        return prompt.max_tokens
    warn(f"max_tokens: {limit} instead of {prompt.max_tokens}, {prompt.model} writes no more")
    return limit


def _in_words(prompt: Prompt) -> bool:
    """Whether the answer's schema cannot be given beside functions (400 before Gemini 3, seen 2026-11)."""
    functions = any(isinstance(tool, Tool | CustomTool) for tool in prompt.tools)
    return functions and not takes_schema_with_tools(prompt.model)


def _words(output: OutputFormat) -> str:
    said = "Unless you call a function, answer with nothing but a JSON text, without a code fence."
    if output.description:
        said += f" It is {output.description}"
    if output.schema is not None:
        said += f"\nIt must be valid against this JSON schema:\n{compact(output.schema)}"
    return said
