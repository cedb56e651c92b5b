"""Tools of requests, and which of them may be called (Anthropic API reference, "Messages": ``tools``, ``tool_choice``).

A tool with an ``input_schema`` is the client's own. Any other is known by its ``type``, whose date is its version:
``web_search_20260318``. ``defer_loading`` hides a tool until a search finds it; elsewhere there is no such search, and
the tool is offered from the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from ccproxy.errors import BadRequest
from ccproxy.lightllm.anthropic.content import Notes, cache_mark
from ccproxy.lightllm.anthropic.fields import Object, array, flag, mapping, string, string_or_none
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.prompt import CustomTool, Knob, ServerTool, Tool, ToolChoice

type AnyTool = Tool | CustomTool | ServerTool

_KINDS: Final = ("web_search", "web_fetch", "code_execution")
_CHOICES: Final[dict[str, Literal["auto", "none", "any", "one"]]] = {
    "auto": "auto",
    "none": "none",
    "any": "any",
    "tool": "one",
}


def read_tools(value: object, notes: Notes) -> list[AnyTool]:
    """The request's ``tools``."""
    if value is None:
        return []
    return [
        read_tool(mapping(tool, f"tools.{number}"), f"tools.{number}", notes)
        for number, tool in enumerate(array(value, "tools"))
    ]


def read_tool(tool: Object, at: str, notes: Notes) -> Tool | ServerTool:
    """One of them."""
    kind = string_or_none(tool, "type", at) or "custom"
    if kind != "custom":
        if kind == "mcp_toolset":
            return ServerTool("mcp", Dialect.ANTHROPIC, tool, at)
        known = next((known for known in _KINDS if kind.startswith(known)), kind)
        return ServerTool(known, Dialect.ANTHROPIC, tool, at)
    notes.knobs += [Knob("unknown", tool[key], f"{at}.{key}") for key in ("input_examples",) if tool.get(key)]
    return Tool(
        string(tool, "name", at),
        string_or_none(tool, "description", at),
        mapping(tool.get("input_schema"), f"{at}.input_schema"),
        flag(tool, "strict", at),
        cache_mark(tool, at),
        at,
    )


def read_choice(value: object) -> tuple[ToolChoice | None, bool | None]:
    """The request's ``tool_choice``, and whether several tools may be called at once, if it says so."""
    if value is None:
        return None, None
    choice = mapping(value, "tool_choice")
    kind = string(choice, "type", "tool_choice")
    if (mode := _CHOICES.get(kind)) is None:
        raise BadRequest(f"tool_choice.type: this must be 'auto', 'any', 'tool' or 'none', not {kind!r}")
    names = (string(choice, "name", "tool_choice"),) if mode == "one" else ()
    alone = flag(choice, "disable_parallel_tool_use", "tool_choice")
    return ToolChoice(mode, names, at="tool_choice"), None if alone is None else not alone


def change_tools(tools: list[AnyTool], changes: Iterable[tuple[Object, str]], notes: Notes) -> tuple[AnyTool, ...]:
    """The tools that are offered in the end, after the ``tool_addition`` and ``tool_removal`` blocks of system turns.

    Seen 2026-11 with the beta ``mid-conversation-tool-changes-2026-07-01``.
    """
    removed: set[str] = set()
    for block, at in changes:
        tool = mapping(block.get("tool"), f"{at}.tool")
        if tool.get("type") == "tool_definition":
            added = read_tool(mapping(tool.get("definition"), f"{at}.tool.definition"), f"{at}.tool.definition", notes)
            tools = [known for known in tools if _name(known) != _name(added)] + [added]
            removed.discard(_name(added))
        elif tool.get("type") == "tool_reference":
            name = string(tool, "name", f"{at}.tool")
            (removed.add if block.get("type") == "tool_removal" else removed.discard)(name)
    return tuple(tool for tool in tools if _name(tool) not in removed)


def _name(tool: AnyTool) -> str:
    return str(tool.value.get("name", tool.kind)) if isinstance(tool, ServerTool) else tool.name
