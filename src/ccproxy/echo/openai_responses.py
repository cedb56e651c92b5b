"""OpenAI Responses: ``POST /v1/responses``, ``/v1/responses/input_tokens``.

Stream grammar: ``response.created``, ``response.in_progress``, per output item ``response.output_item.added``, its
parts and deltas each closed by their ``.done``, ``response.output_item.done``, then ``response.completed`` or
``response.incomplete``; every event is named and numbered.
Specification: OpenAI API reference, "Responses" and "Streaming events".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as counter
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from ccproxy.echo.ask import Ask, Refusal, Result, Tool
from ccproxy.echo.openai_chat import REQUEST_ID, count, failure, model, models
from ccproxy.echo.reply import Reply
from ccproxy.echo.tokens import fragments
from ccproxy.echo.wire import CREATED, Body, canonical, event, ident, signature

__all__ = ["CONTENT_TYPE", "REQUEST_ID", "answer", "count", "events", "failure", "model", "models", "read"]

CONTENT_TYPE = "text/event-stream; charset=utf-8"


class Part(BaseModel):
    type: str
    text: str | None = None


class Item(BaseModel):
    """One item of the input. A message may leave its type out."""

    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str | list[Part] | None = None


class Offer(BaseModel):
    type: str
    name: str = ""
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None


class Choice(BaseModel):
    type: str
    name: str | None = None


class Format(BaseModel):
    type: Literal["text", "json_object", "json_schema"] = "text"
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")


class Text(BaseModel):
    format: Format | None = None


class Reasoning(BaseModel):
    effort: str | None = None
    summary: str | None = None


class Request(BaseModel):
    """The fields that echo reads; it ignores the others."""

    model: str
    input: str | list[Item]
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    tools: list[Offer] | None = None
    tool_choice: Literal["auto", "none", "required"] | Choice | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    include: list[str] | None = None
    stream: bool | None = None


def read(body: object, *, seed: str, model: str = "", stream: bool = False, counting: bool = False) -> Ask | Refusal:
    """What the request asks for. Raises pydantic.ValidationError for what is not such a request."""
    request = Request.model_validate(body)
    if request.previous_response_id:
        where = "previous_response_id"
        return Refusal(400, f"Previous response with id '{request.previous_response_id}' not found.", where)
    items = request.input if isinstance(request.input, list) else [Item(role="user", content=request.input)]
    names: dict[str, str] = {}
    results: list[Result] = []
    texts = [request.instructions or ""]
    said = ""
    for item in items:
        content = _texts(item.content)
        texts += content
        match item.type:
            case "message" if item.role == "user":
                results = []
                said = content[-1] if content else said
            case "message" if item.role == "assistant":
                results = []
            case "function_call" | "custom_tool_call":
                names[item.call_id] = item.name
                texts.append(f"{item.name} {item.arguments}")
            case "function_call_output" | "custom_tool_call_output":
                if item.call_id not in names:
                    return Refusal(
                        400, f"No tool call found for function call output with call_id {item.call_id}.", "input"
                    )
                results.append(Result(names[item.call_id], "".join(_texts(item.output))))
                texts.append(results[-1].text)
            case _:
                pass
    choice = request.tool_choice
    forced = choice.name if isinstance(choice, Choice) else None
    form = request.text.format if request.text else None
    reasoning = request.reasoning
    thinks = reasoning is not None and (reasoning.effort or "none") not in {"none", "minimal"}
    return Ask(
        seed=seed,
        model=request.model,
        said=said,
        texts=tuple(texts),
        stream=bool(request.stream),
        tools=tuple(
            Tool(offer.name, offer.parameters or {}, offer.description or "")
            for offer in request.tools or ()
            if offer.type == "function"
        ),
        choice="any" if forced or choice == "required" else "none" if choice == "none" else "auto",
        forced=forced,
        results=tuple(results),
        thinking=thinks or (reasoning is not None and reasoning.summary is not None),
        quiet=reasoning is not None and reasoning.summary is None,
        sealed="reasoning.encrypted_content" in (request.include or ()),
        json=form is not None and form.type != "text",
        schema=form.schema_ if form else None,
        limit=request.max_output_tokens,
        echoed=_echoed(body),
    )


def _texts(content: str | list[Part] | None) -> list[str]:
    if isinstance(content, list):
        return [part.text for part in content if part.text is not None]
    return [content] if content else []


def _echoed(body: object) -> Body:
    """The parameters that a response repeats, with the API's defaults."""
    given = body if isinstance(body, dict) else {}
    defaults: dict[str, object] = {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
    }
    return {key: default if given.get(key) is None else given[key] for key, default in defaults.items()}


def answer(ask: Ask, reply: Reply) -> Body:
    """The whole answer as one body."""
    status = "incomplete" if reply.stop == "length" else "completed"
    usage = {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.thinking_tokens},
        "total_tokens": reply.total_tokens,
    }
    return {**_response(ask, status), "output": _items(ask, reply), "usage": usage}


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    """The answer as a stream, one event each."""
    numbers = counter()

    def numbered(kind: str, **fields: object) -> bytes:
        return event({"type": kind, "sequence_number": next(numbers), **fields}, kind)

    begun = _response(ask, "in_progress")
    yield numbered("response.created", response=begun)
    yield numbered("response.in_progress", response=begun)
    for index, item in enumerate(_items(ask, reply)):
        empty: dict[str, dict[str, object]] = {
            "reasoning": {"summary": []},
            "message": {"content": []},
            "function_call": {"arguments": ""},
        }
        started = {**item, **empty[str(item["type"])]}
        if "status" in item:
            started["status"] = "in_progress"
        yield numbered("response.output_item.added", output_index=index, item=started)
        at = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "reasoning" if item["summary"]:
                at |= {"summary_index": 0}
                whole, name = reply.thinking, "response.reasoning_summary_text"
                part: dict[str, object] = {"type": "summary_text", "text": ""}
                yield numbered("response.reasoning_summary_part.added", **at, part=part)
                for delta in fragments(whole):
                    yield numbered(f"{name}.delta", **at, delta=delta)
                yield numbered(f"{name}.done", **at, text=whole)
                yield numbered("response.reasoning_summary_part.done", **at, part={**part, "text": whole})
            case "message":
                at |= {"content_index": 0}
                whole, name = reply.text, "response.output_text"
                part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
                yield numbered("response.content_part.added", **at, part=part)
                for delta in fragments(whole):
                    yield numbered(f"{name}.delta", **at, delta=delta, logprobs=[])
                yield numbered(f"{name}.done", **at, text=whole, logprobs=[])
                yield numbered("response.content_part.done", **at, part={**part, "text": whole})
            case "function_call":
                whole, name = str(item["arguments"]), "response.function_call_arguments"
                for delta in fragments(whole):
                    yield numbered(f"{name}.delta", **at, delta=delta)
                yield numbered(f"{name}.done", **at, arguments=whole, name=item["name"])
            case _:
                pass
        yield numbered("response.output_item.done", output_index=index, item=item)
    final = answer(ask, reply)
    yield numbered(f"response.{final['status']}", response=final)


def _response(ask: Ask, status: str) -> Body:
    return {
        "id": ident("resp_", ask.seed),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": ask.model,
        "output": [],
        **ask.echoed,
        "service_tier": "default",
        "usage": None,
        "user": None,
    }


def _items(ask: Ask, reply: Reply) -> list[Body]:
    items: list[Body] = []
    if reply.thinking:
        summary = [] if ask.quiet else [{"type": "summary_text", "text": reply.thinking}]
        sealed: Body = {"encrypted_content": signature(ask.seed, reply.thinking)} if ask.sealed else {}
        items.append({"id": ident("rs_", ask.seed), "type": "reasoning", "summary": summary, **sealed})
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        status = "incomplete" if reply.stop == "length" else "completed"
        head = {"id": ident("msg_", ask.seed), "type": "message", "status": status, "role": "assistant"}
        items.append({**head, "content": [part]})
    for number, call in enumerate(reply.calls):
        items.append(
            {
                "id": ident("fc_", ask.seed, str(number)),
                "type": "function_call",
                "status": "completed",
                "arguments": canonical(call.arguments),
                "call_id": ident("call_", ask.seed, str(number)),
                "name": call.name,
            }
        )
    return items
