"""The Anthropic SDK for Python: a buffered answer, a stream, a tool loop over streams. Prints one JSON object."""

import json
from pathlib import Path

import anthropic

MODEL = "claude-sonnet-5-5"
TOOL = {
    "name": "read_canary",
    "description": "Read a file",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}
client = anthropic.Anthropic(max_retries=0, timeout=20)


def streamed(messages: list, **more: object) -> anthropic.types.Message:
    with client.messages.stream(model=MODEL, max_tokens=256, messages=messages, **more) as stream:
        return stream.get_final_message()


def text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


ping = [{"role": "user", "content": "PONGTEST say pong"}]
whole = client.messages.create(model=MODEL, max_tokens=256, messages=ping)
stream = streamed(ping)

messages = [{"role": "user", "content": "TOOLTEST read canary.txt"}]
answer = streamed(messages, tools=[TOOL])
while answer.stop_reason == "tool_use":
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": Path(block.input["path"]).read_text()}
        for block in answer.content
        if block.type == "tool_use"
    ]
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    answer = streamed(messages, tools=[TOOL])

found = {"text": text(whole), "stream": text(stream), "tool": text(answer), "turns": len(messages) // 2 + 1}
print(json.dumps({**found, "usage": [whole.usage.input_tokens, whole.usage.output_tokens]}))
