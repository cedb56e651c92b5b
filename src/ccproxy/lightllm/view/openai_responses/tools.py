"""Read and write ``tools`` of the Responses API. What is no function comes back as it was."""

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
        case {"type": "function", "name": str() as name, "parameters": dict() as schema}:
            text, strict = tool.get("description"), tool.get("strict")
            known = ["type", "name", "parameters", *(["description"] if isinstance(text, str) else [])]
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
    return {
        "type": "function",
        "name": tool.name,
        **text,
        "parameters": tool.parameters_json_schema,
        **strict,
        **extra(tool.metadata),
    }
