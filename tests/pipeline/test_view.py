"""The typed view through the Context; what each wire format makes of it is tested with ``lightllm.view``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart

from ccproxy.pipeline.context import Context
from ccproxy.pipeline.extras import NotJson
from ccproxy.pipeline.hook import hook
from ccproxy.pipeline.run import run
from tests.pipeline.ask import ask, planned, ticks

RAW = (
    b'{ "model":"m", "system" : "Be kind.",\n "messages": [{"role":"user","content":"one"} , '
    b'{"role":"assistant","content":"two"}],"tools":[{"name":"t","description":"d","input_schema":{"type":"object"}}] }'
)
OPENAI = b'{"messages": [{"role":"system","content":"Be kind."},{"role":"user","content":"one"}]}'


def user(text: str) -> ModelRequest:
    return ModelRequest([UserPromptPart(text)])


def test_reading_changes_no_byte() -> None:
    ctx = ask(RAW)
    assert len(ctx.messages) == 2
    assert [part.content for part in ctx.system] == ["Be kind."]
    assert [tool.name for tool in ctx.tools] == ["t"]
    assert ctx.messages is ctx.messages
    assert ctx.settle() == []
    assert ctx.body is RAW


def test_a_change_in_place_is_written_where_it_was_made() -> None:
    ctx = ask(RAW)
    message = ctx.messages[0]
    assert isinstance(message, ModelRequest)
    message.parts = [UserPromptPart("1")]
    assert ctx.settle() == ["messages"]
    assert ctx.body == RAW.replace(b'"one"', b'"1"')


def test_parts_can_be_replaced() -> None:
    ctx = ask(RAW)
    ctx.messages = [user("only")]
    ctx.system = [SystemPromptPart("Be brief.")]
    ctx.tools = []
    assert sorted(ctx.settle()) == ["messages", "system", "tools"]
    written = json.loads(ctx.body)
    assert (written["model"], written["system"]) == ("m", "Be brief.")
    assert [message["role"] for message in written["messages"]] == ["user"]
    assert not written.get("tools")


def test_two_parts_that_share_an_array_on_the_wire() -> None:
    ctx = ask(OPENAI, path="/v1/chat/completions")
    ctx.messages.append(user("two"))
    ctx.system = [SystemPromptPart("Be brief.")]
    ctx.settle()
    assert [message["content"] for message in json.loads(ctx.body)["messages"]] == ["Be brief.", "one", "two"]


def test_the_raw_body_shows_what_the_view_says() -> None:
    ctx = ask(RAW)
    ctx.messages.pop()
    assert len(json.loads(ctx.body)["messages"]) == 1
    assert ctx.extras.get("messages.1") is None
    ctx.messages.pop()  # the list is still the one that counts
    assert ctx.json is not None
    assert ctx.extras.get("messages") == []


def test_a_raw_write_loses_nothing_and_ends_the_view() -> None:
    ctx = ask(RAW)
    ctx.messages.pop()
    ctx.extras.set("messages.0.content", "raw")
    (message,) = ctx.messages
    assert "raw" in repr(message)
    assert ctx.settle() == []
    assert json.loads(ctx.body)["messages"] == [{"role": "user", "content": "raw"}]


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]"])
def test_without_an_object_the_view_is_empty(body: bytes) -> None:
    ctx = ask(body)
    assert (ctx.messages, ctx.system, ctx.tools) == ([], [], [])
    assert ctx.settle() == []
    assert ctx.body is body


def test_a_request_of_no_known_wire_format_has_no_messages() -> None:
    ctx = ask(RAW, path="/v1/embeddings")
    assert ctx.messages == []
    ctx.messages.append(user("x"))
    with pytest.raises(NotJson, match="no known wire format"):
        ctx.settle()


def test_the_runner_writes_the_view_and_undoes_a_failure() -> None:
    @hook(writes=["ctx.messages"])
    def shortens(ctx: Context, params: object) -> None:
        ctx.messages.pop()

    @hook(writes=["ctx.messages"])
    def fails(ctx: Context, params: object) -> None:
        ctx.messages.clear()
        raise ValueError

    @hook(writes=["ctx.messages"])
    def misplaces(ctx: Context, params: object) -> None:
        ctx.messages.append(object())  # type: ignore[arg-type]

    ctx = ask(RAW)
    results = run(planned(shortens, fails, misplaces), ctx, timer=ticks())
    assert [result.status for result in results] == ["ok", "error", "error"]
    assert json.loads(ctx.body)["messages"] == [{"role": "user", "content": "one"}]
    assert len(ctx.messages) == 1


def test_another_model_in_the_body_or_in_the_path() -> None:
    ctx = ask(RAW)
    ctx.model = "n"
    assert (ctx.model, ctx.body) == ("n", RAW.replace(b'"m"', b'"n"'))
    google = ask(b"{}", path="/v1beta/models/m:generateContent?alt=sse")
    google.model = "n"
    assert (google.model, google.path) == ("n", "/v1beta/models/n:generateContent?alt=sse")
    assert google.body == b"{}"


def test_the_built_in_hooks_do_not_import_pydantic_ai() -> None:
    code = """
import sys
from ccproxy.config.hooks import BUILT, entries
from ccproxy.pipeline.load import load
from ccproxy.pipeline.run import run
from tests.pipeline.ask import ask, ticks
ctx = ask({"system": "x", "metadata": {"user_id": "a_session_b"}}, ("anthropic-version", "1"))
assert [r.status for r in run(load(entries(*BUILT), []).inbound, ctx, timer=ticks())] == ["ok"] * 4
heavy = {"pydantic_ai", "mitmproxy", "glom", "httpx"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
