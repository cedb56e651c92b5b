"""`ccproxy transform`: what is read, what is printed where, and the exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from ccproxy.cli import main
from ccproxy.lightllm.loss_text import loss_text

CHAT = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
MESSAGES = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
STREAM = [
    event("message_start", message=MESSAGE),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 2}),
    event("message_stop"),
]
WHOLE = {**MESSAGE, "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"}
CHUNK = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "index": 0, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    "modelVersion": "gemini",
}


class Run:
    """`ccproxy transform` with a given standard input."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        self._patch, self._capture = monkeypatch, capsysbinary

    def __call__(self, given: object, *words: str) -> tuple[int, bytes, str]:
        """Exit status, standard output and standard error."""
        raw = given if isinstance(given, bytes) else json.dumps(given).encode()
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        status = main(["transform", *words])
        out, err = self._capture.readouterr()
        return status, out, err.decode()

    def json(self, given: object, *words: str) -> Any:
        """What is printed by a run that succeeds and has nothing to say."""
        status, out, err = self(given, *words)
        assert (status, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(monkeypatch, capsysbinary)


TO_CHAT = ("--from", "anthropic", "--to", "openai")
TO_MESSAGES = ("--from", "openai", "--to", "anthropic")


def test_a_request(run: Run) -> None:
    body = run.json(CHAT, *TO_MESSAGES)
    assert (body["model"], body["stream"]) == ("gpt-4o", True)
    assert body["max_tokens"] > 0
    assert body["messages"][0]["role"] == "user"


def test_it_is_printed_as_it_would_be_sent_to_programs_and_indented_for_people(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": "é \ud800"}]}
    _, sent, _ = run(body, *TO_MESSAGES)
    assert b'"stream":true' in sent
    assert b"\n" not in sent
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, shown, _ = run(body, *TO_MESSAGES)
    assert b'\n  "stream": true' in shown
    assert json.loads(shown) == json.loads(sent)


def test_the_model_and_a_whole_answer_are_asked_for(run: Run) -> None:
    body = run.json(CHAT, *TO_MESSAGES, "--model", "claude-x", "--no-stream")
    assert body["model"] == "claude-x"
    assert not body.get("stream")


def test_google_has_the_model_and_the_stream_in_its_path(run: Run) -> None:
    to_chat = ("--from", "google", "--to", "openai")
    assert run(GEMINI, *to_chat)[0] == 1
    assert run(GEMINI, *to_chat)[2] == "ccproxy: --model: the body does not name one\n"
    body = run.json(GEMINI, *to_chat, "--model", "gpt-4o")
    assert (body["model"], body["stream"]) == ("gpt-4o", True)
    assert not run.json(GEMINI, *to_chat, "--model", "gpt-4o", "--no-stream").get("stream")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ((), "max_completion_tokens"),
        (("--host", "llm.example"), "max_tokens"),
        (("--provider-type", "openrouter"), "max_tokens"),
    ],
)
def test_the_provider_decides_the_spelling(run: Run, words: tuple[str, ...], key: str) -> None:
    assert run.json(MESSAGES, *TO_CHAT, *words)[key] == 9


def test_what_is_left_out_is_told_on_standard_error(run: Run) -> None:
    status, out, err = run({**MESSAGES, "top_k": 5}, *TO_CHAT)
    assert status == 0
    assert "top_k" not in json.loads(out)
    assert err == "ccproxy: top_k: left out, openai has no place for it\n"


@pytest.mark.parametrize(
    ("given", "words", "message"),
    [
        ({**CHAT, "messages": [{"role": "user", "content": [AUDIO]}]}, TO_MESSAGES, "messages.0.content.0: audio data"),
        ({**CHAT, "messages": 7}, TO_MESSAGES, "messages"),
        (b"{", TO_MESSAGES, "standard input is no JSON"),
        (b"hello", TO_MESSAGES, "standard input is no JSON"),
        (b"[" * 200_000, TO_MESSAGES, "standard input is no JSON"),
        ([CHAT], TO_MESSAGES, "is it an answer? then say --answer"),
        (b" \n", TO_MESSAGES, "there is nothing on standard input"),
        (CHAT, ("--from", "openai"), "name both wire formats"),
        (CHAT, (*TO_MESSAGES, "--provider-type", "gemini"), "its wire format is google, not anthropic"),
        (b"".join(STREAM[:4]), (*TO_CHAT, "--no-stream"), "before it was complete"),
        (b"{}", (*TO_CHAT, "--answer"), ""),
    ],
)
def test_what_cannot_be_done_is_an_error(run: Run, given: object, words: tuple[str, ...], message: str) -> None:
    status, out, err = run(given, *words)
    assert (status, out) == (1, b"")
    assert err.startswith("ccproxy: ")
    assert "defect" not in err
    assert message in err


def test_a_stream(run: Run) -> None:
    for given in (b"".join(STREAM), b"\xef\xbb\xbf\n: alive\n\n" + b"".join(STREAM).replace(b"\n", b"\r\n")):
        status, out, err = run(given, *TO_CHAT)
        assert (status, err) == (0, "")
        *chunks, done = out.decode().removesuffix("\n\n").split("\n\n")
        assert done == "data: [DONE]"
        choices = [choice for chunk in chunks for choice in json.loads(chunk.removeprefix("data: "))["choices"]]
        assert "".join(choice["delta"].get("content") or "" for choice in choices) == "hello"


def test_a_stream_that_is_cut_ends_in_an_error(run: Run) -> None:
    status, out, err = run(b"".join(STREAM[:-1]), *TO_CHAT)
    assert status == 1
    assert b'"error"' in out.splitlines()[-2]
    assert "before it was complete" in err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"".join(STREAM), (*TO_CHAT, "--no-stream")),
        (WHOLE, (*TO_CHAT, "--answer")),
        ([CHUNK], ("--from", "google", "--to", "openai", "--answer")),
        (CHUNK, ("--from", "google", "--to", "openai", "--answer", "--provider-type", "vertex_ai")),
    ],
)
def test_a_whole_answer(run: Run, given: object, words: tuple[str, ...]) -> None:
    completion = run.json(given, *words)
    assert completion["object"] == "chat.completion"
    assert completion["choices"][0]["message"]["content"] == "hello"
    assert completion["usage"]["prompt_tokens"] == 3


def test_events_are_written_as_they_come() -> None:
    command = [sys.executable, "-m", "ccproxy", "transform", *TO_CHAT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"".join(STREAM[:3]))
        child.stdin.flush()
        while b'"hello"' not in child.stdout.readline():
            pass
        child.stdin.write(b"".join(STREAM[3:]))
        child.stdin.close()
        assert child.stdout.read().endswith(b"data: [DONE]\n\n")
        assert child.wait(30) == 0


def test_the_table_of_losses(run: Run) -> None:
    assert run(b"", "--losses") == (0, loss_text().encode(), "")


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from ccproxy.cli import main; main(['transform', '--from', 'openai', '--to', 'google']);"
        "print([name for name in ('mitmproxy', 'pydantic_ai', 'mcp', 'httpx') if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(CHAT).encode(), capture_output=True, check=True, timeout=30
    )
    assert ran.stderr == b"[]\n"
