"""OpenAI Chat Completions: ``POST /v1/chat/completions``, ``GET /v1/models``.

Stream grammar: unnamed events of ``chat.completion.chunk``, the last choice carries ``finish_reason``, then (only with
``stream_options.include_usage``) one chunk without choices but with usage, then ``[DONE]``. Thinking is
``reasoning_content``, as DeepSeek and others spell it. Specification: OpenAI API reference, "Chat completions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from ccproxy.echo.ask import Ask, Refusal, Result, Tool
from ccproxy.echo.reply import Reply
from ccproxy.echo.tokens import fragments
from ccproxy.echo.wire import CREATED, Body, canonical, event, ident

CONTENT_TYPE = "text/event-stream; charset=utf-8"
REQUEST_ID = "x-request-id"


class Part(BaseModel):
    type: str
    text: str | None = None


class Called(BaseModel):
    name: str
    arguments: str = "{}"


class ToolCall(BaseModel):
    id: str
    function: Called | None = None


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def texts(self) -> list[str]:
        if isinstance(self.content, list):
            return [part.text for part in self.content if part.text is not None]
        return [self.content] if self.content is not None else []


class Function(BaseModel):
    name: str
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None


class Offer(BaseModel):
    type: str
    function: Function | None = None


class Named(BaseModel):
    name: str


class Choice(BaseModel):
    function: Named | None = None


class JsonSchema(BaseModel):
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")


class Format(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class Switch(BaseModel):
    type: str | None = None
    effort: str | None = None


class Request(BaseModel):
    """The fields that echo reads; it ignores the others."""

    model: str
    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    tools: list[Offer] | None = None
    tool_choice: Literal["auto", "none", "required"] | Choice | None = None
    response_format: Format | None = None
    reasoning_effort: str | None = None
    thinking: Switch | None = None
    """DeepSeek, Z.ai: ``{"type": "enabled"}``."""
    reasoning: Switch | None = None
    """OpenRouter: ``{"effort": …}``."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None


def read(body: object, *, seed: str, model: str = "", stream: bool = False, counting: bool = False) -> Ask | Refusal:
    """What the request asks for. Raises pydantic.ValidationError for what is not such a request."""
    request = Request.model_validate(body)
    names: dict[str, str] = {}
    results: list[Result] = []
    texts: list[str] = []
    said = ""
    for number, message in enumerate(request.messages):
        calls = [call for call in message.tool_calls or () if call.function]
        names |= {call.id: call.function.name for call in calls if call.function}
        texts += message.texts
        texts += [f"{call.function.name} {call.function.arguments}" for call in calls if call.function]
        match message.role:
            case "tool":
                if message.tool_call_id not in names:
                    where = f"messages.[{number}].role"
                    return Refusal(
                        400,
                        "messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
                        where,
                    )
                results.append(Result(names[message.tool_call_id], "".join(message.texts)))
            case "user":
                results = []
                said = message.texts[-1] if message.texts else said
            case "assistant":
                results = []
            case _:
                pass
    choice = request.tool_choice
    forced = choice.function.name if isinstance(choice, Choice) and choice.function else None
    form = request.response_format
    return Ask(
        seed=seed,
        model=request.model,
        said=said,
        texts=tuple(texts),
        stream=bool(request.stream),
        with_usage=bool(request.stream_options and request.stream_options.include_usage),
        tools=tuple(
            Tool(offer.function.name, offer.function.parameters or {}, offer.function.description or "")
            for offer in request.tools or ()
            if offer.function
        ),
        choice="any" if forced or choice == "required" else "none" if choice == "none" else "auto",
        forced=forced,
        results=tuple(results),
        thinking=_thinks(request),
        json=form is not None and form.type != "text",
        schema=form.json_schema.schema_ if form and form.json_schema else None,
        limit=request.max_completion_tokens or request.max_tokens,
    )


def _thinks(request: Request) -> bool:
    effort = request.reasoning_effort or (request.reasoning and request.reasoning.effort)
    enabled = request.thinking is not None and request.thinking.type == "enabled"
    return enabled or (effort is not None and effort not in {"none", "minimal"})


def answer(ask: Ask, reply: Reply) -> Body:
    """The whole answer as one body."""
    message: dict[str, object] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.thinking:
        message["reasoning_content"] = reply.thinking
    if reply.calls:
        message["tool_calls"] = [
            {**_call(ask, number), "function": {"name": call.name, "arguments": canonical(call.arguments)}}
            for number, call in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
    return {**_head(ask, "chat.completion"), "choices": [choice], "usage": _usage(reply)}


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    """The answer as a stream, one event each."""
    yield _chunk(ask, {"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for part in fragments(reply.thinking):
        yield _chunk(ask, {"reasoning_content": part})
    for part in fragments(reply.text):
        yield _chunk(ask, {"content": part})
    for number, call in enumerate(reply.calls):
        start = {**_call(ask, number), "function": {"name": call.name, "arguments": ""}}
        yield _chunk(ask, {"tool_calls": [{"index": number, **start}]})
        for part in fragments(canonical(call.arguments)):
            yield _chunk(ask, {"tool_calls": [{"index": number, "function": {"arguments": part}}]})
    yield _chunk(ask, {}, _finish(reply))
    if ask.with_usage:
        yield event({**_head(ask, "chat.completion.chunk"), "choices": [], "usage": _usage(reply)})
    yield b"data: [DONE]\n\n"


def _chunk(ask: Ask, delta: Body, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    usage: Body = {"usage": None} if ask.with_usage else {}
    return event({**_head(ask, "chat.completion.chunk"), "choices": [choice], **usage})


def _head(ask: Ask, kind: str) -> Body:
    return {
        "id": ident("chatcmpl-", ask.seed),
        "object": kind,
        "created": CREATED,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_echo",
    }


def _call(ask: Ask, number: int) -> Body:
    return {"id": ident("call_", ask.seed, str(number)), "type": "function"}


def _finish(reply: Reply) -> str:
    return {"end": "stop", "tool": "tool_calls", "length": "length"}[reply.stop]


def _usage(reply: Reply) -> Body:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.total_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.thinking_tokens},
    }


def count(ask: Ask) -> Body:
    """This API has no call that counts tokens; the shape is that of the Responses API."""
    return {"object": "response.input_tokens", "input_tokens": ask.input_tokens}


_ERRORS = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable_error", "overloaded"),
}


def failure(refusal: Refusal, request_id: str) -> Body:
    """An error body."""
    otherwise = ("server_error", None) if refusal.status >= 500 else ("invalid_request_error", None)
    kind, code = _ERRORS.get(refusal.status, otherwise)
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": code}}


def models(names: list[str]) -> Body:
    """The list of models."""
    return {"object": "list", "data": [model(name) for name in names]}


def model(name: str) -> Body:
    """One model."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "ccproxy"}
