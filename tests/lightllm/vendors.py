"""A server that answers every POST with given bytes, and the vendors' own SDKs to call it with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai
from google import genai

from ccproxy.lightllm.dialect import Dialect


@contextmanager
def serve(status: int, content_type: str, body: bytes) -> Iterator[str]:
    """The base URL of a server that answers every POST so."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def call(dialect: Dialect, base: str, *, stream: bool) -> object:
    """One request by the dialect's official SDK, its stream read to the end."""
    match dialect:
        case Dialect.ANTHROPIC:
            messages = anthropic.Anthropic(api_key="k", base_url=base, max_retries=0).messages
            if not stream:
                return messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
            return list(
                messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}], stream=True)
            )
        case Dialect.OPENAI:
            chat = openai.OpenAI(api_key="k", base_url=base, max_retries=0).chat.completions
            if not stream:
                return chat.create(model="m", messages=[{"role": "user", "content": "x"}])
            return list(chat.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))
        case Dialect.OPENAI_RESPONSES:
            responses = openai.OpenAI(api_key="k", base_url=base, max_retries=0).responses
            if not stream:
                return responses.create(model="m", input="x")
            return list(responses.create(model="m", input="x", stream=True))
        case Dialect.GOOGLE:
            client = genai.Client(api_key="k", http_options={"base_url": base})
            if not stream:
                return client.models.generate_content(model="m", contents="x")
            return list(client.models.generate_content_stream(model="m", contents="x"))
