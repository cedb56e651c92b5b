"""Folding by the ``openai`` SDK: chat completions and responses."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import httpx2
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate.folded import (
    CLIENT_CALLS,
    Folded,
    Memory,
    Unfoldable,
    arguments,
    drained,
    ended,
    stop_of,
)


@functools.cache
def _client() -> tuple[openai.OpenAI, Memory]:
    memory = Memory()
    client = openai.OpenAI(
        api_key="k",
        base_url="http://memory",
        max_retries=0,
        http_client=httpx2.Client(transport=memory),
    )
    return client, memory


def fold_chat(stream: bytes) -> Folded:
    client, memory = _client()
    memory.body = stream
    chunks: list[Any] = []

    def keep(chunk: Any) -> None:
        if chunk.object in ("chat.completion.chunk", None):  # the SDK's helper skips those that are something else
            chunks.append(chunk)

    messages: Any = [{"role": "user", "content": "x"}]
    with client.chat.completions.create(model="m", messages=messages, stream=True) as told:
        error = drained(told, keep)
    if not chunks:
        if not error:
            raise Unfoldable("no chat.completion.chunk in the stream")
        return ended(Folded(), error)
    if any(isinstance(choice.delta.content, list) for chunk in chunks for choice in chunk.choices):
        raise Unfoldable("content in parts, which the accumulator drops")
    completion = _accumulated(chunks)
    usages = [chunk.usage for chunk in chunks if chunk.usage]  # the snapshot has the last chunk's, even if that is None
    if usages:
        completion.usage = usages[-1]
    return ended(_of_completion(completion), error)


def _accumulated(chunks: list[Any]) -> Any:
    def accumulate() -> Any:
        state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
        for chunk in chunks:
            state.handle_chunk(chunk)
        return state.current_completion_snapshot

    try:
        return accumulate()
    except RuntimeError:  # a vendor's extension: a list without indices in the delta
        pass
    for chunk in chunks:
        for choice in chunk.choices:
            extra = choice.delta.model_extra or {}
            for name in [name for name, value in extra.items() if isinstance(value, list)]:
                del extra[name]
    return accumulate()


def fold_chat_document(body: bytes) -> Folded:
    client, memory = _client()
    memory.body = body
    return _of_completion(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}]))


def _of_completion(completion: Any) -> Folded:
    folded = Folded(message=completion)
    usage = completion.usage
    if usage is not None:
        folded.stop = "other"  # an end of its own, where no reason is found
        folded.input, folded.output = usage.prompt_tokens, usage.completion_tokens
        folded.cache_read = getattr(usage.prompt_tokens_details, "cached_tokens", None) or 0
    if not completion.choices:
        return folded
    choice = completion.choices[0]
    message = choice.message
    folded.refused = bool(message.refusal)
    folded.text = (message.content or "") + (message.refusal or "")
    folded.thinking = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or ""
    for call in message.tool_calls or []:
        if (function := getattr(call, "function", None)) is not None:
            folded.calls.append((function.name, arguments(function.arguments)))
        else:
            folded.foreign = True
    if choice.finish_reason:
        folded.stop = stop_of(Dialect.OPENAI, choice.finish_reason)
    return folded


def fold_responses(stream: bytes) -> Folded:
    client, memory = _client()
    memory.body = stream
    events: list[Any] = []
    with client.responses.stream(model="m", input="x") as told:
        error = drained(told, events.append)
    if not events:
        return ended(Folded(), error)
    ends = [event for event in events if event.type in _RESPONSE_ENDS]
    done = {event.output_index: event.item for event in events if event.type == "response.output_item.done"}
    response = ends[-1].response if ends else None
    items = list((response.output if response is not None else None) or [done[index] for index in sorted(done)])
    folded = _of_items(items)
    deltas = [event.delta for event in events if event.type in ("response.output_text.delta", "response.refusal.delta")]
    folded.streamed = "".join(deltas)
    if response is not None:
        _add_end(folded, response)
    said = [event for event in events if event.type == "error"]
    if said:
        folded.stop, folded.error = "error", repr(said[-1])
    if not items or folded.stop in ("error", "cut"):
        folded.text = folded.streamed or folded.text
    return ended(folded, error)


_RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed")


def fold_responses_document(body: bytes) -> Folded:
    client, memory = _client()
    memory.body = body
    response = client.responses.create(model="m", input="x")
    folded = _of_items(response.output or [])
    _add_end(folded, response)
    return folded


def _of_items(items: Iterable[Any]) -> Folded:
    folded = Folded()
    for item in items:
        match item.type:
            case "message":
                for part in item.content:
                    folded.refused = folded.refused or part.type == "refusal"
                    folded.text += part.refusal if part.type == "refusal" else getattr(part, "text", "")
            case "reasoning":  # the raw reasoning, where a provider gives no summary
                folded.thinking += "".join(part.text for part in item.summary or item.content or [])
                folded.signatures.append(item.encrypted_content or "")
            case "function_call":
                folded.calls.append((item.name, arguments(item.arguments)))
            case kind if kind in CLIENT_CALLS:
                folded.foreign = True
    return folded


def _add_end(folded: Folded, response: Any) -> None:
    folded.message = response
    word = getattr(response.incomplete_details, "reason", None) or response.status
    folded.stop = "tool" if folded.calls and word == "completed" else stop_of(Dialect.OPENAI_RESPONSES, word)
    if folded.stop == "error":
        folded.error = repr(response.error)
    if response.usage is not None:
        folded.input, folded.output = response.usage.input_tokens, response.usage.output_tokens
        folded.cache_read = getattr(response.usage.input_tokens_details, "cached_tokens", None) or 0
