"""The OpenAI SDK for Python: Chat Completions and Responses, buffered, streamed, a tool loop.

Takes ``chat`` or ``responses``, prints one JSON object."""

import json
import sys
from pathlib import Path

import openai

MODEL = "gpt-4o"
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}
client = openai.OpenAI(max_retries=0, timeout=20)


def read(arguments: str) -> str:
    return Path(json.loads(arguments)["path"]).read_text()


def chat() -> dict:
    ping = [{"role": "user", "content": "PONGTEST say pong"}]
    whole = client.chat.completions.create(model=MODEL, messages=ping)
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=ping, stream=True, stream_options={"include_usage": True})
    )
    helper = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream
    tools = [{"type": "function", "function": {"name": "read_canary", "parameters": SCHEMA, "strict": True}}]
    messages = [{"role": "user", "content": "TOOLTEST read canary.txt"}]
    while True:
        with helper(model=MODEL, messages=messages, tools=tools) as stream:
            message = stream.get_final_completion().choices[0].message
        if not message.tool_calls:
            break
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
            for c in message.tool_calls
        ]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
        messages += [
            {"role": "tool", "tool_call_id": c["id"], "content": read(c["function"]["arguments"])} for c in calls
        ]
    return {
        "text": whole.choices[0].message.content,
        "stream": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "tool": message.content,
        "turns": 1 + sum(message["role"] == "assistant" for message in messages),
        "usage": [chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens],
    }


def responses() -> dict:
    whole = client.responses.create(model=MODEL, input="PONGTEST say pong")
    with client.responses.create(model=MODEL, input="PONGTEST say pong", stream=True) as events:
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    tools = [{"type": "function", "name": "read_canary", "parameters": SCHEMA, "strict": True}]
    items = [{"role": "user", "content": "TOOLTEST read canary.txt"}]
    while True:
        with client.responses.stream(model=MODEL, input=items, tools=tools) as stream:
            answer = stream.get_final_response()
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            break
        for call in calls:
            items.append(
                {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
            )
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": read(call.arguments)})
    return {
        "text": whole.output_text,
        "stream": text,
        "tool": answer.output_text,
        "turns": 1 + len(items) // 2,
        "usage": [whole.usage.input_tokens, whole.usage.output_tokens],
    }


print(json.dumps({"chat": chat, "responses": responses}[sys.argv[1]]()))
