"""Write an answer as a stream of the Messages API (Anthropic API reference, "Streaming messages")."""

from __future__ import annotations

from pydantic_ai.messages import ToolCallPart

from ccproxy.lightllm.anthropic.errors import encode_stream_failure
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.json_edit import dumps
from ccproxy.lightllm.sse import encode_event
from ccproxy.lightllm.status import Cut, Failure
from ccproxy.lightllm.view.carry import Json, arguments_text
from ccproxy.lightllm.view.stream import Stop, stop_word


class Writer:
    """One answer. At most one content block is open at a time."""

    def __init__(self, model: str) -> None:
        self._id = ""
        self._model = model
        self._index = -1
        self._open = ""

    def start(self, answer_id: str) -> bytes:
        self._id = answer_id
        message: Json = {
            "id": f"msg_{self._id}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return _event("message_start", {"message": message})

    def text(self, text: str) -> bytes:
        return self._block("text", {"type": "text", "text": ""}) + self._delta({"type": "text_delta", "text": text})

    def thinking(self, text: str) -> bytes:
        delta: Json = {"type": "thinking_delta", "thinking": text}
        return self._block("thinking", {"type": "thinking", "thinking": "", "signature": ""}) + self._delta(delta)

    def signature(self, signature: str) -> bytes:
        delta: Json = {"type": "signature_delta", "signature": signature}
        opened = self._block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        return opened + self._delta(delta) + self._close()

    def tool_call(self, part: ToolCallPart) -> bytes:
        block: Json = {"type": "tool_use", "id": part.tool_call_id, "name": part.tool_name, "input": {}}
        delta: Json = {"type": "input_json_delta", "partial_json": arguments_text(part)}
        return self._block("tool_use", block) + self._delta(delta) + self._close()

    def finish(self, stop: Stop, usage: Usage) -> bytes:
        read, write = usage.cache_read or 0, usage.cache_write or 0
        counts: Json = {
            "input_tokens": (usage.input or 0) - read - write,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": write,
            "output_tokens": usage.output or 0,
        }
        delta = {"stop_reason": stop_word(stop, end="end_turn", call="tool_use"), "stop_sequence": None}
        return self._close() + _event("message_delta", {"delta": delta, "usage": counts}) + _event("message_stop", {})

    def fail(self, failure: Failure) -> bytes:
        return encode_stream_failure(failure, Cut())

    def _block(self, kind: str, block: Json) -> bytes:
        if self._open == kind:
            return b""
        closed = self._close()
        self._index += 1
        self._open = kind
        return closed + _event("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, delta: Json) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": delta})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _event("content_block_stop", {"index": self._index})


def _event(name: str, fields: Json) -> bytes:
    return encode_event(dumps({"type": name, **fields}), name)
