"""What is sent: Anthropic Messages requests of an exact size, and the cases in which they are sent.

The provider is told by the header ``x-bench`` what to answer; the same bytes go to every contender.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

type Kind = Literal["json", "sse", "burst", "paced", "volley"]
type Client = Literal["anthropic", "openai"]
"""Whose format the request is in; the provider's is always Anthropic's."""

SENTINEL = "sk-ant-oat-ccproxy-bench"
STREAM_EVENTS = 20
STREAM_GAP_S = 0.010
BURST_EVENTS = 5000
PACED_EVENTS = 50
PACED_GAP_S = 0.020
VOLLEY_EVENTS = 500

_SENTENCE = "The listener forwards what it was given, byte for byte, and keeps a record that a person can read. "


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of traffic."""

    kind: Kind
    size: int
    """Request body in bytes."""
    concurrency: int
    keep: bool
    """Kept connections; False: a new one for each request."""
    client: Client = "anthropic"

    @property
    def name(self) -> str:
        size = f"{self.size // 1024} KB"
        answer = {"json": "JSON", "sse": "stream"}.get(self.kind, self.kind)
        return f"{answer}, {size}, c={self.concurrency}, {'kept' if self.keep else 'new'}"

    @property
    def request(self) -> bytes:
        return request(self.kind, self.size, self.client)


def cases() -> list[Case]:
    """Every combination of the goals, and one burst."""
    grid = [
        Case(kind, size, concurrency, keep)
        for kind in ("json", "sse")
        for size in (1024, 102_400)
        for concurrency in (1, 16)
        for keep in (True, False)
    ]
    return [*grid, Case("burst", 1024, 1, True)]


def request(kind: Kind, size: int, client: Client = "anthropic") -> bytes:
    """Head and body of one request, as an SDK sends it."""
    messages = messages_body(size, stream=kind != "json")
    body = messages if client == "anthropic" else chat_body(messages)
    path = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}[client]
    own = {
        "anthropic": ["anthropic-version: 2023-06-01", f"X-Api-Key: {SENTINEL}"],
        "openai": [f"Authorization: Bearer {SENTINEL}"],
    }[client]
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Length: {len(body)}",
        "Accept: application/json",
        "Content-Type: application/json",
        "User-Agent: SDK/Python 2.11.0",
        "X-Stainless-Lang: python",
        "X-Stainless-Package-Version: 2.11.0",
        "X-Stainless-OS: Linux",
        "X-Stainless-Retry-Count: 0",
        *own,
        f"x-bench: {kind}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def chat_body(messages: bytes) -> bytes:
    """The same conversation for Chat Completions."""
    body = json.loads(messages)
    turns: list[dict[str, Any]] = [{"role": "system", "content": body["system"][0]["text"]}]
    for turn in body["messages"]:
        content = turn["content"]
        block = content[0] if isinstance(content, list) else {"type": "text"}
        match block["type"]:
            case "tool_use":
                function = {"name": block["name"], "arguments": json.dumps(block["input"])}
                calls = [{"id": block["id"], "type": "function", "function": function}]
                turns.append({"role": "assistant", "content": None, "tool_calls": calls})
            case "tool_result":
                turns.append({"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]})
            case _:
                turns.append(turn)
    tools = [
        {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
        for tool in body["tools"]
    ]
    return _dump(
        {
            "model": body["model"],
            "max_tokens": body["max_tokens"],
            "stream": body["stream"],
            "tools": [{"type": "function", "function": tool} for tool in tools],
            "messages": turns,
        }
    )


def messages_body(size: int, stream: bool) -> bytes:
    """A conversation with a system prompt, tools and tool results, of ``size`` bytes exactly."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": "What does the listener do with my request?"}]
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "stream": stream,
        "metadata": {"user_id": "user_0f3a_account_77_session_4b1d2f7e-6d3a-4f0e-9a51-3f1d9f2a8c11"},
        "system": [{"type": "text", "text": "You are terse.", "cache_control": {"type": "ephemeral"}}],
        "tools": [
            {
                "name": "read_file",
                "description": "Read a file.",
                "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
            }
        ],
        "messages": turns,
    }
    number = 0
    while len(_dump(body)) + 3000 < size:
        number += 1
        call = f"toolu_{number:024d}"
        use = {"type": "tool_use", "id": call, "name": "read_file", "input": {"path": f"src/part_{number}.py"}}
        result = {"type": "tool_result", "tool_use_id": call, "content": _SENTENCE * 20}
        turns += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    missing = size - len(_dump(body))
    assert missing >= 0, f"the smallest request has {len(_dump(body))} bytes"
    body["system"][0]["text"] += (_SENTENCE * (missing // len(_SENTENCE) + 1))[:missing]  # type: ignore[index]
    return _dump(body)


def message() -> bytes:
    """The buffered answer."""
    answer = {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": _SENTENCE * 3}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 250, "output_tokens": 64, "cache_read_input_tokens": 0},
    }
    return _dump(answer)


def event(index: int, last: int, sent_ns: int) -> bytes:
    """Event ``index`` of an answer that ends with event ``last``, stamped with the clock of its sending."""
    match index:
        case 0:
            usage = {"input_tokens": 250, "output_tokens": 1}
            start = {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "content": []}
            data: dict[str, Any] = {
                "type": "message_start",
                "message": {**start, "model": "claude-sonnet-5-5", "stop_reason": None, "usage": usage},
            }
        case 1:
            data = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        case _ if index == last - 2:
            data = {"type": "content_block_stop", "index": 0}
        case _ if index == last - 1:
            data = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 64}}
        case _ if index == last:
            data = {"type": "message_stop"}
        case _:
            text = {"type": "text_delta", "text": f"the listener forwards sent_ns:{sent_ns} "}
            data = {"type": "content_block_delta", "index": 0, "delta": text}
    kind = data["type"]
    if kind != "content_block_delta":  # its stamp is in the text, which every format has
        data["note"] = f"sent_ns:{sent_ns}"
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _dump(data))


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
