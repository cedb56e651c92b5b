"""Ids and names that one side refuses, ids that a provider does not give, and tools whose argument is free text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ccproxy.lightllm.codecs import REQUEST_READERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Call, Prompt, Result
from ccproxy.lightllm.translate import AnswerTranslator, Leg, Translated, translate_request
from tests.lightllm.translate.conversation import Client
from tests.lightllm.translate.exchange import NOW
from tests.lightllm.translate.fold import fold
from tests.lightllm.translate.params import refused
from tests.lightllm.translate.samples import IDS, PAIRS
from tests.lightllm.translate.scripted import Say, Script, Use, stream

each_pair = pytest.mark.parametrize(("provider", "dialect"), PAIRS, ids=IDS)

STRANGE = ["functions.bash:0", "call_" + "x" * 59, "séance|1", "cc1_not_ours", "a b", "x" * 300]
"""Ids that some dialect refuses, or that look like ours."""


def ask(client: Client, provider: Dialect, memory: Memory) -> Translated:
    body, asked = client.body()
    leg = Leg(FLAVOURS[provider], "upstream", "some-model", "5eed", NOW)
    sent = translate_request(json.loads(json.dumps(body)), client.dialect, asked, leg, memory)
    assert refused(provider, sent.body) == []
    return sent


def answer(client: Client, sent: Translated, data: bytes, memory: Memory) -> None:
    translator = AnswerTranslator(sent.plan, memory)
    client.take(b"".join(translator.feed(data) + translator.end()))


def read(dialect: Dialect, sent: Translated) -> Prompt:
    return REQUEST_READERS[dialect].read(sent.body, Asked("m", True) if dialect is Dialect.GOOGLE else Asked())


def calls_and_results(prompt: Prompt) -> tuple[list[str], list[tuple[str, str | None, str]]]:
    """The ids of the calls, and whose results there are."""
    calls = [part.id for turn in prompt.turns for part in turn.parts if isinstance(part, Call)]
    results = [
        (part.call_id, part.name, "".join(getattr(each, "text", "") for each in part.content))
        for turn in prompt.turns
        for part in turn.parts
        if isinstance(part, Result)
    ]
    return calls, results


@each_pair
def test_a_providers_ids_come_back_to_it(provider: Dialect, dialect: Dialect) -> None:
    client, memory = Client(dialect), Memory()
    client.ask("go")
    uses = [Use(each, f"tool_{number % 4}") for number, each in enumerate(STRANGE)]
    answer(client, ask(client, provider, memory), stream(provider, Script(uses, "tool")), memory)
    shown = [call_id for call_id, _ in client.pending]
    assert len(set(shown)) == len(STRANGE)
    if dialect is Dialect.ANTHROPIC:
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", each) for each in shown)
    client.ask("")
    calls, results = calls_and_results(read(provider, ask(client, provider, memory)))
    for given, came in zip(STRANGE, calls, strict=True):
        plain = re.fullmatch(r"(?!cc1_)[a-zA-Z0-9_-]{1,40}", given)
        if plain or (given == STRANGE[0] and provider is not Dialect.ANTHROPIC):
            assert came == given  # others cannot have been the provider's, or were hashed on their way
    assert [(call_id, text) for call_id, _, text in results] == [
        (call_id, f"result of {one}") for call_id, one in zip(calls, shown, strict=True)
    ]


@pytest.mark.parametrize("dialect", [each for each in Dialect if each is not Dialect.GOOGLE])
def test_calls_without_ids_get_some(dialect: Dialect) -> None:
    client, memory = Client(dialect), Memory()
    for turn in range(2):
        client.ask("go")
        data = stream(Dialect.GOOGLE, Script([Use("", "tool_0"), Use("", "tool_0", '{"path": "b"}')], "tool"))
        sent = ask(client, Dialect.GOOGLE, memory)
        sent = Translated(sent.body, sent.plan, sent.warnings)
        answer(client, sent, data.replace(b'"id": "", ', b""), memory)
        assert len({call_id for call_id, _ in client.pending}) == 2
        assert turn == 0 or client.pending
    client.ask("")
    _, results = calls_and_results(read(Dialect.GOOGLE, ask(client, Dialect.GOOGLE, memory)))
    assert [name for _, name, _ in results] == ["tool_0"] * 4


@pytest.mark.parametrize(
    "name", ["mcp__" + "long_server_name__" * 6, "mcp.server:tool", "server/tool", "0", "名前", "a" * 65, "a" * 129]
)
@each_pair
def test_names_that_a_provider_refuses_come_back_as_the_client_knows_them(
    provider: Dialect, dialect: Dialect, name: str
) -> None:
    client, memory = Client(dialect), Memory()
    client.ask("go")
    body, asked = client.body()
    body = json.loads(json.dumps(body).replace('"tool_1"', json.dumps(name)))
    leg = Leg(FLAVOURS[provider], "upstream", "some-model", "5eed", NOW)
    sent = translate_request(body, dialect, asked, leg, memory)
    names = [str(getattr(tool, "name", "")) for tool in read(provider, sent).tools]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}|0", each) for each in names)
    answer(client, sent, stream(provider, Script([Use("call_1", names[1])], "tool")), memory)
    assert [called for _, called in client.pending] == [name]


GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
CUSTOM: dict[Dialect, dict[str, Any]] = {
    Dialect.OPENAI: {"type": "custom", "custom": {"name": "patch", "description": "Patches."}},
    Dialect.OPENAI_RESPONSES: {"type": "custom", "name": "patch", "description": "Patches.", "format": GRAMMAR},
}
INPUT = '*** Begin\n-"a"\n+"ü\\n"\n*** End'


@pytest.mark.parametrize("provider", [Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.GOOGLE])
def test_codex_calls_its_custom_tools_with_any_provider(provider: Dialect) -> None:
    client, memory = Client(Dialect.OPENAI_RESPONSES), Memory()
    client.ask("go")
    body, asked = client.body()
    body["tools"].append(CUSTOM[Dialect.OPENAI_RESPONSES])
    leg = Leg(FLAVOURS[provider], "upstream", "some-model", "5eed", NOW)
    sent = translate_request(body, client.dialect, asked, leg, memory)
    assert refused(provider, sent.body) == []
    assert "start: /.+/" in json.dumps(sent.body)
    called = Script([Say("Now."), Use("call_1", "patch", json.dumps({"input": INPUT}))], "tool", step=3)
    translator = AnswerTranslator(sent.plan, memory)
    folded = fold(client.dialect, b"".join(translator.feed(stream(provider, called)) + translator.end()))
    message: Any = folded.message
    item = next(each for each in message.output if each.type == "custom_tool_call")
    assert (item.name, item.input) == ("patch", INPUT)
    body["input"] += [{"type": "custom_tool_call", "call_id": item.call_id, "name": "patch", "input": item.input}]
    body["input"] += [{"type": "custom_tool_call_output", "call_id": item.call_id, "output": "done"}]
    sent = translate_request(body, client.dialect, asked, leg, memory)
    assert refused(provider, sent.body) == []
    (call,) = [part for turn in read(provider, sent).turns for part in turn.parts if isinstance(part, Call)]
    assert json.loads(call.arguments) == {"input": INPUT}
    assert calls_and_results(read(provider, sent))[1] == [(call.id, "patch", "done")]
