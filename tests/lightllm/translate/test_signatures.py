"""Signed thinking over three turns: each signature comes back to its provider byte for byte, and to no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ccproxy.lightllm.codecs import REQUEST_READERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import FOREIGN, Memory, dump_kept, load_kept
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Call, Text, Thought
from ccproxy.lightllm.translate import AnswerTranslator, Leg, Translated, translate_request
from tests.lightllm.translate.conversation import Client
from tests.lightllm.translate.exchange import NOW
from tests.lightllm.translate.samples import DIALECTS, PAIRS
from tests.lightllm.translate.scripted import Say, Script, Think, Use, stream

SIGNING = (Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE)
SIGNED_PAIRS = [(provider, client) for provider, client in PAIRS if provider in SIGNING]
SIGNED_IDS = [f"{provider}-to-{client}" for provider, client in SIGNED_PAIRS]
MODELS = {Dialect.ANTHROPIC: "claude-opus-4-8", Dialect.GOOGLE: "gemini-3-pro-preview"}
MODELS |= {Dialect.OPENAI: "gpt-5.2", Dialect.OPENAI_RESPONSES: "gpt-5.2"}


def signature(provider: str, turn: int, number: int = 0) -> str:
    """Base64, and another one each time."""
    named = f"{provider}{turn}{number}"
    return f"c2ln{named}{'x' * (-len(named) % 4)}"


def turns(dialect: Dialect, provider: str) -> list[Script]:
    """Three answers: calls after thinking and text, parallel calls after two thoughts, and text alone."""

    def signed(turn: int, number: int = 0) -> str:
        return signature(provider, turn, number) if dialect is not Dialect.OPENAI else ""

    if dialect is Dialect.GOOGLE:
        return [
            Script([Think("Look."), Say("I look."), Use("call_1", "tool_0", '{"path": "a"}', signed(1))], "tool"),
            Script([Use("call_2", "tool_1", "{}", signed(2)), Use("call_3", "tool_2", '{"path": "b"}')], "tool"),
            Script([Think("Done."), Say("This is all there is to say.", signed(3))]),
        ]
    redacted = [Think("", signed(2, 1), redacted=True)] if dialect is Dialect.ANTHROPIC else []
    return [
        Script(
            [Think("Look.", signed(1)), Say("I look."), Use("call_1", "tool_0", '{"path": "a"}')],
            "tool",
        ),
        Script(
            [
                Think("Two of them.", signed(2)),
                *redacted,
                Use("call_2", "tool_1", "{}"),
                Use("call_3", "tool_2", '{"path": "b"}'),
            ],
            "tool",
        ),
        Script([Think("Done.", signed(3)), Say("This is all there is to say.")]),
    ]


def ask(client: Client, provider: Dialect, name: str, memory: Memory) -> Translated:
    body, asked = client.body()
    leg = Leg(FLAVOURS[provider], name, MODELS[provider], "5eed", NOW)
    return translate_request(json.loads(json.dumps(body)), client.dialect, asked, leg, memory)


def answer(client: Client, sent: Translated, data: bytes, memory: Memory) -> None:
    translator = AnswerTranslator(sent.plan, memory)
    out = b"".join(translator.feed(data) + translator.end())
    assert translator.complete, translator.failure
    client.take(out)


def reloaded(memory: Memory) -> Memory:
    """The memory after a restart."""
    again = Memory()
    for (provider, key), kept in memory.changed.items():
        again.remember(provider, key, load_kept(dump_kept(kept)))
    return again


def told(dialect: Dialect, body: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """What the assistant has said so far, as the provider reads it."""
    asked = Asked("m", True) if dialect is Dialect.GOOGLE else Asked()
    found: list[tuple[str, str, str | None]] = []
    for turn in REQUEST_READERS[dialect].read(body, asked).turns:
        for part in turn.parts if turn.role == "assistant" else ():
            match part:
                case Thought():
                    found.append(("redacted" if part.redacted else "thought", part.text, part.signature))
                case Text():
                    found.append(("text", part.text, part.signature))
                case Call():
                    found.append((part.name, json.dumps(json.loads(part.arguments)), part.signature))
                case _:
                    raise AssertionError(part)
    return found


def scripted(dialect: Dialect, scripts: list[Script]) -> list[tuple[str, str, str | None]]:
    """The same, as it was said."""
    found: list[tuple[str, str, str | None]] = []
    for block in [block for script in scripts for block in script.blocks]:
        match block:
            case Think() if dialect is Dialect.GOOGLE:
                pass  # thoughts are not sent back, their signatures stand elsewhere
            case Think():
                found.append(("redacted" if block.redacted else "thought", block.text, block.signature))
            case Say():
                found.append(("text", block.text, block.signature or None))
            case Use():
                found.append((block.name, json.dumps(json.loads(block.arguments)), block.signature or None))
    return found


@pytest.mark.parametrize(("provider", "dialect"), SIGNED_PAIRS, ids=SIGNED_IDS)
@pytest.mark.parametrize("careful", [True, False], ids=["careful", "careless"])
@pytest.mark.parametrize("kept", [lambda memory: memory, reloaded], ids=["", "restarted"])
def test_signatures_come_back_in_order(
    provider: Dialect, dialect: Dialect, careful: bool, kept: Callable[[Memory], Memory]
) -> None:
    client, memory = Client(dialect, careful), Memory()
    scripts = turns(provider, "one")
    for number, script in enumerate(scripts):
        client.ask(f"question {number}")
        sent = ask(client, provider, "one", memory)
        assert told(provider, sent.body) == scripted(provider, scripts[:number])
        answer(client, sent, stream(provider, script), memory)
        memory = kept(memory)
    client.ask("and now?")
    sent = ask(client, provider, "one", memory)
    assert told(provider, sent.body) == scripted(provider, scripts)
    data = json.dumps(sent.body)
    assert FOREIGN not in data
    places = [data.index(found) for _, _, found in scripted(provider, scripts) if found]
    assert places == sorted(places) and len(places) >= 3


@pytest.mark.parametrize(("provider", "dialect"), SIGNED_PAIRS, ids=SIGNED_IDS)
def test_the_same_words_twice_are_told_apart(provider: Dialect, dialect: Dialect) -> None:
    """In one conversation, and in another one beside it."""

    def done(turn: int) -> Script:
        signed = signature("one", turn)
        if provider is Dialect.GOOGLE:
            return Script([Say("Done.", signed)])
        return Script([Think(f"thought {turn}", signed), Say("Done.")])

    memory = Memory()
    first, second = Client(dialect), Client(dialect)
    for number, client in enumerate([first, second, first]):
        client.ask(f"question {number}")
        answer(client, ask(client, provider, "one", memory), stream(provider, done(number + 1)), memory)
    for client, answers in ((first, [done(1), done(3)]), (second, [done(2)])):
        client.ask("and now?")
        assert told(provider, ask(client, provider, "one", memory).body) == scripted(provider, answers)


THREE = [(provider, other, client) for provider, client in SIGNED_PAIRS for other in DIALECTS if other is not client]


@pytest.mark.parametrize(("provider", "other", "dialect"), THREE)
def test_no_other_provider_gets_them(provider: Dialect, other: Dialect, dialect: Dialect) -> None:
    """One provider, another one, and the first again; the second may speak the first's dialect."""
    client, memory = Client(dialect), Memory()
    mine, others = turns(provider, "one"), turns(other, "two")
    client.ask("question")
    answer(client, ask(client, provider, "one", memory), stream(provider, mine[0]), memory)
    client.ask("")
    sent = ask(client, other, "two", memory)
    assert _signatures(json.dumps(sent.body), "one") == [] and FOREIGN not in json.dumps(sent.body)
    later = Script([block if not isinstance(block, Use) else _renamed(block) for block in others[1].blocks], "tool")
    answer(client, sent, stream(other, later), memory)
    client.ask("")
    data = json.dumps(ask(client, provider, "one", memory).body)
    assert _signatures(data, "one") == [found for _, _, found in scripted(provider, mine[:1]) if found]
    assert _signatures(data, "two") == [] and FOREIGN not in data
    data = json.dumps(ask(client, other, "two", memory).body)
    assert _signatures(data, "one") == [] and FOREIGN not in data
    assert _signatures(data, "two") == [found for _, _, found in scripted(other, [later]) if found]


@pytest.mark.parametrize(("provider", "dialect"), SIGNED_PAIRS, ids=SIGNED_IDS)
def test_the_same_words_in_another_conversation_bring_nothing_along(provider: Dialect, dialect: Dialect) -> None:
    memory = Memory()
    signed = signature("one", 1)
    one, other = Client(dialect), Client(dialect)
    one.ask("first")
    said = [Say("Done.", signed)] if provider is Dialect.GOOGLE else [Think("Hm.", signed), Say("Done.")]
    answer(one, ask(one, provider, "one", memory), stream(provider, Script(said)), memory)
    other.ask("second")
    answer(other, ask(other, provider, "one", memory), stream(provider, Script([Say("Done.")])), memory)
    other.ask("and now?")
    assert signed not in json.dumps(ask(other, provider, "one", memory).body)
    one.ask("and now?")
    assert signed in json.dumps(ask(one, provider, "one", memory).body)


def _renamed(call: Use) -> Use:
    return Use(f"other_{call.id}", call.name, call.arguments, call.signature)


def _signatures(data: str, provider: str) -> list[str]:
    every = [signature(provider, turn, number) for turn in (1, 2, 3) for number in (0, 1)]
    return sorted((each for each in every if each in data), key=data.index)
