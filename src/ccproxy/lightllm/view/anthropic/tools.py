"""Read and write ``tools`` of the Messages API. Server tools have no schema; they come back as they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.view.carry import Json, block, carry, extra, rest


def load_tools(tools: Sequence[Json]) -> list[ToolDefinition]:
    """One definition for each, in order."""
    return [_tool(tool) for tool in tools]


def dump_tools(tools: Iterable[ToolDefinition]) -> list[Json]:
    """The tools again."""
    return [block(tool.metadata) or _wire(tool) for tool in tools]


def _tool(tool: Json) -> ToolDefinition:
    match tool:
        case {"name": str() as name, "input_schema": dict() as schema}:
            text, strict = tool.get("description"), tool.get("strict")
            known = ["name", "input_schema", *(["description"] if isinstance(text, str) else [])]
            known += ["strict"] if isinstance(strict, bool) else []
            return ToolDefinition(
                name=name,
                parameters_json_schema=schema,
                description=text if isinstance(text, str) else None,
                strict=strict if isinstance(strict, bool) else None,
                metadata=carry(extra=rest(tool, *known)),
            )
        case _:
            return ToolDefinition(name=str(tool.get("name") or tool.get("type")), metadata=carry(block=tool))


def _wire(tool: ToolDefinition) -> Json:
    text: Json = {"description": tool.description} if tool.description is not None else {}
    strict: Json = {"strict": tool.strict} if tool.strict is not None else {}
    return {"name": tool.name, **text, "input_schema": tool.parameters_json_schema, **strict, **extra(tool.metadata)}
