"""Write an answer as chat completion chunks (OpenAI API reference, "The chat completion chunk object")."""

from __future__ import annotations

from pydantic_ai.messages import ToolCallPart

from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.json_edit import dumps
from ccproxy.lightllm.openai_chat.errors import encode_stream_failure
from ccproxy.lightllm.sse import encode_event
from ccproxy.lightllm.status import Cut, Failure
from ccproxy.lightllm.view.carry import Json, arguments_text
from ccproxy.lightllm.view.stream import Stop, stop_word


class Writer:
    """One answer; with ``include_usage`` the counts come in a chunk of their own."""

    def __init__(self, model: str, include_usage: bool) -> None:
        self._id = ""
        self._model = model
        self._include_usage = include_usage
        self._calls = 0

    def start(self, answer_id: str) -> bytes:
        self._id = answer_id
        return self._delta({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        return self._delta({"content": text})

    def thinking(self, text: str) -> bytes:
        return self._delta({"reasoning_content": text})

    def signature(self, signature: str) -> bytes:
        return b""  # the format has no place for it

    def tool_call(self, part: ToolCallPart) -> bytes:
        function = {"name": part.tool_name, "arguments": arguments_text(part)}
        call = {"index": self._calls, "id": part.tool_call_id, "type": "function", "function": function}
        self._calls += 1
        return self._delta({"tool_calls": [call]})

    def finish(self, stop: Stop, usage: Usage) -> bytes:
        end = self._delta({}, stop_word(stop, end="stop", call="tool_calls"))
        if self._include_usage:
            given, made = usage.input or 0, usage.output or 0
            counts: Json = {
                "prompt_tokens": given,
                "completion_tokens": made,
                "total_tokens": given + made,
                "prompt_tokens_details": {"cached_tokens": usage.cache_read or 0},
            }
            end += self._chunk({"choices": [], "usage": counts})
        return end + encode_event(b"[DONE]")

    def fail(self, failure: Failure) -> bytes:
        return encode_stream_failure(failure, Cut())

    def _delta(self, delta: Json, finish_reason: str | None = None) -> bytes:
        return self._chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def _chunk(self, fields: Json) -> bytes:
        head: Json = {"id": f"chatcmpl-{self._id}", "object": "chat.completion.chunk", "created": 0}
        return encode_event(dumps({**head, "model": self._model, **fields}))
