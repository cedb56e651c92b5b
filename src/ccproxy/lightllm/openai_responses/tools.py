"""Tools and the choice among them, in both directions (OpenAI API reference, "Responses", ``tools``, ``tool_choice``).

A namespace groups functions (Codex: one for each MCP server). Other dialects have none, so its functions are read
under one name, and the two names are put back into the calls of the answer.

>>> joined_name("mcp__git__", "log"), joined_name("crm", "find")
('mcp__git__log', 'crm__find')
>>> read_choice({"type": "function", "name": "exec"})
ToolChoice(mode='one', names=('exec',), must=True, at='tool_choice')
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import mapping
from ccproxy.lightllm.left_out import leave_out_settings
from ccproxy.lightllm.openai_limits import fit_parameters
from ccproxy.lightllm.openai_responses.fields import Fields, bad, fields_at, list_at, maybe, name_at
from ccproxy.lightllm.plan import Warn, untold
from ccproxy.lightllm.prompt import CustomTool, ServerTool, Tool, ToolChoice

type AnyTool = Tool | CustomTool | ServerTool

_KINDS: Final = {
    "web_search": "web_search",
    "web_search_2025_08_26": "web_search",
    "web_search_preview": "web_search",
    "web_search_preview_2025_03_11": "web_search",
    "code_interpreter": "code_execution",
}
"""What other dialects have, too; any other type is its own word."""
_MODES: Final = {"auto": "auto", "none": "none", "required": "any"}
_BEARERS: Final = ("additional_tools", "tool_search_output")
"""Items that bring tools along: Codex's, and what a search for tools has found."""


def joined_name(namespace: str, name: str) -> str:
    """The one name of a function in a namespace."""
    return namespace + name if namespace.endswith(("_", "-")) else f"{namespace}__{name}"


def namespaces(body: Fields) -> dict[str, tuple[str, str]]:
    """The functions of a request that are in namespaces: the joined name → namespace and name.

    Looks at a body that has been read before; what is not as it should be is passed over.
    """
    found: dict[str, tuple[str, str]] = {}
    items = body.get("input")
    bearers = [item for item in items if mapping(item).get("type") in _BEARERS] if isinstance(items, list) else []
    for bearer in (body, *bearers):
        tools = mapping(bearer).get("tools")
        for tool in tools if isinstance(tools, list) else ():
            space, inner = mapping(tool).get("name"), mapping(tool).get("tools")
            if mapping(tool).get("type") != "namespace" or not isinstance(space, str) or not isinstance(inner, list):
                continue
            for each in inner:
                if isinstance(name := mapping(each).get("name"), str):
                    found[joined_name(space, name)] = (space, name)
    return found


def read_tools(value: object, at: str) -> Iterator[AnyTool]:
    """The tools of a list, those in namespaces by their joined names."""
    for index, each in enumerate(list_at(value, at)):
        place = f"{at}.{index}"
        tool = fields_at(each, place)
        if tool.get("type") == "namespace":
            space = name_at(tool.get("name"), f"{place}.name")
            for inner in read_tools(tool.get("tools"), f"{place}.tools"):
                yield inner if isinstance(inner, ServerTool) else replace(inner, name=joined_name(space, inner.name))
        else:
            yield _read_tool(tool, place)


def _read_tool(tool: Fields, at: str) -> AnyTool:
    kind = name_at(tool.get("type"), f"{at}.type")
    match kind:
        case "function":
            return Tool(
                name_at(tool.get("name"), f"{at}.name"),
                maybe(tool, "description", str, at),
                maybe(tool, "parameters", dict, at),
                maybe(tool, "strict", bool, at),
                at=at,
            )
        case "custom":
            name = name_at(tool.get("name"), f"{at}.name")
            return CustomTool(name, maybe(tool, "description", str, at), maybe(tool, "format", dict, at), at)
        case _:
            return ServerTool(_KINDS.get(kind, kind), Dialect.OPENAI_RESPONSES, tool, at)


def read_choice(value: object) -> ToolChoice | None:
    """The choice; None for a tool of the provider's, which has no name that another dialect knows."""
    at = "tool_choice"
    if isinstance(value, str):
        match _MODES.get(value):
            case "auto" | "none" | "any" as mode:
                return ToolChoice(mode, at=at)
            case _:
                raise bad(at, "one of auto, none and required is expected here")
    choice = fields_at(value, at)
    match choice.get("type"):
        case "function" | "custom":
            name = name_at(choice.get("name"), f"{at}.name")
            space = choice.get("namespace")
            return ToolChoice("one", (joined_name(space, name) if isinstance(space, str) else name,), at=at)
        case "allowed_tools":
            tools = list_at(choice.get("tools"), f"{at}.tools")
            names = tuple(found for tool in tools if isinstance(found := mapping(tool).get("name"), str))
            return ToolChoice("some", names, choice.get("mode") == "required", at) if names else None
        case _:
            return None


def write_tools(tools: Sequence[AnyTool], warn: Warn) -> list[dict[str, object]]:
    """The tools that ``loss.sift`` has left."""
    return [_write_tool(tool, warn) for tool in tools]


def _write_tool(tool: AnyTool, warn: Warn) -> dict[str, object]:
    match tool:
        case Tool():
            written: dict[str, object] = {"type": "function", "name": tool.name}
            if tool.description is not None:
                written["description"] = tool.description
            # Not said means strict here, as far as the schema allows, and loose everywhere else.
            written["parameters"], written["strict"] = fit_parameters(tool, warn)
            return written
        case CustomTool():
            written = {"type": "custom", "name": tool.name}
            if tool.description is not None:
                written["description"] = tool.description
            if tool.format is not None:
                written["format"] = tool.format
            return written
        case ServerTool(dialect=Dialect.OPENAI_RESPONSES):
            return dict(tool.value)
        case ServerTool(kind="code_execution"):
            leave_out_settings(tool, (), warn)
            return {"type": "code_interpreter", "container": {"type": "auto"}}
        case ServerTool(kind="web_search"):
            leave_out_settings(tool, _SEARCH_SETTINGS, warn)
            return {"type": "web_search", **_search_settings(tool)}
        case _:
            raise bad(tool.at, f"{tool.kind} cannot be translated to openai_responses")  # loss.LOSS drops it before


_SEARCH_SETTINGS: Final = ("allowed_domains", "search_context_size", "user_location")


def _search_settings(tool: ServerTool) -> dict[str, object]:
    """What Anthropic's tool and Chat's option say that this one can, too."""
    settings: dict[str, object] = {}
    if isinstance(domains := tool.value.get("allowed_domains"), list) and domains:
        settings["filters"] = {"allowed_domains": domains}
    if (size := tool.value.get("search_context_size")) in ("low", "medium", "high"):
        settings["search_context_size"] = size
    if isinstance(place := tool.value.get("user_location"), dict):
        inner = place.get("approximate")  # Chat's has its fields one level deeper
        settings["user_location"] = {"type": "approximate", **(inner if isinstance(inner, dict) else place)}
    return settings


def write_choice(choice: ToolChoice, tools: Sequence[AnyTool]) -> object:
    """The choice; None if no tool that it names is there, as one that the other provider would have run."""
    match choice.mode:
        case "any":
            return "required"
        case "auto" | "none":
            return choice.mode
        case "one" | "some":
            found = [said for name in choice.names if (said := _reference(name, tools)) is not None]
            if choice.mode == "one" or not found:
                return found[0] if found else None
            return {"type": "allowed_tools", "mode": "required" if choice.must else "auto", "tools": found}


def _reference(name: str, tools: Sequence[AnyTool]) -> dict[str, object] | None:
    for tool in tools:
        match tool:
            case Tool() if tool.name == name:
                return {"type": "function", "name": name}
            case CustomTool() if tool.name == name:
                return {"type": "custom", "name": name}
            case ServerTool() if name in (tool.kind, tool.value.get("name")):
                return {"type": _write_tool(tool, untold)["type"]}
            case _:
                pass
    return None
