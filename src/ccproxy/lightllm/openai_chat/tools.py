"""Tools, and which of them the model is to call (API reference, "Chat Completions", "tools", "tool_choice").

Read are also the older ``functions`` and ``function_call``, ``web_search_options``, functions without the inner
object, and the types of compatible servers (``openrouter:web_search``), which name tools that the provider runs.

>>> read_choice({"tool_choice": {"type": "function", "function": {"name": "ls"}}})
ToolChoice(mode='one', names=('ls',), must=True, at='tool_choice')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.left_out import leave_out_choice, leave_out_tools
from ccproxy.lightllm.openai_chat.content import cache_mark
from ccproxy.lightllm.openai_chat.fields import Fields, array, array_at, bad, name_at, object_at, string_at
from ccproxy.lightllm.openai_limits import fit_parameters
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import CustomTool, Prompt, ServerTool, Tool, ToolChoice

type AnyTool = Tool | CustomTool | ServerTool

# By the type's last word: "openrouter:web_search", "web_search_preview", groq's "browser_search" (seen 2026-11).
_SERVED: Final = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "browser_search": "web_search",
    "web_fetch": "web_fetch",
    "code_execution": "code_execution",
    "code_interpreter": "code_execution",
    "mcp": "mcp",
}
_MODES: Final[dict[str, Literal["auto", "none", "any"]]] = {
    "auto": "auto",
    "none": "none",
    "required": "any",
    "any": "any",
}


def read_tools(body: Fields) -> Iterator[AnyTool]:
    """All tools of a request."""
    for index, value in enumerate(array(body, "tools")):
        yield _tool(object_at(value, f"tools.{index}"), f"tools.{index}")
    for index, value in enumerate(array(body, "functions")):
        yield _function(object_at(value, f"functions.{index}"), f"functions.{index}")
    if (options := body.get("web_search_options")) is not None:
        yield ServerTool("web_search", Dialect.OPENAI, _search(options), at="web_search_options")


def _tool(tool: Fields, at: str) -> AnyTool:
    kind = string_at(tool.get("type", "function" if "function" in tool or "name" in tool else None), f"{at}.type")
    inner = tool.get(kind)
    match kind:
        case "function":
            found = object_at(inner, f"{at}.function") if inner is not None else tool
            return _function(found, f"{at}.function" if inner is not None else at, cache=tool)
        case "custom":
            found = object_at(inner, f"{at}.custom") if inner is not None else tool
            name, description = name_at(found.get("name"), f"{at}.custom.name"), found.get("description")
            return CustomTool(name, _words(description), _flat_format(found.get("format")), at)
    parameters = tool.get("parameters")
    value = {**tool, **parameters} if ":" in kind and isinstance(parameters, dict) else tool
    return ServerTool(_SERVED.get(kind.rpartition(":")[2], kind), Dialect.OPENAI, value, at)


def _function(function: Fields, at: str, cache: Fields | None = None) -> Tool:
    schema, strict = function.get("parameters"), function.get("strict")
    return Tool(
        name_at(function.get("name"), f"{at}.name"),
        _words(function.get("description")),
        object_at(schema, f"{at}.parameters") if schema is not None else None,
        strict if isinstance(strict, bool) else None,
        cache_mark(cache or function),
        at,
    )


def _words(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _flat_format(value: object) -> Mapping[str, object] | None:
    """Chat nests the grammar; ``prompt.CustomTool`` has it as Responses does."""
    if not isinstance(value, dict):
        return None
    grammar = value.get("grammar")
    return {"type": value.get("type"), **grammar} if isinstance(grammar, dict) else value


def _search(value: object) -> Fields:
    """The options with the place flat, as Anthropic and Responses have it."""
    options = object_at(value, "web_search_options")
    place = options.get("user_location")
    if isinstance(place, dict) and isinstance(flat := place.get("approximate"), dict):
        return {**options, "user_location": {"type": "approximate", **flat}}
    return options


def read_choice(body: Fields) -> ToolChoice | None:
    """``tool_choice``, or the older ``function_call``."""
    key = "tool_choice" if body.get("tool_choice") is not None else "function_call"
    choice = body.get(key)
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _MODES:
            raise bad(key, "one of none, auto and required, or an object, is expected here")
        return ToolChoice(_MODES[choice], at=key)
    chosen = object_at(choice, key)
    kind = string_at(chosen.get("type", "function"), f"{key}.type")
    if kind in _MODES:
        return ToolChoice(_MODES[kind], at=key)
    if kind == "allowed_tools":
        return _allowed(chosen, key)
    if isinstance(chosen.get(kind), dict) or "name" in chosen:
        return ToolChoice("one", (_chosen_name(chosen, key),), at=key)
    return ToolChoice("one", (kind,), at=key)  # a tool that the provider runs


def _allowed(chosen: Fields, at: str) -> ToolChoice:
    inner = chosen.get("allowed_tools")
    allowed, at = (object_at(inner, f"{at}.allowed_tools"), f"{at}.allowed_tools") if inner else (chosen, at)
    tools = array_at(allowed.get("tools"), f"{at}.tools")
    names = tuple(
        _chosen_name(object_at(tool, f"{at}.tools.{index}"), f"{at}.tools.{index}") for index, tool in enumerate(tools)
    )
    return ToolChoice("some", names, must=allowed.get("mode") == "required", at=at)


def _chosen_name(tool: Fields, at: str) -> str:
    kind = string_at(tool.get("type", "function"), f"{at}.type")
    inner = tool.get(kind)
    if isinstance(inner, dict):
        return name_at(inner.get("name"), f"{at}.{kind}.name")
    return name_at(tool["name"], f"{at}.name") if "name" in tool else kind


def write_tools(prompt: Prompt, flavour: Flavour, warn: Warn) -> dict[str, object]:
    """``tools``, ``tool_choice`` and ``parallel_tool_calls``; the last two are refused where there are no tools."""
    tools = [tool for tool in prompt.tools if not isinstance(tool, ServerTool)]
    choice = prompt.tool_choice
    if choice is not None and choice.mode == "some" and not flavour.custom_tools:
        # Only api.openai.com has ``allowed_tools``. For the others the same is said by leaving the rest out.
        allowed = [tool for tool in tools if tool.name in choice.names]
        if len(allowed) < len(tools):
            leave_out_tools(choice, warn)
        tools = allowed
    said = _written_choice(choice, tools, flavour) if choice is not None and tools else None
    if choice is not None and said is None:
        leave_out_choice(choice, warn)
    if not tools:
        return {}
    written: dict[str, object] = {"tools": [_written(tool, warn) for tool in tools]}
    if said is not None:
        written["tool_choice"] = said
    if prompt.parallel_calls is not None:
        written["parallel_tool_calls"] = prompt.parallel_calls
    return written


def _written(tool: Tool | CustomTool, warn: Warn) -> dict[str, object]:
    inner: dict[str, object] = {"name": tool.name}
    if tool.description is not None:
        inner["description"] = tool.description
    if isinstance(tool, CustomTool):
        if tool.format is not None:
            inner["format"] = _nested_format(tool.format)
        return {"type": "custom", "custom": inner}
    if tool.schema is not None:
        inner["parameters"], strict = fit_parameters(tool, warn)
        if tool.strict is not None:
            inner["strict"] = strict
    return {"type": "function", "function": inner}


def _nested_format(given: Mapping[str, object]) -> Mapping[str, object]:
    if given.get("type") != "grammar" or "grammar" in given:
        return given
    return {"type": "grammar", "grammar": {key: value for key, value in given.items() if key != "type"}}


def _written_choice(choice: ToolChoice, tools: list[Tool | CustomTool], flavour: Flavour) -> object:
    """None: it names a tool that is not among them, as one that the other provider would have run."""
    named = {tool.name: _reference(tool) for tool in tools}
    match choice.mode:
        case "auto" | "none":
            return choice.mode
        case "any":
            return "required"
        case "one":
            return named.get(choice.names[0])
        case "some":
            mode = "required" if choice.must else "auto"
            if not flavour.custom_tools:
                return mode
            allowed = [named[name] for name in choice.names if name in named]
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}} if allowed else None


def _reference(tool: Tool | CustomTool) -> dict[str, object]:
    kind = "custom" if isinstance(tool, CustomTool) else "function"
    return {"type": kind, kind: {"name": tool.name}}
