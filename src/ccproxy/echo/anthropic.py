"""Anthropic Messages: ``POST /v1/messages``, ``/v1/messages/count_tokens``, ``GET /v1/models``.

Stream grammar: ``message_start``, per block ``content_block_start``, ``content_block_delta``…, ``content_block_stop``,
then ``message_delta`` and ``message_stop``; one ``ping`` after the first ``content_block_start``.
Specification: Anthropic API reference, "Messages" and "Streaming messages", version 2023-06-01.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from ccproxy.echo.ask import Ask, Refusal, Result, Tool
from ccproxy.echo.reply import Reply
from ccproxy.echo.tokens import fragments
from ccproxy.echo.wire import CREATED_TEXT, Body, canonical, event, ident, signature

CONTENT_TYPE = "text/event-stream; charset=utf-8"
REQUEST_ID = "request-id"


class Block(BaseModel):
    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, JsonValue] | None = None
    tool_use_id: str = ""
    content: str | list[JsonValue] | JsonValue = None


class Message(BaseModel):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        return [Block(type="text", text=self.content)] if isinstance(self.content, str) else self.content


class Function(BaseModel):
    name: str
    description: str | None = None
    input_schema: dict[str, JsonValue] | None = None


class Choice(BaseModel):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None


class Thinking(BaseModel):
    type: Literal["enabled", "adaptive", "disabled"]
    display: str | None = None


class Format(BaseModel):
    type: str
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")


class Output(BaseModel):
    format: Format | None = None


class Request(BaseModel):
    """The fields that echo reads; it ignores the others."""

    model: str
    max_tokens: int | None = Field(default=None, ge=1)
    messages: list[Message] = Field(min_length=1)
    system: str | list[Block] | None = None
    tools: list[Function] | None = None
    tool_choice: Choice | None = None
    thinking: Thinking | None = None
    output_config: Output | None = None
    stream: bool | None = None


def read(body: object, *, seed: str, model: str = "", stream: bool = False, counting: bool = False) -> Ask | Refusal:
    """What the request asks for. Raises pydantic.ValidationError for what is not such a request."""
    request = Request.model_validate(body)
    if request.max_tokens is None and not counting:
        return Refusal(400, "max_tokens: Field required", "max_tokens")
    system = Message(role="system", content=request.system or "").blocks
    names: dict[str, str] = {}
    results: list[Result] = []
    texts = [block.text for block in system]
    said = ""
    for number, message in enumerate(request.messages):
        texts += [_text(block) for block in message.blocks]
        names |= {block.id: block.name for block in message.blocks if block.type == "tool_use"}
        returned = [block for block in message.blocks if block.type == "tool_result"]
        if unknown := [block.tool_use_id for block in returned if block.tool_use_id not in names]:
            where = f"messages.{number}.content"
            return Refusal(400, f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {unknown[0]}", where)
        if message.role == "system":
            continue
        results = [Result(names[block.tool_use_id], _text(block)) for block in returned]
        spoken = [block.text for block in message.blocks if block.type == "text" and message.role == "user"]
        said = spoken[-1] if spoken else said
    choice = request.tool_choice
    form = request.output_config.format if request.output_config else None
    thinking = request.thinking is not None and request.thinking.type != "disabled"
    return Ask(
        seed=seed,
        model=request.model,
        said=said,
        texts=tuple(texts),
        stream=bool(request.stream),
        tools=tuple(
            Tool(tool.name, tool.input_schema, tool.description or "")
            for tool in request.tools or ()
            if tool.input_schema is not None  # a tool that the provider runs itself has none
        ),
        choice="auto" if choice is None else "any" if choice.type == "tool" else choice.type,
        forced=choice.name if choice else None,
        results=tuple(results),
        thinking=thinking,
        quiet=thinking and request.thinking is not None and request.thinking.display == "omitted",
        json=form is not None,
        schema=form.schema_ if form else None,
        limit=request.max_tokens,
    )


def _text(block: Block) -> str:
    match block.type:
        case "text":
            return block.text
        case "tool_use":
            return f"{block.name} {canonical(block.input or {})}"
        case "tool_result" if isinstance(block.content, str):
            return block.content
        case "tool_result" if isinstance(block.content, list):
            parts = [part for part in block.content if isinstance(part, dict) and part.get("type") == "text"]
            return "".join(str(part.get("text", "")) for part in parts)
        case _:
            return ""


def answer(ask: Ask, reply: Reply) -> Body:
    """The whole answer as one body."""
    return {**_message(ask), "content": _blocks(ask, reply), "stop_reason": _stop(reply), "usage": _usage(reply)}


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    """The answer as a stream, one event each."""
    yield _event("message_start", message={**_message(ask), "usage": {**_usage(reply), "output_tokens": 1}})
    for index, block in enumerate(_blocks(ask, reply)):
        match block["type"]:
            case "thinking":
                start: Body = {"type": "thinking", "thinking": "", "signature": ""}
                deltas: list[Body] = [
                    {"type": "thinking_delta", "thinking": part} for part in fragments(str(block["thinking"]))
                ]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            case "text":
                start = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": part} for part in fragments(str(block["text"]))]
            case _:
                start = {**block, "input": {}}
                parts = ["", *fragments(canonical(block["input"]))]
                deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        yield _event("content_block_start", index=index, content_block=start)
        if index == 0:
            yield _event("ping")
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta={"stop_reason": _stop(reply), "stop_sequence": None}, usage=_usage(reply))
    yield _event("message_stop")


def _event(kind: str, **fields: object) -> bytes:
    return event({"type": kind, **fields}, kind)


def _message(ask: Ask) -> Body:
    return {
        "id": ident("msg_", ask.seed),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _blocks(ask: Ask, reply: Reply) -> list[Body]:
    blocks: list[Body] = []
    if reply.thinking:
        visible = "" if ask.quiet else reply.thinking
        blocks.append({"type": "thinking", "thinking": visible, "signature": signature(ask.seed, reply.thinking)})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    for number, call in enumerate(reply.calls):
        key = ident("toolu_", ask.seed, str(number))
        blocks.append({"type": "tool_use", "id": key, "name": call.name, "input": call.arguments})
    return blocks


def _stop(reply: Reply) -> str:
    return {"end": "end_turn", "tool": "tool_use", "length": "max_tokens"}[reply.stop]


def _usage(reply: Reply) -> Body:
    return {
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.output_tokens,
    }


def count(ask: Ask) -> Body:
    """The answer of ``count_tokens``."""
    return {"input_tokens": ask.input_tokens}


_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def failure(refusal: Refusal, request_id: str) -> Body:
    """An error body."""
    kind = _ERRORS.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": refusal.message}, "request_id": request_id}


def models(names: list[str]) -> Body:
    """The list of models."""
    return {"data": [model(name) for name in names], "has_more": False, "first_id": names[0], "last_id": names[-1]}


def model(name: str) -> Body:
    """One model."""
    return {"type": "model", "id": name, "display_name": name.title(), "created_at": CREATED_TEXT}
