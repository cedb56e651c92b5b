"""What was sent is sent again byte for byte, with what is new behind it: providers cache prompts by their prefix."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.loss import Untranslatable
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.translate import AnswerTranslator, Leg, Translated, translate_request
from tests.lightllm.translate.bodies import body_of
from tests.lightllm.translate.conversation import Client
from tests.lightllm.translate.exchange import NOW
from tests.lightllm.translate.samples import FULL, IDS, PAIRS
from tests.lightllm.translate.scripted import Say, Script, Think, Use, stream
from tests.lightllm.translate.talk import Answered, Talk, common, talks
from tests.lightllm.translate.test_requests import some

MODELS: dict[Dialect, tuple[str, ...]] = {
    Dialect.ANTHROPIC: ("claude-opus-4-8", "claude-sonnet-4-5"),
    Dialect.OPENAI: ("gpt-5.2", "deepseek-chat"),
    Dialect.OPENAI_RESPONSES: ("gpt-5.2",),
    Dialect.GOOGLE: ("gemini-3-pro-preview", "gemini-2.5-flash"),
}
TURNS = {Dialect.OPENAI_RESPONSES: "input", Dialect.GOOGLE: "contents"}
HEAD = ("model", "system", "systemInstruction", "instructions", "tools", "tool_choice", "toolConfig")


def prefix(target: Dialect, body: dict[str, Any]) -> tuple[bytes, list[bytes]]:
    """What stands before the turns, and the turns. Anthropic's marks move along, they are no part of the prompt."""
    head = {key: body.get(key) for key in HEAD}
    turns = body[TURNS.get(target, "messages")]
    return _bytes(head), [_bytes(turn) for turn in turns]


def _bytes(value: Any) -> bytes:
    return json.dumps(_unmarked(value)).encode()


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(each) for key, each in value.items() if key != "cache_control"}
    return [_unmarked(each) for each in value] if isinstance(value, list) else value


def assert_grows(target: Dialect, bodies: Iterable[dict[str, Any]]) -> None:
    """Each begins with all of the one before."""
    before: tuple[bytes, list[bytes]] | None = None
    for body in bodies:
        now = prefix(target, body)
        if before is not None:
            assert now[0] == before[0]
            assert now[1][: len(before[1])] == before[1]
        before = now


def translated(body: dict[str, Any], client: Dialect, asked: Asked, target: Dialect, model: str) -> Translated:
    leg = Leg(FLAVOURS[target], "upstream", model, "5eed", NOW)
    return translate_request(body, client, asked, leg, Memory())


@pytest.mark.parametrize(("client", "target"), PAIRS, ids=IDS)
@some
@given(talk=talks())
def test_a_history_that_grows(client: Dialect, target: Dialect, talk: Talk) -> None:
    said = [place for place, step in enumerate(talk.steps) if isinstance(step, Answered)]
    for model in MODELS[target]:
        bodies = []
        for end in [*said, len(talk.steps)]:
            body, asked = body_of(
                client, common(replace(talk, steps=talk.steps[:end], choice=None, budget=None), client, client)
            )
            try:
                bodies.append(translated(body, client, asked, target, model).body)
            except Untranslatable:
                break
        assert_grows(target, bodies)


def script(chance: random.Random, provider: Dialect, number: int) -> Script:
    """An answer. Models say the same few words again and again, before calls and at the end."""
    signed = provider is not Dialect.OPENAI
    google = provider is Dialect.GOOGLE
    blocks: list[Think | Say | Use] = []
    if chance.random() < 0.7:
        blocks.append(Think(f"Thought {number}.", f"c2lnbmVk{number:04}" if signed and not google else ""))
    calls = chance.choice([0, 0, 1, 1, 2, 3])
    if not calls or chance.random() < 0.7:
        signature = f"c2lndGV4{number:04}" if google and chance.random() < 0.5 else ""
        blocks.append(Say(chance.choice(["Done.", "Let me look."]), signature))
    for each in range(calls):
        own = f"c2lnY2Fs{number:04}" if google and each == 0 and chance.random() < 0.7 else ""
        blocks.append(Use(f"call_{number}_{each}", f"tool_{each}", json.dumps({"path": "a" * each}), own))
    return Script(blocks, "tool" if calls else "stop")


@pytest.mark.parametrize(("provider", "dialect"), PAIRS, ids=IDS)
@pytest.mark.parametrize("careful", [True, False], ids=["careful", "careless"])
def test_a_conversation_that_grows(provider: Dialect, dialect: Dialect, careful: bool) -> None:
    for seed in range(40 if FULL else 4):
        chance, memory, bodies = random.Random(seed), Memory(), []
        client = Client(dialect, careful)
        for number in range(10):
            client.ask(chance.choice(["go on", f"question {number}"]))
            body, asked = client.body()
            leg = Leg(FLAVOURS[provider], "one", MODELS[provider][0], f"5eed{number}", NOW)
            sent = translate_request(json.loads(json.dumps(body)), dialect, asked, leg, memory)
            bodies.append(sent.body)
            translator = AnswerTranslator(sent.plan, memory)
            data = stream(provider, script(chance, provider, number))
            client.take(b"".join(translator.feed(data) + translator.end()))
        assert_grows(provider, bodies)


@pytest.mark.parametrize("target", [Dialect.OPENAI, Dialect.OPENAI_RESPONSES])
def test_that_json_is_wanted_is_said_again(target: Dialect) -> None:
    """OpenAI's models must be told the word, which the answer may have in it."""
    said = [{"role": "user", "parts": [{"text": "go"}]}, {"role": "model", "parts": [{"text": "JSON: {}"}]}]
    config = {"responseMimeType": "application/json"}
    bodies = [{"generationConfig": config, "contents": contents} for contents in (said[:1], [*said, said[0]])]
    asked = Asked("m", True)
    assert_grows(target, (translated(body, Dialect.GOOGLE, asked, target, "gpt-5.2").body for body in bodies))


def test_models_that_want_thoughts_with_each_call_get_them() -> None:
    """DeepSeek and Kimi answer 400 to a call without, and Gemini CLI does not send back what was thought."""
    call = {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "ls", "args": {}}}]}
    result = {"role": "user", "parts": [{"functionResponse": {"id": "c", "name": "ls", "response": {"output": "a"}}}]}
    body = {"contents": [{"role": "user", "parts": [{"text": "go"}]}, call, result]}
    for model, wanted in (("deepseek-v4-pro", ""), ("moonshotai/Kimi-K2.6", ""), ("mistral-large", None)):
        sent = translated(body, Dialect.GOOGLE, Asked("m", True), Dialect.OPENAI, model).body
        messages: Any = sent["messages"]
        assert messages[1].get("reasoning_content") == wanted
