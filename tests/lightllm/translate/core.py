"""What of a Prompt must survive a translation, as plain data: all but what the wire formats leave to the sender.

Left to them are the model, ids (as long as call and result agree), the spelling of JSON, names of files, which is the
default where nothing is said, and where one turn ends and the next of the same role begins.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from ccproxy.lightllm.prompt import (
    Call,
    CustomTool,
    File,
    Opaque,
    Part,
    Prompt,
    Result,
    ServerTool,
    Text,
    Thought,
    Tool,
)


def core(prompt: Prompt, *, exact: bool = True) -> dict[str, Any]:
    """The prompt to be compared. Not ``exact``: neighbouring texts as one, without white space, since there are
    dialects (and servers) that want one text where others have several."""
    ids: dict[str, str] = {}
    turns: list[tuple[str, list[Any]]] = []
    for turn in prompt.turns:
        said = [_part(part, ids) for part in turn.parts]
        if not turns or turns[-1][0] != turn.role:
            turns.append((turn.role, []))
        for each in said:
            _add(turns[-1][1], each, exact=exact)
    reasoning, output, choice = prompt.reasoning, prompt.output, prompt.tool_choice
    return {
        "turns": turns,
        "tools": [_tool(tool) for tool in prompt.tools],
        "tool_choice": None if choice is None or choice.mode == "auto" else (choice.mode, choice.names),
        "one call at a time": prompt.parallel_calls is False,
        "output": None if output is None else (_json(output.schema), bool(output.strict)),
        "effort": None if reasoning is None else reasoning.effort,
        "budget": None if reasoning is None else reasoning.budget,
        "sampling": prompt.sampling,
        "max_tokens": prompt.max_tokens,
        "stop": prompt.stop,
        "user": prompt.user,
        "cache_key": prompt.cache_key,
        "unknown": [(knob.name, knob.value) for knob in prompt.knobs if knob.name == "unknown"],
    }


def _add(said: list[Any], part: Any, *, exact: bool) -> None:
    if part[0] == "result" and not exact:
        content: list[Any] = []
        for each in part[3]:
            _add(content, each, exact=False)
        part = (*part[:3], content, part[4])
    if part[0] == "text" and not exact:
        part = ("text", "".join(part[1].split()), part[2])
        if said and said[-1][0] == "text" and part[2] == said[-1][2]:
            part = ("text", said.pop()[1] + part[1], part[2])
    said.append(part)


def _part(part: Part, ids: dict[str, str]) -> Any:
    match part:
        case Text():
            return ("text", part.text, part.refusal)
        case File():
            return ("file", part.kind, part.mime if part.data is not None else None, part.data, part.url, part.file_id)
        case Thought():
            return ("thought", part.text, part.signature)
        case Call():
            number = ids.setdefault(part.id, f"call {len(ids)}")
            return ("call", number, part.name, part.arguments if part.custom else _json(json.loads(part.arguments)))
        case Result():
            content = [_part(each, ids) for each in part.content]
            return ("result", ids.get(part.call_id, part.call_id), part.name, content, part.is_error)
        case Opaque():
            return ("opaque", part.dialect, part.type)


def _tool(tool: Tool | CustomTool | ServerTool) -> Any:
    match tool:
        case Tool():
            return ("tool", tool.name, tool.description, _json(tool.schema), bool(tool.strict))
        case CustomTool():
            return ("custom", tool.name, tool.description, _json(tool.format))
        case ServerTool():
            return ("server", tool.kind)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def has_neighbours(prompt: Prompt) -> bool:
    """Whether a text follows a text."""
    kinds: list[list[str]] = [[]]
    role = ""
    for turn in prompt.turns:
        if turn.role != role:
            kinds.append([])
            role = turn.role
        for part in turn.parts:
            kinds[-1].append(type(part).__name__)
            if isinstance(part, Result):
                kinds += [[type(each).__name__ for each in part.content], []]
    return any(one == other == "Text" for run in kinds for one, other in pairwise(run))
