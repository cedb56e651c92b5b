"""A client that keeps its history as the vendors' tools do: what came in goes back with the next question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.plan import Asked
from tests.lightllm.translate.fold import Folded, fold

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}


@dataclass(slots=True)
class Client:
    """One conversation."""

    dialect: Dialect
    careful: bool = True
    """Everything of an answer is sent back: thoughts too, in one piece. Otherwise what must be: Chat clients without
    ``reasoning_content``, Responses clients (Codex) without ids and statuses, Google's Python SDK chunk by chunk."""
    history: list[dict[str, Any]] = field(default_factory=list)
    pending: list[tuple[str, str]] = field(default_factory=list)
    """Id and name of the calls that are to be answered."""

    def ask(self, text: str) -> None:
        """The user says something, and gives the results of all calls."""
        results = [(call_id, name, f"result of {call_id}") for call_id, name in self.pending]
        self.pending = []
        match self.dialect:
            case Dialect.ANTHROPIC:
                blocks: list[dict[str, Any]] = [
                    {"type": "tool_result", "tool_use_id": call_id, "content": result} for call_id, _, result in results
                ]
                if not results:
                    blocks = [{"type": "text", "text": text}]
                self.history.append({"role": "user", "content": blocks})
            case Dialect.OPENAI:
                for call_id, _, result in results:
                    self.history.append({"role": "tool", "tool_call_id": call_id, "content": result})
                if not results:
                    self.history.append({"role": "user", "content": text})
            case Dialect.OPENAI_RESPONSES:
                for call_id, _, result in results:
                    self.history.append({"type": "function_call_output", "call_id": call_id, "output": result})
                if not results:
                    self.history.append({"role": "user", "content": text})
            case Dialect.GOOGLE:
                parts: list[dict[str, Any]] = [
                    {"functionResponse": {"id": call_id, "name": name, "response": {"output": result}}}
                    for call_id, name, result in results
                ]
                self.history.append({"role": "user", "parts": parts or [{"text": text}]})

    def take(self, stream: bytes) -> Folded:
        """The answer, as the vendor's SDK reads it."""
        folded = fold(self.dialect, stream)
        message: Any = folded.message
        assert folded.stop in ("stop", "tool"), folded
        match self.dialect:
            case Dialect.ANTHROPIC:
                content = [_told(block) for block in message.content]
                self.history.append({"role": "assistant", "content": content})
                self.pending = [(block["id"], block["name"]) for block in content if block["type"] == "tool_use"]
            case Dialect.OPENAI:
                self._take_completion(message.choices[0].message)
            case Dialect.OPENAI_RESPONSES:
                items = [_told(item) for item in message.output]
                if not self.careful:
                    items = [{k: v for k, v in item.items() if k not in ("id", "status")} for item in items]
                self.history += items
                self.pending = [(item["call_id"], item["name"]) for item in items if item["type"] == "function_call"]
            case Dialect.GOOGLE:
                self._take_chunks(message)
        return folded

    def _take_completion(self, said: Any) -> None:
        calls = [
            {"id": call.id, "type": "function", "function": _told(call.function)} for call in said.tool_calls or []
        ]
        message = {"role": "assistant", "content": said.content}
        if calls:
            message["tool_calls"] = calls
        if self.careful and getattr(said, "reasoning_content", None):
            message["reasoning_content"] = said.reasoning_content
        self.history.append(message)
        self.pending = [(call["id"], call["function"]["name"]) for call in calls]

    def _take_chunks(self, chunks: list[Any]) -> None:
        contents = [
            candidate.content.model_dump(mode="json", by_alias=True, exclude_none=True)
            for chunk in chunks
            for candidate in chunk.candidates or []
            if candidate.content and candidate.content.parts
        ]
        parts = [part for content in contents for part in content["parts"]]
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        self.pending = [(call["id"], call["name"]) for call in calls]
        if not self.careful:
            self.history += contents
            return
        joined: list[dict[str, Any]] = []
        for part in parts:
            if joined and set(part) == set(joined[-1]) and set(part) <= {"text", "thought"}:
                joined[-1] = {**joined[-1], "text": joined[-1]["text"] + part["text"]}
            else:
                joined.append(part)
        self.history.append({"role": "model", "parts": joined})

    def body(self) -> tuple[dict[str, Any], Asked]:
        """The next request, and what stands in its path."""
        names = [f"tool_{number}" for number in range(4)]
        match self.dialect:
            case Dialect.ANTHROPIC:
                tools = [{"name": name, "input_schema": SCHEMA} for name in names]
                thinking = {"type": "adaptive"}
                head = {"model": "m", "max_tokens": 20_000, "thinking": thinking, "stream": True, "tools": tools}
                return {**head, "messages": self.history}, Asked()
            case Dialect.OPENAI:
                functions = [{"type": "function", "function": {"name": each, "parameters": SCHEMA}} for each in names]
                head = {"model": "m", "reasoning_effort": "high", "stream": True, "tools": functions}
                return {**head, "messages": self.history}, Asked()
            case Dialect.OPENAI_RESPONSES:
                tools = [{"type": "function", "name": each, "parameters": SCHEMA, "strict": False} for each in names]
                head = {"model": "m", "reasoning": {"effort": "high"}, "stream": True, "store": False, "tools": tools}
                return {**head, "include": ["reasoning.encrypted_content"], "input": self.history}, Asked()
            case Dialect.GOOGLE:
                declared = [{"name": name, "parametersJsonSchema": SCHEMA} for name in names]
                config = {"thinkingConfig": {"includeThoughts": True}}
                head = {"tools": [{"functionDeclarations": declared}], "generationConfig": config}
                return {**head, "contents": self.history}, Asked("m", True)


def _told(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.to_dict(mode="json", use_api_names=True, warnings=False, exclude_none=True)
    found.pop("parsed_arguments", None)
    return found
