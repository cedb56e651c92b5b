"""The items of ``input``, read into turns (OpenAI API reference, "Responses", ``input``).

===================================================  ==============================================================
item                                                 is read as
===================================================  ==============================================================
``message``, or a role without a type                a turn; an assistant's is joined to what is around it
``function_call``, ``custom_tool_call``              a call of the assistant
``function_call_output``, ``custom_tool_call_…``     its result, in a user turn
``reasoning``                                        a thought of the assistant
``image_generation_call`` with its result            a picture of the assistant
``additional_tools`` (Codex), ``tool_search_output`` tools; a search that the provider ran is opaque besides
``configuration_update``                             settings, the last one counts
``item_reference``, or an id without anything else   state that only the provider has
calls of tools that the provider runs, their output  opaque, in the assistant's turn
calls that this API alone knows, ``shell_call``      opaque, in the assistant's turn
their output, ``compaction``, anything else          opaque, in a user turn: without it the question is another one
===================================================  ==============================================================

>>> items = read_input([{"role": "user", "content": "hi"}, {"type": "function_call", "call_id": "1", "name": "ls",
...     "arguments": "{}"}, {"type": "function_call_output", "call_id": "1", "output": "a.txt"}], {})
>>> [(turn.role, len(turn.parts)) for turn in items.turns]
[('user', 1), ('assistant', 1), ('user', 1)]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import mapping
from ccproxy.lightllm.openai_responses.content import read_content
from ccproxy.lightllm.openai_responses.fields import Fields, bad, fields_at, maybe, name_at, want
from ccproxy.lightllm.openai_responses.thinking import read_item
from ccproxy.lightllm.openai_responses.tools import AnyTool, joined_name, read_tools
from ccproxy.lightllm.prompt import Call, File, Knob, Opaque, Part, Result, Role, ServerTool, Turn

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
_BY_PROVIDER: Final = frozenset(
    {
        *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"),
        *("mcp_list_tools", "mcp_approval_request", "tool_search_call", "program", "program_output"),
        *("computer_call", "local_shell_call", "shell_call", "apply_patch_call"),
    }
)
"""Of the assistant's: what the provider ran, and calls that only this API has."""
_CONTAINERS: Final = frozenset({"container_auto", "container_reference"})
"""Where the provider itself runs the commands of a ``shell_call``."""


@dataclass(slots=True)
class Items:
    """What the items said."""

    turns: list[Turn] = field(default_factory=list)
    tools: list[AnyTool] = field(default_factory=list)
    knobs: list[Knob] = field(default_factory=list)
    effort: object = None
    """Of the last configuration update that has one."""
    form: object = None
    """The same of ``text.format``."""
    effort_at: str = ""
    form_at: str = ""


def read_input(value: object, namespaces: Mapping[str, tuple[str, str]]) -> Items:
    """The items of ``input``, which may also be one user's text. ``namespaces``: see ``tools.namespaces``."""
    reading = _Reading(frozenset(namespaces))
    if isinstance(value, str):
        reading.message({"role": "user", "content": value}, "input")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            at = f"input.{index}"
            reading.item(fields_at(item, at), at)
    elif value is not None:
        raise bad("input", "a string or a list of items is expected here")
    return reading.done()


class _Reading:
    def __init__(self, joined: frozenset[str]) -> None:
        self.items = Items()
        self.joined = joined
        self.names: dict[str, str] = {}
        """Of the calls so far, by their ids."""
        self.contained: set[str] = set()
        """Shell calls that the provider ran."""
        self.role: Role | None = None
        """Of the parts that are not yet a turn: the assistant's, or results."""
        self.parts: list[Part] = []
        self.at = ""

    def done(self) -> Items:
        self.close()
        return self.items

    def close(self) -> None:
        if self.role is not None and self.parts:
            self.items.turns.append(Turn(self.role, tuple(self.parts), self.at))
        self.role, self.parts = None, []

    def add(self, role: Role, part: Part, at: str) -> None:
        """A part that shares a turn with its neighbours of the same kind."""
        if self.role != role:
            self.close()
            self.role, self.at = role, at
        self.parts.append(part)

    def item(self, item: Fields, at: str) -> None:
        kind = item.get("type")
        if kind is None and ("role" in item or "id" in item):
            kind = "message" if "role" in item else "item_reference"
        match kind:
            case "message":
                self.message(item, at)
            case "function_call" | "custom_tool_call":
                self.call(item, at, custom=kind == "custom_tool_call")
            case "function_call_output" | "custom_tool_call_output":
                self.result(item, at, custom=kind == "custom_tool_call_output")
            case "reasoning":
                if (thought := read_item(item, at)) is not None:
                    self.add("assistant", thought, at)
            case "image_generation_call" if item.get("result") is not None:
                data = name_at(item["result"], f"{at}.result")
                form = maybe(item, "output_format", str, at) or "png"
                self.add("assistant", File("image", f"image/{form}", data, at=at), at)
            case "additional_tools":
                self.tools(item, at)
            case "tool_search_output":
                self.tools(item, at)
                self.add("assistant", self.opaque(kind, item, at), at)
            case "configuration_update":
                self.update(item, at)
            case "item_reference":
                self.items.knobs.append(Knob("state", name_at(item.get("id"), f"{at}.id"), f"{at} (item_reference)"))
            case _:
                kind = name_at(kind, f"{at}.type")
                self.add("assistant" if self.by_provider(kind, item) else "user", self.opaque(kind, item, at), at)

    def message(self, item: Fields, at: str) -> None:
        role = _ROLES.get(want(item.get("role"), str, f"{at}.role"))
        if role is None:
            raise bad(f"{at}.role", f"one of {', '.join(_ROLES)} is expected here")
        content = read_content(item.get("content"), at if at == "input" else f"{at}.content")
        if role == "assistant":
            for part in content:
                self.add(role, part, at)
        elif content:
            self.close()
            self.items.turns.append(Turn(role, content, at))

    def call(self, item: Fields, at: str, *, custom: bool) -> None:
        call_id, name = name_at(item.get("call_id"), f"{at}.call_id"), name_at(item.get("name"), f"{at}.name")
        space = maybe(item, "namespace", str, at)
        if space and joined_name(space, name) in self.joined:
            name = joined_name(space, name)
        key = "input" if custom else "arguments"
        arguments = want(item.get(key), str, f"{at}.{key}")
        self.names[call_id] = name
        self.add(
            "assistant", Call(call_id, name, arguments if custom or arguments.strip() else "{}", custom, at=at), at
        )

    def result(self, item: Fields, at: str, *, custom: bool) -> None:
        call_id = name_at(item.get("call_id"), f"{at}.call_id")
        content = read_content(item.get("output"), f"{at}.output")
        name = self.names.get(call_id) or maybe(item, "name", str, at)
        self.add("user", Result(call_id, name, content, custom=custom, at=at), at)

    def tools(self, item: Fields, at: str) -> None:
        """More tools. What is found by a search is often there before, as a tool that waits to be found."""
        known = {tool.name for tool in self.items.tools if not isinstance(tool, ServerTool)}
        for tool in read_tools(item.get("tools"), f"{at}.tools"):
            if isinstance(tool, ServerTool) or tool.name not in known:
                self.items.tools.append(tool)

    def update(self, item: Fields, at: str) -> None:
        items = self.items
        if (effort := mapping(item.get("reasoning")).get("effort")) is not None:
            items.effort, items.effort_at = effort, f"{at}.reasoning.effort"
        if (form := mapping(item.get("text")).get("format")) is not None:
            items.form, items.form_at = form, f"{at}.text.format"

    def by_provider(self, kind: str, item: Fields) -> bool:
        call_id = item.get("call_id")
        if kind == "shell_call" and mapping(item.get("environment")).get("type") in _CONTAINERS:
            self.contained.add(str(call_id))
        return kind in _BY_PROVIDER or (kind == "shell_call_output" and str(call_id) in self.contained)

    def opaque(self, kind: str, item: Fields, at: str) -> Opaque:
        return Opaque(Dialect.OPENAI_RESPONSES, kind, item, at)
