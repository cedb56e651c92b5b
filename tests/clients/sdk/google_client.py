"""The Google SDK for Python: a buffered answer, a stream, a tool loop (it calls the function itself).

Prints one JSON object.
"""

import json
from pathlib import Path

from google import genai
from google.genai import types

MODEL = "gemini-2.5-flash"
client = genai.Client(http_options=types.HttpOptions(timeout=20_000))


def read_canary(path: str) -> str:
    """Read a file.

    Args:
        path: its name
    """
    return Path(path).read_text()


whole = client.models.generate_content(model=MODEL, contents="PONGTEST say pong")
chunks = list(client.models.generate_content_stream(model=MODEL, contents="PONGTEST say pong"))
tools = types.GenerateContentConfig(tools=[read_canary])
looped = client.models.generate_content(model=MODEL, contents="TOOLTEST read canary.txt", config=tools)
found = {"text": whole.text, "stream": "".join(chunk.text or "" for chunk in chunks), "tool": looped.text}
turns = 1 + len(looped.automatic_function_calling_history or ()) // 2
usage = [whole.usage_metadata.prompt_token_count, whole.usage_metadata.candidates_token_count]
print(json.dumps({**found, "turns": turns, "usage": usage}))
