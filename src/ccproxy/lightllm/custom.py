"""Custom tools (OpenAI ``type: custom``) toward a provider that has none: a function with one string, ``input``.

>>> Unwrapping().take(BlockStart(0, "call", "c", "patch"), wrapped=False)
[BlockStart(index=0, kind='call', id='c', name='patch', custom=False)]
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.events import BlockDelta, BlockStart, BlockStop, Event
from ccproxy.lightllm.prompt import Call, CustomTool, Part, Prompt, Result, ServerTool, Tool

HELD_LIMIT: Final = 8 << 20
"""Most characters of calls that are held."""


def as_functions(prompt: Prompt) -> Prompt:
    """The prompt with functions in the place of custom tools, their calls and results included."""
    turns = tuple(
        replace(turn, parts=tuple(_part(part) for part in turn.parts))
        if any(isinstance(part, Call | Result) and part.custom for part in turn.parts)
        else turn
        for turn in prompt.turns
    )
    return replace(prompt, turns=turns, tools=tuple(_tool(tool) for tool in prompt.tools))


def _part(part: Part) -> Part:
    match part:
        case Call(custom=True):
            arguments = json.dumps({"input": part.arguments}, ensure_ascii=False, separators=(",", ":"))
            return replace(part, arguments=arguments, custom=False)
        case Result(custom=True):
            return replace(part, custom=False)
        case _:
            return part


def _tool(tool: Tool | CustomTool | ServerTool) -> Tool | ServerTool:
    if not isinstance(tool, CustomTool):
        return tool
    description = tool.description or ""
    syntax, definition = (tool.format or {}).get("syntax"), (tool.format or {}).get("definition")
    if isinstance(definition, str):
        description += f"\n\nThe input has this {syntax or 'grammar'} grammar:\n{definition}"
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False,
    }
    return Tool(tool.name, description.strip() or None, schema, at=tool.at)


class Unwrapping:
    """The other way: a call's JSON back to the text in it, once it is whole. Other events pass."""

    __slots__ = ("_held", "_size")

    def __init__(self) -> None:
        self._held: dict[int, list[str]] = {}
        self._size = 0

    def take(self, event: Event, *, wrapped: bool) -> list[Event]:
        """What to pass on for one event. ``wrapped``: the event begins such a call. Raises UpstreamError for too much
        of one."""
        match event:
            case BlockStart() if wrapped:
                self._held[event.index] = []
            case BlockDelta(index, text) if index in self._held:
                self._held[index].append(text)
                self._size += len(text)
                if self._size > HELD_LIMIT:
                    raise UpstreamError(f"the provider's answer has more than {HELD_LIMIT} characters in a call")
                return []
            case BlockStop(index) if index in self._held:
                whole = "".join(self._held.pop(index))
                self._size -= len(whole)
                text = _input(whole)
                return [BlockDelta(index, text), event] if text else [event]
            case _:
                pass
        return [event]


def _input(arguments: str) -> str:
    """The text of ``input``; arguments of any other shape as they are."""
    try:
        document = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    found = document.get("input") if isinstance(document, dict) else None
    return found if isinstance(found, str) else arguments
