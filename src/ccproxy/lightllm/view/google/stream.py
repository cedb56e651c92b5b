"""Write an answer as Gemini chunks (Gemini API reference, "streamGenerateContent", with ``alt=sse``)."""

from __future__ import annotations

from pydantic_ai.messages import ToolCallPart

from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.google.errors import encode_stream_failure
from ccproxy.lightllm.json_edit import dumps
from ccproxy.lightllm.sse import encode_event
from ccproxy.lightllm.status import Cut, Failure
from ccproxy.lightllm.view.carry import Json
from ccproxy.lightllm.view.stream import Stop


class Writer:
    """One answer."""

    def __init__(self, model: str) -> None:
        self._id = ""
        self._model = model

    def start(self, answer_id: str) -> bytes:
        self._id = answer_id
        return b""  # the format has nothing to begin with

    def text(self, text: str) -> bytes:
        return self._part({"text": text})

    def thinking(self, text: str) -> bytes:
        return self._part({"text": text, "thought": True})

    def signature(self, signature: str) -> bytes:
        return self._part({"text": "", "thought": True, "thoughtSignature": signature})

    def tool_call(self, part: ToolCallPart) -> bytes:
        call = {"id": part.tool_call_id, "name": part.tool_name, "args": part.args_as_dict()}
        return self._part({"functionCall": call})

    def finish(self, stop: Stop, usage: Usage) -> bytes:
        given, made = usage.input or 0, usage.output or 0
        counts: Json = {
            "promptTokenCount": given,
            "cachedContentTokenCount": usage.cache_read or 0,
            "candidatesTokenCount": made,
            "totalTokenCount": given + made,
        }
        end: Json = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}
        return self._chunk({"candidates": [end], "usageMetadata": counts})

    def fail(self, failure: Failure) -> bytes:
        return encode_stream_failure(failure, Cut())

    def _part(self, part: Json) -> bytes:
        return self._chunk({"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]})

    def _chunk(self, fields: Json) -> bytes:
        return encode_event(dumps({**fields, "modelVersion": self._model, "responseId": self._id}))
