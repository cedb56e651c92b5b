"""Tools of requests, and which of them may be called, written; ``tools`` reads them.

A conversation with calls but no tools is refused by some servers: the tools that it calls are declared then, and none
may be called. Where a model refuses to be forced to a tool, it is told that it may (``models``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ccproxy.lightllm.anthropic.blocks import Block, cache_control
from ccproxy.lightllm.anthropic.schema import OPTIONAL_LIMIT, STRICT_LIMIT, UNION_LIMIT, enforced, object_schema
from ccproxy.lightllm.anthropic.turns import Conversation
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.left_out import leave_out_settings, leave_out_tools
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Call, Prompt, ServerTool, Tool

# The oldest version of each that every model takes (Anthropic documentation, "Tool reference").
_SERVER_TOOLS: Final = {
    "web_search": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
}


def write_tools(prompt: Prompt, warn: Warn, *, schemas: bool) -> list[Block]:
    """The body's ``tools``. ``schemas``: the model enforces those of strict ones."""
    choice = prompt.tool_choice
    tools = [tool for tool in prompt.tools if isinstance(tool, Tool)]
    if choice is not None and choice.mode == "some":
        allowed = [tool for tool in tools if tool.name in choice.names]
        if len(allowed) < len(tools):
            leave_out_tools(choice, warn)
        tools = allowed
    written = list(_functions(tools, warn, schemas=schemas))
    known = {tool.name for tool in tools}
    for tool in prompt.tools:
        if not isinstance(tool, ServerTool) or (block := _server_tool(tool, warn)) is None:
            continue
        if str(block.get("name")) in known:
            warn(f"{tool.at} ({tool.kind}): left out, another tool has its name")
        else:
            written.append(block)
    return written


def write_choice(prompt: Prompt, warn: Warn, *, forced: bool) -> Block | None:
    """The ``tool_choice`` for a body with tools. ``forced``: the model may be forced to call one."""
    choice = prompt.tool_choice
    if choice is not None and choice.mode == "none":
        return {"type": "none"}
    alone = {} if prompt.parallel_calls is None else {"disable_parallel_tool_use": not prompt.parallel_calls}
    if choice is None:
        return {"type": "auto", **alone} if alone else None
    if choice.mode == "one" and choice.names and forced:
        return {"type": "tool", "name": choice.names[0], **alone}
    must = choice.mode in ("any", "one") or (choice.mode == "some" and choice.must)
    if must and not forced:
        warn(f"{choice.at or 'tool_choice'}: auto instead, {prompt.model} refuses to be made to call a tool")
    must = must and choice.mode != "one"
    return {"type": "any" if must and forced else "auto", **alone}


def called_tools(conversation: Conversation) -> list[Block]:
    """The tools that a conversation calls, as far as it shows them."""
    names = dict.fromkeys(part.name for turn in conversation.turns for part in turn.parts if isinstance(part, Call))
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def _functions(tools: list[Tool], warn: Warn, *, schemas: bool) -> Iterator[Block]:
    strict = optional = unions = 0
    for tool in tools:
        schema = object_schema(tool.schema)
        if joined := ", ".join(key for key in ("anyOf", "oneOf", "allOf") if key in (tool.schema or {})):
            warn(f"{tool.at or tool.name}: {joined} at the top of its schema is left out, which is refused")
        made = enforced(schema) if tool.strict and schemas and strict < STRICT_LIMIT else None
        if made and optional + made.optional <= OPTIONAL_LIMIT and unions + made.unions <= UNION_LIMIT:
            strict, optional, unions = strict + 1, optional + made.optional, unions + made.unions
            schema = made.schema
            if made.told:
                told = ", ".join(made.told)
                warn(f"{tool.at or tool.name}: {told} are told in words, the model cannot be held to them")
        else:
            made = None
            if tool.strict:
                warn(f"{tool.at or tool.name}.strict: turned off, the model cannot be held to its schema")
        block: Block = {"name": tool.name}
        if tool.description:
            block["description"] = tool.description
        block["input_schema"] = schema
        if made is not None:
            block["strict"] = True
        if tool.cache is not None:
            block["cache_control"] = cache_control(tool.cache)
        yield block


def _server_tool(tool: ServerTool, warn: Warn) -> Block | None:
    if tool.dialect is Dialect.ANTHROPIC:
        return dict(tool.value)
    if (version := _SERVER_TOOLS.get(tool.kind)) is None:
        return None
    block: Block = {"type": version, "name": tool.kind}
    if tool.kind == "web_search":
        block |= _search(tool.value)
    leave_out_settings(tool, _said_by(block), warn)
    return block


def _said_by(block: Block) -> set[str]:
    """The words that the other dialects have for what a block says."""
    words = {"allowed_domains": {"filters"}, "blocked_domains": {"excludeDomains", "exclude_domains"}}
    return {word for key in block for word in words.get(key, {key})}


def _search(value: Mapping[str, object]) -> Block:
    """What of a search's settings has a counterpart: OpenAI's filters and location, Google's excluded domains."""
    found: Block = {}
    filters = value.get("filters")
    allowed = filters.get("allowed_domains") if isinstance(filters, dict) else None
    blocked = value.get("excludeDomains", value.get("exclude_domains"))
    if isinstance(allowed, list) and allowed:
        found["allowed_domains"] = allowed
    elif isinstance(blocked, list) and blocked:
        found["blocked_domains"] = blocked
    location = value.get("user_location")
    if isinstance(location, dict):
        inner = location.get("approximate")
        place = inner if isinstance(inner, dict) else location
        known = {key: place[key] for key in ("city", "region", "country", "timezone") if place.get(key)}
        if known:
            found["user_location"] = {"type": "approximate", **known}
    return found
