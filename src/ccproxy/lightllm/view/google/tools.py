"""Read and write ``tools`` of the Gemini API (Gemini API reference, "Tool", "FunctionDeclaration").

One wire object holds many declarations; those that were together come back together. What is no declaration
(``googleSearch``) comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from pydantic_ai.tools import ToolDefinition

from ccproxy.lightllm.view.carry import Json, block, carry, extra, group, json_objects, place, rest

_SCHEMAS = ("parametersJsonSchema", "parameters_json_schema", "parameters")
"""Where a declaration has its schema; the last is Gemini's own dialect of OpenAPI."""


def load_tools(tools: Sequence[Json]) -> list[ToolDefinition]:
    """One definition for each declaration, in order, and one for each built-in tool."""
    return [definition for number, tool in enumerate(tools) for definition in _tools(tool, number)]


def dump_tools(tools: Iterable[ToolDefinition]) -> list[Json]:
    """The tools again."""
    out: list[Json] = []
    for key, together in groupby(tools, lambda tool: group(tool.metadata)):
        members = list(together)
        whole = [block(tool.metadata) for tool in members]
        if key is not None:
            declarations = [carried or _wire(tool) for carried, tool in zip(whole, members, strict=True)]
            out.append({"functionDeclarations": declarations, **rest(key, "number")})
            continue
        out += [found for found in whole if found is not None]
        if new := [_wire(tool) for tool, found in zip(members, whole, strict=True) if found is None]:
            out.append({"functionDeclarations": new})
    return out


def _tools(tool: Json, number: int) -> list[ToolDefinition]:
    declarations = json_objects(tool.get("functionDeclarations"))
    if not declarations:
        return [ToolDefinition(name=next(iter(tool), "tool"), metadata=carry(block=tool))]
    together = {"number": number + 1, **rest(tool, "functionDeclarations")}
    return [_declaration(declaration, together) for declaration in declarations]


def _declaration(declaration: Json, together: Json) -> ToolDefinition:
    name, text = declaration.get("name"), declaration.get("description")
    key = next((key for key in _SCHEMAS if isinstance(declaration.get(key), dict)), None)
    schema = declaration[key] if key is not None else {}
    if not isinstance(name, str) or not isinstance(schema, dict):
        return ToolDefinition(name=str(name), metadata=carry(block=declaration, group=together))
    known = ["name", *(["description"] if isinstance(text, str) else []), *([key] if key is not None else [])]
    left = rest(declaration, *known)
    return ToolDefinition(
        name=name,
        parameters_json_schema=schema,
        description=text if isinstance(text, str) else None,
        metadata=carry(extra=left, group=together, place=key if key != _SCHEMAS[0] else None),
    )


def _wire(tool: ToolDefinition) -> Json:
    text: Json = {"description": tool.description} if tool.description is not None else {}
    schema: Json = (
        {place(tool.metadata) or _SCHEMAS[0]: tool.parameters_json_schema} if tool.parameters_json_schema else {}
    )
    return {"name": tool.name, **text, **schema, **extra(tool.metadata)}
