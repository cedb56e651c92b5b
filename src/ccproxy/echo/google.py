"""Gemini: ``POST /v1beta/models/M:generateContent``, ``:streamGenerateContent``, ``:countTokens``, ``GET …/models``.

Stream grammar: each event is a whole response that holds what is new; the last has ``finishReason``, every one has
``usageMetadata``. With ``alt=sse`` they are unnamed events, without it the elements of one JSON array.
Keys come in camelCase or snake_case. Specification: Gemini API reference, "Generating content" (v1beta).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from ccproxy.echo.ask import Ask, Refusal, Result, Tool
from ccproxy.echo.reply import Reply
from ccproxy.echo.tokens import fragments
from ccproxy.echo.wire import Body, canonical, event, ident, signature

CONTENT_TYPE = "text/event-stream"
REQUEST_ID = "x-request-id"


class ProtoJson(BaseModel):
    """Protocol-buffer JSON: camelCase, the original names accepted."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class FunctionCall(ProtoJson):
    name: str
    args: dict[str, JsonValue] | None = None


class FunctionResponse(ProtoJson):
    name: str
    response: dict[str, JsonValue] | None = None


class Part(ProtoJson):
    text: str | None = None
    thought: bool | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None


class Content(ProtoJson):
    role: Literal["user", "model", "function", "system"] | None = None
    parts: list[Part] = []

    @property
    def texts(self) -> list[str]:
        return [part.text for part in self.parts if part.text is not None]


class Declaration(ProtoJson):
    name: str
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None
    parameters_json_schema: dict[str, JsonValue] | None = None


class ToolSet(ProtoJson):
    function_declarations: list[Declaration] | None = None


class CallingConfig(ProtoJson):
    mode: Literal["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"] | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(ProtoJson):
    function_calling_config: CallingConfig | None = None


class ThinkingConfig(ProtoJson):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GenerationConfig(ProtoJson):
    max_output_tokens: int | None = Field(default=None, ge=1)
    response_mime_type: str | None = None
    response_schema: dict[str, JsonValue] | None = None
    response_json_schema: dict[str, JsonValue] | None = None
    thinking_config: ThinkingConfig | None = None


class Request(ProtoJson):
    """The fields that echo reads; it ignores the others."""

    contents: list[Content] = Field(min_length=1)
    system_instruction: Content | None = None
    tools: list[ToolSet] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None


class CountRequest(ProtoJson):
    generate_content_request: Request | None = None


def read(body: object, *, seed: str, model: str = "", stream: bool = False, counting: bool = False) -> Ask | Refusal:
    """What the request asks for; ``model`` and ``stream`` are in the path. Raises pydantic.ValidationError."""
    inner = CountRequest.model_validate(body).generate_content_request if counting else None
    request = inner or Request.model_validate(body)
    texts = request.system_instruction.texts if request.system_instruction else []
    results: list[Result] = []
    said = ""
    for content in request.contents:
        texts += content.texts
        results = []
        for part in content.parts:
            if called := part.function_call:
                texts.append(f"{called.name} {canonical(called.args or {})}")
            if returned := part.function_response:
                results.append(Result(returned.name, _text(returned.response or {})))
                texts.append(results[-1].text)
        if content.role != "model" and content.texts:
            said = content.texts[-1]
    config = request.generation_config or GenerationConfig()
    thinking = config.thinking_config or ThinkingConfig()
    calling = (request.tool_config and request.tool_config.function_calling_config) or CallingConfig()
    allowed = calling.allowed_function_names or []
    return Ask(
        seed=seed,
        model=model,
        said=said,
        texts=tuple(texts),
        stream=stream,
        tools=tuple(
            Tool(tool.name, tool.parameters_json_schema or tool.parameters or {}, tool.description or "")
            for tools in request.tools or ()
            for tool in tools.function_declarations or ()
        ),
        choice="any" if calling.mode == "ANY" else "none" if calling.mode == "NONE" else "auto",
        forced=allowed[0] if calling.mode == "ANY" and allowed else None,
        results=tuple(results),
        thinking=bool(thinking.include_thoughts or thinking.thinking_budget or thinking.thinking_level),
        quiet=not thinking.include_thoughts,
        json=config.response_mime_type == "application/json",
        schema=config.response_json_schema or config.response_schema,
        limit=config.max_output_tokens,
    )


def _text(response: dict[str, JsonValue]) -> str:
    """The result of a function: the text under ``output`` or ``result``, else the JSON of it all."""
    for key in ("output", "result"):
        if isinstance(text := response.get(key), str):
            return text
    return canonical(response)


def answer(ask: Ask, reply: Reply) -> Body:
    """The whole answer as one body."""
    return _chunk(ask, reply, _parts(ask, reply), last=True)


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    """The answer as server-sent events."""
    yield from (event(chunk) for chunk in chunks(ask, reply))


def chunks(ask: Ask, reply: Reply) -> Iterator[Body]:
    """The answer as a sequence of responses."""
    parts = _parts(ask, reply)
    small = [
        {"text": text, **{key: value for key, value in part.items() if key == "thought"}} if "text" in part else part
        for part in parts
        for text in (fragments(str(part["text"])) if "text" in part else [""])
    ]
    signed = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part and "text" in part]
    last: list[Body] = [{"text": "", "thoughtSignature": signed[0]}] if signed else [{"text": ""}]
    for part in small:
        yield _chunk(ask, reply, [part])
    yield _chunk(ask, reply, last, last=True)


def _parts(ask: Ask, reply: Reply) -> list[Body]:
    parts: list[dict[str, object]] = []
    if reply.thinking and not ask.quiet:
        parts.append({"text": reply.thinking, "thought": True})
    if reply.text:
        parts.append({"text": reply.text})
    for number, call in enumerate(reply.calls):
        key = ident("", ask.seed, str(number))[:8]
        parts.append({"functionCall": {"id": key, "name": call.name, "args": call.arguments}})
    spoken = [part for part in parts if "thought" not in part]
    if reply.thinking and spoken:
        spoken[0]["thoughtSignature"] = signature(ask.seed, reply.thinking)
    return [*parts]


def _chunk(ask: Ask, reply: Reply, parts: list[Body], *, last: bool = False) -> Body:
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if reply.stop == "length" else "STOP"
    usage: dict[str, object] = {
        "promptTokenCount": reply.input_tokens,
        "candidatesTokenCount": reply.output_tokens - reply.thinking_tokens,
        "totalTokenCount": reply.total_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.input_tokens}],
    }
    if reply.thinking_tokens:
        usage["thoughtsTokenCount"] = reply.thinking_tokens
    head = {"modelVersion": ask.model, "responseId": ident("", ask.seed)}
    return {"candidates": [candidate], "usageMetadata": usage, **head}


def count(ask: Ask) -> Body:
    """The answer of ``countTokens``."""
    total = ask.input_tokens
    return {"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}


_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def failure(refusal: Refusal, request_id: str) -> Body:
    """An error body (google.rpc.Status)."""
    status = _STATUS.get(refusal.status, "INTERNAL" if refusal.status >= 500 else "FAILED_PRECONDITION")
    error: dict[str, object] = {"code": refusal.status, "message": refusal.message, "status": status}
    if refusal.retry_after_s is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        error["details"] = [{"@type": kind, "retryDelay": f"{refusal.retry_after_s}s"}]
    return {"error": error}


def models(names: list[str]) -> Body:
    """The list of models."""
    return {"models": [model(name) for name in names]}


def model(name: str) -> Body:
    """One model."""
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name.title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 1_048_576,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
