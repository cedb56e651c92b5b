"""Read and write ``tools`` of a chat completion. What is no function comes back as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.view.carry import Json, block, carry, extra, json_object, rest


def load_tools(tools: Sequence[Json]) -> list[ToolDefinition]:
    """One definition for each, in order."""
    return [_tool(tool) for tool in tools]


def dump_tools(tools: Iterable[ToolDefinition]) -> list[Json]:
    """The tools again."""
    return [block(tool.metadata) or _wire(tool) for tool in tools]


def _tool(tool: Json) -> ToolDefinition:
    function = json_object(tool.get("function"))
    name, text, strict = function.get("name"), function.get("description"), function.get("strict")
    schema = function.get("parameters")
    if tool.get("type") != "function" or not isinstance(name, str) or not isinstance(schema, dict | None):
        return ToolDefinition(name=str(name or tool.get("type")), metadata=carry(block=tool))
    known = [
        "name",
        *(["description"] if isinstance(text, str) else []),
        *(["strict"] if isinstance(strict, bool) else []),
    ]
    known += ["parameters"] if schema is not None else []
    inner = rest(function, *known)
    left = rest(tool, "type", "function") | ({"function": inner} if inner else {})
    return ToolDefinition(
        name=name,
        parameters_json_schema=schema if schema is not None else {},
        description=text if isinstance(text, str) else None,
        strict=strict if isinstance(strict, bool) else None,
        metadata=carry(extra=left),
    )


def _wire(tool: ToolDefinition) -> Json:
    left = extra(tool.metadata)
    function: Json = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters_json_schema:
        function["parameters"] = tool.parameters_json_schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": {**function, **json_object(left.get("function"))}, **rest(left, "function")}
