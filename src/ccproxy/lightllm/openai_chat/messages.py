"""``messages`` of a request, read into turns (API reference, "Chat Completions", "messages").

Tool messages that follow one another are one user turn. A result has the name of the call with its id; calls may use
an id again, as local servers do, and a result is of the latest one. ``function_call`` and ``role: function``, which
came before tools, have no ids: they are made from the message's place.
"""

from __future__ import annotations

import json
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_chat.content import read_content
from ccproxy.lightllm.openai_chat.fields import Fields, array_at, bad, name_at, object_at, string_at
from ccproxy.lightllm.openai_chat.thinking import read_thought
from ccproxy.lightllm.prompt import Call, File, Knob, Opaque, Part, Result, Role, Text, Thought, Turn

_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "system", "user": "user"}


class MessageReader:
    """Takes a request's messages in order. ``knobs`` has what is no content, ``turns`` all else."""

    __slots__ = ("_calls", "_named", "_results", "_turns", "knobs")

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._results: list[Result] = []
        self._calls: dict[str, Call] = {}
        self._named: dict[str, str] = {}
        """Legacy calls: the id that was made for the latest of each name."""
        self.knobs: list[Knob] = []

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All of them, once every message was taken."""
        self._end_results()
        return tuple(self._turns)

    def take(self, message: Fields, at: str) -> None:
        """The next message. Raises BadRequest."""
        role = string_at(message.get("role"), f"{at}.role")
        if role == "tool":
            self._tool(message, at)
            return
        if role == "function":
            self._function(message, at)
            return
        self._end_results()
        if role == "assistant":
            self._turns.append(Turn("assistant", tuple(self._assistant(message, at)), at))
        elif role in _ROLES:
            self._turns.append(Turn(_ROLES[role], read_content(message.get("content"), f"{at}.content"), at))
        else:
            raise bad(f"{at}.role", "one of system, developer, user, assistant, tool and function is expected here")
        if message.get("name") is not None:
            self.knobs.append(Knob("unknown", message["name"], f"{at}.name"))

    def _end_results(self) -> None:
        if self._results:
            self._turns.append(Turn("user", tuple(self._results), self._results[0].at))
            self._results.clear()

    def _tool(self, message: Fields, at: str) -> None:
        call_id = name_at(message.get("tool_call_id"), f"{at}.tool_call_id")
        call, name = self._calls.get(call_id), message.get("name")
        if call is not None:
            name = call.name
        self._result(message, at, call_id, name, custom=call is not None and call.custom)

    def _function(self, message: Fields, at: str) -> None:
        name = name_at(message.get("name"), f"{at}.name")
        self._result(message, at, self._named.get(name) or _made_id(at), name)

    def _result(self, message: Fields, at: str, call_id: str, name: object, *, custom: bool = False) -> None:
        content = read_content(message.get("content"), f"{at}.content")
        parts = tuple(Text(part.text, at=part.at) if isinstance(part, Thought) else part for part in content)
        name = name if isinstance(name, str) and name else None
        self._results.append(Result(call_id, name, parts, custom=custom, at=at))

    def _assistant(self, message: Fields, at: str) -> list[Part]:
        parts: list[Part] = []
        if thought := read_thought(message):
            parts.append(Thought(thought, at=f"{at}.reasoning_content"))
        content = read_content(message.get("content"), f"{at}.content")
        parts += [part for part in content if not isinstance(part, Thought) or (part.text and not thought)]
        if isinstance(refusal := message.get("refusal"), str) and refusal:
            parts.append(Text(refusal, refusal=True, at=f"{at}.refusal"))
        if isinstance(images := message.get("images"), list):
            parts += _images(images, f"{at}.images")
        if isinstance(audio := message.get("audio"), dict):
            parts.append(Opaque(Dialect.OPENAI, "audio", audio, f"{at}.audio"))
        if (calls := message.get("tool_calls")) is not None:
            path = f"{at}.tool_calls"
            parts += [self._call(call, f"{path}.{index}") for index, call in enumerate(array_at(calls, path))]
        if (legacy := message.get("function_call")) is not None:
            parts.append(self._legacy_call(object_at(legacy, f"{at}.function_call"), at))
        return parts

    def _call(self, value: object, at: str) -> Call | Opaque:
        entry = object_at(value, at)
        kind = entry.get("type")
        if kind is None:
            kind = "custom" if "custom" in entry else "function"
        if kind not in ("function", "custom"):
            return Opaque(Dialect.OPENAI, string_at(kind, f"{at}.type"), entry, at)
        custom = kind == "custom"
        inner, path = object_at(entry.get(kind), f"{at}.{kind}"), f"{at}.{kind}"
        arguments = string_at(inner.get("input"), f"{path}.input") if custom else arguments_text(inner, path)
        call_id, name = name_at(entry.get("id"), f"{at}.id"), name_at(inner.get("name"), f"{path}.name")
        self._calls[call_id] = call = Call(call_id, name, arguments, custom, at=at)
        return call

    def _legacy_call(self, function: Fields, at: str) -> Call:
        path, call_id = f"{at}.function_call", _made_id(at)
        name = name_at(function.get("name"), f"{path}.name")
        self._named[name] = call_id
        return Call(call_id, name, arguments_text(function, path), at=path)


def _made_id(at: str) -> str:
    return f"function_{at.rpartition('.')[2]}"


def arguments_text(function: Fields, at: str) -> str:
    """The arguments' own JSON text. None at all are ``{}``; an object, as some clients send, is written out."""
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        try:
            return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
        except RecursionError:
            raise bad(f"{at}.arguments", "this is nested too deeply") from None
    text = string_at("" if arguments is None else arguments, f"{at}.arguments")
    return text if text.strip() else "{}"


def _images(images: list[object], at: str) -> list[File]:
    """Pictures that the model made (OpenRouter)."""
    parts = read_content(images, at)
    return [part for part in parts if isinstance(part, File)]
