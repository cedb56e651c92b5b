"""A chat completion request, read (API reference, "Chat Completions", "Create chat completion").

Settings of compatible servers that have a counterpart are read like OpenAI's own; all others are knobs.

>>> read({"model": "m", "messages": [{"role": "user", "content": "hi"}], "top_a": 1}, Asked()).knobs
(Knob(name='unknown', value=1, at='top_a'),)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ccproxy.lightllm.openai_chat import thinking
from ccproxy.lightllm.openai_chat.fields import (
    Fields,
    array_at,
    bad,
    flag,
    integer,
    number,
    object_at,
    string,
    string_at,
)
from ccproxy.lightllm.openai_chat.messages import MessageReader
from ccproxy.lightllm.openai_chat.tools import read_choice, read_tools
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Knob, OutputFormat, Prompt, Sampling

_READ: Final = thinking.KEYS | {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "web_search_options",
    "parallel_tool_calls",
    "response_format",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "n",
    "modalities",
    "usage",  # OpenRouter's {include: true}: usage is told in any case
}
_KNOBS: Final = {
    "metadata": "metadata",
    "store": "store",
    "service_tier": "service_tier",
    "verbosity": "verbosity",
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
    "logit_bias": "logit_bias",
    "prediction": "prediction",
    "moderation": "safety",
    "safe_prompt": "safety",
}
"""Setting → its row in ``loss.LOSS``."""


def read(body: Mapping[str, object], asked: Asked) -> Prompt:
    """The request. Raises BadRequest, naming the field.

    Servers that name the model in the path (Azure) need none in the body; then ``asked.model`` or none is taken.
    """
    reader = MessageReader()
    messages = array_at(body.get("messages"), "messages")
    if not messages:
        raise bad("messages", "at least one message is expected here")
    for index, message in enumerate(messages):
        at = f"messages.{index}"
        reader.take(object_at(message, at), at)
    stream = flag(body, "stream") if asked.stream is None else asked.stream
    # A message of the older kind holds one call, so only one may be made.
    parallel = flag(body, "parallel_tool_calls") if not body.get("functions") else False
    return Prompt(
        model=string(body, "model") or asked.model or "",
        turns=reader.turns,
        tools=tuple(read_tools(body)),
        tool_choice=read_choice(body),
        parallel_calls=parallel,
        output=_output(body),
        reasoning=thinking.read_reasoning(body),
        sampling=Sampling(
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            top_k=_positive(body, "top_k"),
            seed=integer(body, "seed"),
            presence_penalty=number(body, "presence_penalty"),
            frequency_penalty=number(body, "frequency_penalty"),
        ),
        max_tokens=_positive(body, "max_completion_tokens") or _positive(body, "max_tokens"),
        stop=_stop(body),
        stream=bool(stream),
        stream_usage=_stream_usage(body),
        user=string(body, "safety_identifier") or string(body, "user"),
        cache_key=string(body, "prompt_cache_key"),
        knobs=(*reader.knobs, *_knobs(body)),
    )


def _positive(body: Fields, key: str) -> int | None:
    """A number above 0. Local servers and their clients say "no limit" with -1 or 0."""
    value = integer(body, key)
    return value if value is not None and value > 0 else None


def _stop(body: Fields) -> tuple[str, ...]:
    stop = body.get("stop")
    if isinstance(stop, str):
        return (stop,) if stop else ()
    values = array_at([] if stop is None else stop, "stop")
    return tuple(text for index, value in enumerate(values) if (text := string_at(value, f"stop.{index}")))


def _stream_usage(body: Fields) -> bool:
    options = body.get("stream_options")
    return options is not None and object_at(options, "stream_options").get("include_usage") is True


def _output(body: Fields) -> OutputFormat | None:
    if body.get("response_format") is None:
        return None
    given, at = object_at(body["response_format"], "response_format"), "response_format"
    match string_at(given.get("type"), f"{at}.type"):
        case "text":
            return None
        case "json_object":
            schema = given.get("schema")  # Together, Fireworks
            return OutputFormat(schema if isinstance(schema, dict) else None, at=at)
        case "json_schema":
            path = f"{at}.json_schema"
            inner = object_at(given.get("json_schema"), path)
            schema, name, said = inner.get("schema"), inner.get("name"), inner.get("description")
            strict = inner.get("strict")
            return OutputFormat(
                None if schema is None else object_at(schema, f"{path}.schema"),
                name if isinstance(name, str) and name else None,
                said if isinstance(said, str) and said else None,
                strict if isinstance(strict, bool) else None,
                at,
            )
    return None


def _knobs(body: Fields) -> Iterator[Knob]:
    if (count := integer(body, "n")) is not None and count > 1:
        yield Knob("several_answers", count, "n")
    modalities = body.get("modalities")
    if isinstance(modalities, list) and modalities != ["text"]:
        # Pictures beside the text (OpenRouter) are no more than a wish, speech is another answer.
        wished = sorted(map(str, modalities)) == ["image", "text"]
        yield Knob("unknown" if wished else "modalities", modalities, "modalities")
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") not in ("text", "json_object", "json_schema"):
        yield Knob("unknown", form, "response_format")
    for key, value in body.items():
        if value is None or key in _READ:
            continue
        name = _KNOBS.get(key, "unknown")
        if name in ("logprobs", "logit_bias") and not value:
            continue
        yield Knob(name, value, key)
