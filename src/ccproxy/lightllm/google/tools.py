"""``tools`` and ``toolConfig`` (Gemini API reference, "Tool", "ToolConfig", "FunctionDeclaration").

A ``Tool`` is a bag: functions in a list, and a key for each thing that the provider runs itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.google.fields import Json, both, pick, place, record, records, snake, string, strings, word, wrong
from ccproxy.lightllm.google.schema import json_schema
from ccproxy.lightllm.left_out import leave_out_choice, leave_out_settings
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import CustomTool, Knob, Prompt, ServerTool, Tool, ToolChoice

_FUNCTIONS: Final = both("functionDeclarations")
_KINDS: Final = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "enterpriseWebSearch": "web_search",
    "urlContext": "web_fetch",
    "codeExecution": "code_execution",
    "mcpServers": "mcp",
}
_KIND_OF: Final = {spelling: kind for key, kind in _KINDS.items() for spelling in (key, snake(key))}
_WRITTEN: Final = {"web_search": "googleSearch", "web_fetch": "urlContext", "code_execution": "codeExecution"}
_CALLING: Final = both("functionCallingConfig")
_CALLING_FIELDS: Final = both("mode", "allowedFunctionNames")


def read_tools(body: Json, at: str) -> Iterator[Tool | ServerTool]:
    """The tools of a body; ``at`` is where the body stands."""
    for tool, here in records(body, "tools", at):
        for declaration, where in records(tool, "functionDeclarations", here):
            yield _function(declaration, where)
        for key, value in tool.items():
            if key not in _FUNCTIONS and value is not None:
                yield ServerTool(_KIND_OF.get(key, key), Dialect.GOOGLE, {key: value}, place(here, key))


def _function(declaration: Json, at: str) -> Tool:
    name = string(declaration, "name", at)
    if not name:
        raise BadRequest(f"{place(at, 'name')}: is missing")
    schema = record(declaration, "parametersJsonSchema", at)
    if schema is None and (own := record(declaration, "parameters", at)) is not None:
        schema = json_schema(own)
    return Tool(name, string(declaration, "description", at) or None, schema, at=at)


def read_choice(body: Json, at: str) -> tuple[ToolChoice | None, tuple[Knob, ...]]:
    """``functionCallingConfig``, and what else ``toolConfig`` says."""
    config = record(body, "toolConfig", at)
    if config is None:
        return None, ()
    here = place(at, "toolConfig")
    knobs = [Knob("unknown", value, place(here, key)) for key, value in config.items() if key not in _CALLING]
    calling = record(config, "functionCallingConfig", here)
    if calling is None:
        return None, tuple(knobs)
    here = place(here, "functionCallingConfig")
    knobs += [Knob("unknown", value, place(here, key)) for key, value in calling.items() if key not in _CALLING_FIELDS]
    return _choice(calling, here), tuple(knobs)


def _choice(calling: Json, at: str) -> ToolChoice | None:
    names = strings(calling, "allowedFunctionNames", at)
    match word(calling, "mode", at):
        case None:
            return None
        case "AUTO":
            return ToolChoice("auto", at=at)
        case "NONE":
            return ToolChoice("none", at=at)
        case "ANY" if len(names) == 1:
            return ToolChoice("one", names, at=at)
        case "ANY":
            return ToolChoice("some" if names else "any", names, at=at)
        case "VALIDATED":
            return ToolChoice("some", names, must=False, at=at) if names else ToolChoice("auto", at=at)
        case _:
            raise wrong(place(at, "mode"), "one of AUTO, NONE, ANY and VALIDATED", pick(calling, "mode"))


def write_tools(prompt: Prompt, warn: Warn) -> list[dict[str, object]]:
    """``tools``. The provider's own are left out beside functions.

    Gemini 2.5 refuses them together; Gemini 3 takes them only if the client carries its own tools' calls and results
    back (``includeServerSideToolInvocations``), which no client of another dialect does (seen 2026-11).
    """
    functions = [_declaration(tool) for tool in prompt.tools if isinstance(tool, Tool | CustomTool)]
    own = [tool for tool in prompt.tools if isinstance(tool, ServerTool) and tool.kind in _WRITTEN]
    for tool in own:
        if functions:
            warn(f"{tool.at} ({tool.kind}): left out, the provider does not run it beside functions")
        else:
            leave_out_settings(tool, (), warn)
    if functions:
        return [{"functionDeclarations": functions}]
    return [{key: {}} for key in dict.fromkeys(_WRITTEN[tool.kind] for tool in own)]


def _declaration(tool: Tool | CustomTool) -> dict[str, object]:
    declaration: dict[str, object] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if isinstance(tool, Tool) and tool.schema is not None:
        schema = dict(tool.schema)
        declaration["parametersJsonSchema"] = schema if "type" in schema else {"type": "object", **schema}
    return declaration


def write_choice(prompt: Prompt, warn: Warn) -> dict[str, object]:
    """``toolConfig``; empty where the default is meant. Without functions the API refuses it."""
    declared = {tool.name for tool in prompt.tools if isinstance(tool, Tool | CustomTool)}
    choice = prompt.tool_choice
    if choice is None:
        return {}
    if not declared:
        leave_out_choice(choice, warn)
        return {}
    names = [name for name in choice.names if name in declared]
    match choice.mode:
        case "auto" | "none" | "any":
            config: dict[str, object] = {"mode": choice.mode.upper()}
        case _ if not names:
            leave_out_choice(choice, warn)
            return {}
        case "some" if not choice.must:
            config = {"mode": "VALIDATED", "allowedFunctionNames": names}
        case _:
            config = {"mode": "ANY", "allowedFunctionNames": names}
    return {"functionCallingConfig": config}
