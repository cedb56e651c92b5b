"""Folding by the ``google-genai`` SDK, which leaves the putting together to its user."""

from __future__ import annotations

import functools
import re
from itertools import pairwise
from typing import Any

import httpx
from google import genai
from google.genai import types as genai_types

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate.folded import Folded, drained, ended, media_type, stop_of


class Memory(httpx.MockTransport):
    """Answers every request with ``body``. (The other SDKs have another httpx.)"""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.body = b""

    def _answer(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": media_type(self.body)}, stream=httpx.ByteStream(self.body))


@functools.cache
def _client() -> tuple[genai.Client, Memory]:
    memory = Memory()
    options = genai_types.HttpOptions(base_url="http://memory", httpx_client=httpx.Client(transport=memory))
    return genai.Client(api_key="k", vertexai=False, http_options=options), memory


def fold(stream: bytes) -> Folded:
    chunks: list[Any] = []
    client, memory = _client()
    memory.body = stream
    error = drained(client.models.generate_content_stream(model="m", contents="x"), chunks.append)
    return ended(_of_chunks(chunks), error)


def fold_document(body: bytes) -> Folded:
    client, memory = _client()
    memory.body = body
    return _of_chunks([client.models.generate_content(model="m", contents="x")])


def _of_chunks(chunks: list[Any]) -> Folded:
    folded = Folded(message=chunks)
    calls: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    last: dict[str, int] = {}
    for chunk in chunks:
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            folded.stop = "filtered"
        if chunk.usage_metadata:
            last = {k: v for k, v in chunk.usage_metadata.model_dump().items() if isinstance(v, int)} or last
            counts |= last
        for candidate in chunk.candidates or []:
            if candidate.index:
                continue
            for part in (candidate.content.parts if candidate.content else None) or []:
                _add_part(folded, part, calls)
            if candidate.finish_reason:
                folded.stop = stop_of(Dialect.GOOGLE, candidate.finish_reason.value)
    folded.calls = [(call["name"], call["args"]) for call in calls]
    if folded.calls and folded.stop == "stop":
        folded.stop = "tool"
    if "prompt_token_count" in counts:
        folded.input = counts["prompt_token_count"] + counts.get("tool_use_prompt_token_count", 0)
        folded.cache_read = counts.get("cached_content_token_count", 0)
        if last == counts:  # else the last chunk lacks a count that an earlier one had, and which holds is not known
            folded.output = counts.get("candidates_token_count", 0) + counts.get("thoughts_token_count", 0)
    return folded


def _add_part(folded: Folded, part: Any, calls: list[dict[str, Any]]) -> None:
    if part.thought_signature:
        folded.signatures.append(part.thought_signature.hex())
    if part.text and part.thought:
        folded.thinking += part.text
    elif part.text:
        folded.text += part.text
    if (call := part.function_call) is None:
        return
    if call.name:
        calls.append({"name": call.name, "args": dict(call.args or {})})
    for piece in call.partial_args or []:  # streamed arguments: a JSON path and a scalar, strings in pieces
        if calls:
            _put(calls[-1]["args"], piece)


_STEP = re.compile(r"\[(\d+)\]|\[?['\"]?([^.\[\]'\"]+)")


def _put(root: dict[str, Any], piece: Any) -> None:
    steps = [int(index) if index else name for index, name in _STEP.findall((piece.json_path or "$")[1:])]
    said = [each for each in (piece.string_value, piece.number_value, piece.bool_value) if each is not None]
    value = said[0] if said else None
    node: Any = root
    for step, following in pairwise(steps):
        node = _inner(node, step, [] if isinstance(following, int) else {})
    if isinstance(value, str):
        value = _inner(node, steps[-1], "") + value
    _inner(node, steps[-1], value)
    node[steps[-1]] = value


def _inner(node: Any, step: Any, default: Any) -> Any:
    if isinstance(node, list):
        if len(node) <= step:
            node.append(default)
        return node[step]
    return node.setdefault(step, default)


def joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Chunks as one answer: parts in a row, the rest as the last one says it."""
    whole: dict[str, Any] = {}
    candidate: dict[str, Any] = {}
    parts: list[Any] = []
    for chunk in chunks:
        for each in chunk.get("candidates", [])[:1]:
            parts += (each.get("content") or {}).get("parts") or []
            candidate |= {key: value for key, value in each.items() if key != "content"}
        whole |= {key: value for key, value in chunk.items() if key != "candidates"}
    if candidate or parts:
        whole["candidates"] = [{"content": {"role": "model", "parts": parts}, **candidate}]
    return whole
