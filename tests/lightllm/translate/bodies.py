"""A talk as a client of each dialect says it. Where a dialect has two spellings, ``Talk.terse`` is the shorter one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.plan import Asked as AskedInPath
from ccproxy.lightllm.prompt import Call, File, Text, Tool
from tests.lightllm.translate.talk import Answered, Asked, Returned, Talk, Told

type Json = dict[str, Any]
type Parts = Sequence[Text | File]


def body_of(dialect: Dialect, talk: Talk) -> tuple[Json, AskedInPath]:
    """The body, and what stands in the path."""
    match dialect:
        case Dialect.ANTHROPIC:
            return anthropic(talk), AskedInPath()
        case Dialect.OPENAI:
            return chat(talk), AskedInPath()
        case Dialect.OPENAI_RESPONSES:
            return responses(talk), AskedInPath()
        case Dialect.GOOGLE:
            return google(talk), AskedInPath("m", talk.stream)


def without_none(**given: Any) -> Json:
    """The keys that have a value."""
    return {key: value for key, value in given.items() if value is not None}


def anthropic(talk: Talk) -> Json:
    messages: list[Json] = []
    for step in talk.steps:
        match step:
            case Asked():
                messages.append({"role": "user", "content": _anthropic_parts(step.parts, terse=talk.terse)})
            case Answered():
                content: list[Json] = [{"type": "text", "text": text} for text in step.texts]
                for call in step.calls:
                    arguments = json.loads(call.arguments)
                    content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
                only = content[0].get("text") if len(content) == 1 and talk.terse else None
                messages.append({"role": "assistant", "content": only or content})
            case Returned():
                content = [
                    {
                        "type": "tool_result",
                        "tool_use_id": result.call_id,
                        "content": _anthropic_parts(result.content, terse=talk.terse),  # type: ignore[arg-type]
                        **({"is_error": True} if result.is_error else {}),
                    }
                    for result in step.results
                ]
                messages.append({"role": "user", "content": content + _anthropic_parts(step.parts, terse=False)})
            case Told():
                messages.append({"role": "system", "content": step.text})
    system: object = [{"type": "text", "text": text} for text in talk.system] or None
    if talk.terse and len(talk.system) == 1:
        system = talk.system[0]
    choice: Json | None = None
    if talk.choice is not None:
        choice = {"type": "tool" if talk.choice.mode == "one" else talk.choice.mode}
        if talk.choice.mode == "one":
            choice["name"] = talk.choice.names[0]
    if talk.parallel is False:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    config: Json = {}
    if talk.output is not None:
        config["format"] = {"type": "json_schema", "schema": talk.output.schema}
    thinking: Json | None = None
    if talk.budget is not None:
        thinking = {"type": "enabled", "budget_tokens": talk.budget}
    elif talk.effort is not None:
        thinking = {"type": "adaptive"}
        config["effort"] = talk.effort
    return without_none(
        model="m",
        max_tokens=talk.max_tokens,
        system=system,
        messages=messages,
        tools=[_anthropic_tool(tool) for tool in talk.tools] or None,
        tool_choice=choice,
        thinking=thinking,
        output_config=config or None,
        temperature=talk.sampling.temperature,
        top_p=talk.sampling.top_p,
        top_k=talk.sampling.top_k,
        stop_sequences=list(talk.stop) or None,
        metadata={"user_id": talk.user} if talk.user is not None else None,
        stream=talk.stream or None,
    )


def _anthropic_tool(tool: Tool) -> Json:
    return without_none(name=tool.name, description=tool.description, input_schema=tool.schema, strict=tool.strict)


def _anthropic_parts(parts: Parts, *, terse: bool) -> Any:
    if terse and len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    found: list[Json] = []
    for part in parts:
        match part:
            case Text():
                found.append({"type": "text", "text": part.text})
            case File(url=str(url)):
                found.append({"type": part.kind, "source": {"type": "url", "url": url}})
            case File():
                source = {"type": "base64", "media_type": part.mime, "data": part.data}
                found.append({"type": part.kind, "source": source})
    return found


def chat(talk: Talk) -> Json:
    system = "system" if talk.terse else "developer"
    messages: list[Json] = [{"role": system, "content": text} for text in talk.system]
    for step in talk.steps:
        match step:
            case Asked():
                messages.append({"role": "user", "content": _chat_parts(step.parts, terse=talk.terse)})
            case Answered():
                message: Json = {"role": "assistant", "content": None}
                if step.texts:
                    message["content"] = _chat_parts([Text(text) for text in step.texts], terse=talk.terse)
                if step.calls:
                    message["tool_calls"] = [
                        {
                            "id": call.id,
                            "type": "function",
                            "function": {"name": call.name, "arguments": call.arguments},
                        }
                        for call in step.calls
                    ]
                messages.append(message)
            case Returned():
                for result in step.results:
                    content = _chat_parts(result.content, terse=talk.terse)  # type: ignore[arg-type]
                    messages.append({"role": "tool", "tool_call_id": result.call_id, "content": content})
                if step.parts:
                    messages.append({"role": "user", "content": _chat_parts(step.parts, terse=talk.terse)})
            case Told():
                messages.append({"role": system, "content": step.text})
    choice: object = None
    if talk.choice is not None:
        choice = {"any": "required", "one": {"type": "function", "function": {"name": "".join(talk.choice.names)}}}.get(
            talk.choice.mode, talk.choice.mode
        )
    output = None
    if talk.output is not None and talk.output.schema is None:
        output = {"type": "json_object"}
    elif talk.output is not None:
        named = without_none(name=talk.output.name, schema=talk.output.schema, strict=talk.output.strict)
        output = {"type": "json_schema", "json_schema": named}
    stop: object = list(talk.stop) or None
    if talk.terse and len(talk.stop) == 1:
        stop = talk.stop[0]
    return without_none(
        model="m",
        messages=messages,
        tools=[{"type": "function", "function": _openai_tool(tool)} for tool in talk.tools] or None,
        tool_choice=choice,
        parallel_tool_calls=talk.parallel,
        response_format=output,
        reasoning_effort=talk.effort,
        temperature=talk.sampling.temperature,
        top_p=talk.sampling.top_p,
        seed=talk.sampling.seed,
        presence_penalty=talk.sampling.presence_penalty,
        frequency_penalty=talk.sampling.frequency_penalty,
        stop=stop,
        user=talk.user,
        prompt_cache_key=talk.cache_key,
        stream=talk.stream or None,
        **{"max_tokens" if talk.terse else "max_completion_tokens": talk.max_tokens},
    )


def _chat_call(call: Call) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _openai_tool(tool: Tool) -> Json:
    return without_none(name=tool.name, description=tool.description, parameters=tool.schema, strict=tool.strict)


def _data_url(file: File) -> str:
    return file.url or f"data:{file.mime};base64,{file.data}"


def _chat_parts(parts: Parts, *, terse: bool) -> Any:
    if terse and len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    found: list[Json] = []
    for part in parts:
        match part:
            case Text():
                found.append({"type": "text", "text": part.text})
            case File(kind="image"):
                found.append({"type": "image_url", "image_url": {"url": _data_url(part)}})
            case File(kind="audio"):
                found.append({"type": "input_audio", "input_audio": {"data": part.data, "format": "wav"}})
            case File():
                found.append({"type": "file", "file": {"file_data": _data_url(part), "filename": part.name}})
    return found


def responses(talk: Talk) -> Json:
    system = "system" if talk.terse else "developer"
    items: list[Json] = []
    instructions, *rest = (*talk.system, None) if talk.terse else (None, *talk.system)
    items += [{"role": system, "content": text} for text in rest if text is not None]
    kind = {} if talk.terse else {"type": "message"}
    for step in talk.steps:
        match step:
            case Asked():
                items.append({**kind, "role": "user", "content": _input_parts(step.parts, terse=talk.terse)})
            case Answered():
                if step.texts:
                    content = [{"type": "output_text", "text": text, "annotations": []} for text in step.texts]
                    items.append({"type": "message", "role": "assistant", "content": content})
                for call in step.calls:
                    item = {"type": "function_call", "call_id": call.id, "name": call.name}
                    items.append({**item, "arguments": call.arguments})
            case Returned():
                for result in step.results:
                    output = _input_parts(result.content, terse=talk.terse)  # type: ignore[arg-type]
                    items.append({"type": "function_call_output", "call_id": result.call_id, "output": output})
                if step.parts:
                    items.append({**kind, "role": "user", "content": _input_parts(step.parts, terse=talk.terse)})
            case Told():
                items.append({**kind, "role": system, "content": step.text})
    choice: object = None
    if talk.choice is not None:
        choice = {"any": "required", "one": {"type": "function", "name": "".join(talk.choice.names)}}.get(
            talk.choice.mode, talk.choice.mode
        )
    text = None
    if talk.output is not None and talk.output.schema is None:
        text = {"format": {"type": "json_object"}}
    elif talk.output is not None:
        named = without_none(name=talk.output.name, schema=talk.output.schema, strict=talk.output.strict)
        text = {"format": {"type": "json_schema", **named}}
    return without_none(
        model="m",
        instructions=instructions,
        input=items,
        tools=[{"type": "function", **_openai_tool(tool)} for tool in talk.tools] or None,
        tool_choice=choice,
        parallel_tool_calls=talk.parallel,
        text=text,
        reasoning={"effort": talk.effort} if talk.effort is not None else None,
        temperature=talk.sampling.temperature,
        top_p=talk.sampling.top_p,
        max_output_tokens=talk.max_tokens,
        user=talk.user,
        prompt_cache_key=talk.cache_key,
        stream=talk.stream or None,
    )


def _input_parts(parts: Parts, *, terse: bool) -> Any:
    if terse and len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    found: list[Json] = []
    for part in parts:
        match part:
            case Text():
                found.append({"type": "input_text", "text": part.text})
            case File(kind="image"):
                found.append({"type": "input_image", "image_url": _data_url(part)})
            case File():
                found.append({"type": "input_file", "file_data": _data_url(part), "filename": part.name})
    return found


_SNAKE = {
    "systemInstruction": "system_instruction",
    "generationConfig": "generation_config",
    "toolConfig": "tool_config",
    "functionDeclarations": "function_declarations",
    "inlineData": "inline_data",
    "mimeType": "mime_type",
    "functionCall": "function_call",
    "functionResponse": "function_response",
    "maxOutputTokens": "max_output_tokens",
    "functionCallingConfig": "function_calling_config",
}
_FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema"}


def google(talk: Talk) -> Json:
    contents: list[Json] = []
    for step in talk.steps:
        match step:
            case Asked():
                contents.append({"role": "user", "parts": [_google_part(part) for part in step.parts]})
            case Answered():
                parts: list[Json] = [{"text": text} for text in step.texts]
                for call in step.calls:
                    named = {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}
                    parts.append({"functionCall": named})
                contents.append({"role": "model", "parts": parts})
            case Returned():
                parts = []
                for result in step.results:
                    text = "".join(part.text for part in result.content if isinstance(part, Text))
                    files = [_google_part(part) for part in result.content if isinstance(part, File)]
                    said = {"error" if result.is_error else "output": text}
                    named = {"id": result.call_id, "name": result.name, "response": said}
                    parts.append({"functionResponse": {**named, **({"parts": files} if files else {})}})
                contents.append({"role": "user", "parts": parts + [_google_part(part) for part in step.parts]})
            case Told():
                raise AssertionError("Google has no such turn")
    config: Json | None = None
    if talk.choice is not None:
        config = {"mode": {"none": "NONE", "auto": "AUTO"}.get(talk.choice.mode, "ANY")}
        if talk.choice.mode == "one":
            config["allowedFunctionNames"] = list(talk.choice.names)
    thinking = None
    if talk.budget is not None:
        thinking = {"thinkingBudget": talk.budget}
    elif talk.effort is not None:
        thinking = {"thinkingLevel": talk.effort.upper()}
    generation = without_none(
        temperature=talk.sampling.temperature,
        topP=talk.sampling.top_p,
        topK=talk.sampling.top_k,
        seed=talk.sampling.seed,
        presencePenalty=talk.sampling.presence_penalty,
        frequencyPenalty=talk.sampling.frequency_penalty,
        maxOutputTokens=talk.max_tokens,
        stopSequences=list(talk.stop) or None,
        responseMimeType="application/json" if talk.output is not None else None,
        responseJsonSchema=talk.output.schema if talk.output is not None else None,
        thinkingConfig=thinking,
    )
    declared = [
        without_none(name=tool.name, description=tool.description, parametersJsonSchema=tool.schema)
        for tool in talk.tools
    ]
    body = without_none(
        systemInstruction={"parts": [{"text": text} for text in talk.system]} if talk.system else None,
        contents=contents,
        tools=[{"functionDeclarations": declared}] if declared else None,
        toolConfig={"functionCallingConfig": config} if config is not None else None,
        generationConfig=generation or None,
    )
    return _snake(body) if talk.terse else body


def _google_part(part: Text | File) -> Json:
    match part:
        case Text():
            return {"text": part.text}
        case File(url=str(url)):
            return {"fileData": {"fileUri": url}}
        case File():
            return {"inlineData": {"mimeType": part.mime, "data": part.data}}


def _snake(value: Any) -> Any:
    """The body as clients that write protobuf's own names send it; what belongs to tools and schemas is not touched."""
    if isinstance(value, list):
        return [_snake(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {_SNAKE.get(key, key): each if key in _FREE else _snake(each) for key, each in value.items()}
