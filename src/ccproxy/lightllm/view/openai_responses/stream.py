"""Write an answer as events of the Responses API (OpenAI API reference, "Streaming events")."""

from __future__ import annotations

from pydantic_ai.messages import ToolCallPart

from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.json_edit import dumps
from ccproxy.lightllm.openai_responses.errors import encode_stream_failure
from ccproxy.lightllm.sse import encode_event
from ccproxy.lightllm.status import Cut, Failure
from ccproxy.lightllm.view.carry import Json, arguments_text
from ccproxy.lightllm.view.stream import Stop


class Writer:
    """One answer. At most one output item is open at a time; those that are closed are in ``_output``."""

    def __init__(self, model: str) -> None:
        self._id = ""
        self._model = model
        self._sequence = 0
        self._output: list[Json] = []
        self._open: Json | None = None
        self._text = ""

    def start(self, answer_id: str) -> bytes:
        self._id = answer_id
        return self._event("response.created", {"response": self._response("in_progress")})

    def text(self, text: str) -> bytes:
        opened = b""
        if self._open is None or self._open["type"] != "message":
            opened = self._begin({"type": "message", "role": "assistant", "status": "in_progress", "content": []})
            opened += self._part("response.content_part.added", _output_text(""))
        self._text += text
        return opened + self._part("response.output_text.delta", None, delta=text, logprobs=[])

    def thinking(self, text: str) -> bytes:
        opened = b""
        if self._open is None or self._open["type"] != "reasoning":
            opened = self._begin({"type": "reasoning", "summary": []})
            opened += self._summary("response.reasoning_summary_part.added", part=_summary_text(""))
        self._text += text
        return opened + self._summary("response.reasoning_summary_text.delta", delta=text)

    def signature(self, signature: str) -> bytes:
        if self._open is None or self._open["type"] != "reasoning":
            return b""
        self._open["encrypted_content"] = signature
        return self._end()

    def tool_call(self, part: ToolCallPart) -> bytes:
        item: Json = {"type": "function_call", "call_id": part.tool_call_id, "name": part.tool_name}
        opened = self._begin({**item, "arguments": "", "status": "in_progress"})
        self._text = arguments_text(part)
        where = self._where()
        return (
            opened
            + self._event("response.function_call_arguments.delta", {**where, "delta": self._text})
            + self._event(
                "response.function_call_arguments.done",
                {**where, "name": part.tool_name, "arguments": self._text},
            )
            + self._end()
        )

    def finish(self, stop: Stop, usage: Usage) -> bytes:
        closed = self._end()
        given, made = usage.input or 0, usage.output or 0
        counts: Json = {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": usage.cache_read or 0, "cache_write_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
            "total_tokens": given + made,
        }
        return closed + self._event(
            "response.completed", {"response": {**self._response("completed"), "usage": counts}}
        )

    def fail(self, failure: Failure) -> bytes:
        return encode_stream_failure(failure, Cut(sequence_number=self._sequence))

    def _begin(self, item: Json) -> bytes:
        closed = self._end()
        self._open = {"id": f"{item['type']}_{self._id}_{len(self._output)}", **item}
        return closed + self._event(
            "response.output_item.added", {"output_index": len(self._output), "item": self._open}
        )

    def _end(self) -> bytes:
        item, text = self._open, self._text
        if item is None:
            return b""
        done = b""
        match item["type"]:
            case "message":
                done = self._part("response.output_text.done", None, text=text, logprobs=[])
                done += self._part("response.content_part.done", _output_text(text))
                item = {**item, "content": [_output_text(text)], "status": "completed"}
            case "reasoning":
                done = self._summary("response.reasoning_summary_text.done", text=text)
                done += self._summary("response.reasoning_summary_part.done", part=_summary_text(text))
                item = {**item, "summary": [_summary_text(text)]}
            case _:
                item = {**item, "arguments": text, "status": "completed"}
        done += self._event("response.output_item.done", {"output_index": len(self._output), "item": item})
        self._output.append(item)
        self._open, self._text = None, ""
        return done

    def _where(self) -> Json:
        assert self._open is not None
        return {"item_id": self._open["id"], "output_index": len(self._output)}

    def _part(self, name: str, part: Json | None, **fields: object) -> bytes:
        inner: Json = {"part": part} if part is not None else {}
        return self._event(name, {**self._where(), "content_index": 0, **inner, **fields})

    def _summary(self, name: str, **fields: object) -> bytes:
        return self._event(name, {**self._where(), "summary_index": 0, **fields})

    def _event(self, name: str, fields: Json) -> bytes:
        event = {"type": name, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return encode_event(dumps(event), name)

    def _response(self, status: str) -> Json:
        return {
            "id": f"resp_{self._id}",
            "object": "response",
            "created_at": 0,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self._model,
            "output": list(self._output),
            "parallel_tool_calls": True,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": None,
        }


def _output_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary_text(text: str) -> Json:
    return {"type": "summary_text", "text": text}
