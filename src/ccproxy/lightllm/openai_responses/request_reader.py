"""A request to the Responses API, read (OpenAI API reference, "Responses", "Create a model response").

>>> prompt = read({"model": "gpt-5.4", "instructions": "Be brief.", "input": "hi", "max_output_tokens": 64}, Asked())
>>> [(turn.role, turn.parts[0].text) for turn in prompt.turns], prompt.max_tokens
([('system', 'Be brief.'), ('user', 'hi')], 64)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ccproxy.lightllm.ending import mapping
from ccproxy.lightllm.openai_responses.fields import Fields, bad, fields_at, maybe, name_at
from ccproxy.lightllm.openai_responses.input_items import Items, read_input
from ccproxy.lightllm.openai_responses.thinking import read_effort, read_settings
from ccproxy.lightllm.openai_responses.tools import AnyTool, namespaces, read_choice, read_tools
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import (
    CustomTool,
    Knob,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    Turn,
)

_READ: Final = frozenset(
    {
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text"),
        *("max_output_tokens", "temperature", "top_p", "stream", "user", "safety_identifier", "prompt_cache_key"),
    }
)
"""Settings that are read into fields of their own."""
_KNOBS: Final = {
    "previous_response_id": "state",
    "conversation": "state",
    "prompt": "state",
    "background": "background",
    "service_tier": "service_tier",
    "metadata": "metadata",
    "store": "store",
    "truncation": "truncation",
    "top_logprobs": "logprobs",
    "context_management": "context_management",
}
_USUAL: Final[dict[str, object]] = {
    "background": False,
    "metadata": {},
    "store": False,
    "stream_options": {},
    "top_logprobs": 0,
    "truncation": "disabled",
}
"""What asks for nothing. (``store`` is true where it is not said, but who says nothing does not rely on it.)"""
_ENCRYPTED: Final = "reasoning.encrypted_content"


def read(body: Fields, asked: Asked) -> Prompt:
    """The request. Raises BadRequest, naming the field, for a body that the API would refuse."""
    model = name_at(asked.model or body.get("model"), "model")
    items = read_input(body.get("input"), namespaces(body))
    knobs = (*items.knobs, *_knobs(body))
    if body.get("input") is None and not any(knob.name == "state" for knob in knobs):
        raise bad("input", "a string or a list of items is expected here")
    instructions = maybe(body, "instructions", str)
    system = (Turn("system", (Text(instructions, at="instructions"),), "instructions"),) if instructions else ()
    choice = read_choice(body["tool_choice"]) if body.get("tool_choice") is not None else None
    return Prompt(
        model,
        (*system, *items.turns),
        tools=_tools(body, items),
        tool_choice=choice,
        parallel_calls=maybe(body, "parallel_tool_calls", bool),
        output=_output(body, items),
        reasoning=_reasoning(body, items),
        sampling=Sampling(maybe(body, "temperature", float), maybe(body, "top_p", float)),
        max_tokens=maybe(body, "max_output_tokens", int),
        stream=maybe(body, "stream", bool) or False if asked.stream is None else asked.stream,
        user=maybe(body, "safety_identifier", str) or maybe(body, "user", str) or None,
        cache_key=maybe(body, "prompt_cache_key", str) or None,
        knobs=(*knobs, *_unnamed_choice(body, choice)),
    )


def _tools(body: Fields, items: Items) -> tuple[AnyTool, ...]:
    tools = list(read_tools(body["tools"], "tools")) if body.get("tools") is not None else []
    known = {tool.name for tool in tools if isinstance(tool, Tool | CustomTool)}
    more = [tool for tool in items.tools if not (isinstance(tool, Tool | CustomTool) and tool.name in known)]
    return (*tools, *more)


def _reasoning(body: Fields, items: Items) -> Reasoning | None:
    reasoning = read_settings(body.get("reasoning"))
    if items.effort is None:
        return reasoning
    effort = read_effort(items.effort, items.effort_at)
    enabled = False if effort == "none" else None
    return replace(reasoning or Reasoning(at=items.effort_at), enabled=enabled, effort=effort)


def _output(body: Fields, items: Items) -> OutputFormat | None:
    text = fields_at(body["text"], "text") if body.get("text") is not None else {}
    if items.form is not None:
        return _format(items.form, items.form_at)
    return _format(text["format"], "text.format") if text.get("format") is not None else None


def _format(value: object, at: str) -> OutputFormat | None:
    form = fields_at(value, at)
    match form.get("type"):
        case "text":
            return None
        case "json_object":
            return OutputFormat(at=at)
        case "json_schema":
            return OutputFormat(
                fields_at(form.get("schema"), f"{at}.schema"),
                maybe(form, "name", str, at),
                maybe(form, "description", str, at),
                maybe(form, "strict", bool, at),
                at,
            )
        case _:
            raise bad(f"{at}.type", "one of text, json_object and json_schema is expected here")


def _knobs(body: Fields) -> Iterator[Knob]:
    for key, value in body.items():
        if key in _READ or value is None or (key in _USUAL and value == _USUAL[key]):
            continue
        match key:
            case "include":
                if isinstance(value, list) and (rest := [each for each in value if each != _ENCRYPTED]):
                    yield Knob("include", rest, key)
            case "stream_options":
                if more := {name: each for name, each in mapping(value).items() if name != "include_obfuscation"}:
                    yield Knob("unknown", more, key)
            case _:
                yield Knob(_KNOBS.get(key, "unknown"), value, key)
    for at, known in (("text", ("format",)), ("reasoning", ("effort", "summary", "generate_summary"))):
        for name, value in mapping(body.get(at)).items():
            if name not in known and value is not None:
                yield Knob("verbosity" if name == "verbosity" else "unknown", value, f"{at}.{name}")


def _unnamed_choice(body: Fields, choice: ToolChoice | None) -> Iterator[Knob]:
    """A choice of one of the provider's own tools."""
    value = body.get("tool_choice")
    if value is not None and choice is None:
        yield Knob("mcp" if mapping(value).get("type") == "mcp" else "unknown", value, "tool_choice")
