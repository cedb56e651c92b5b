"""What a client asks for reaches a provider of any dialect, and nothing that it would refuse does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ccproxy.lightllm.codecs import REQUEST_READERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.loss import Untranslatable, sift
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Prompt, Thought, Tool
from ccproxy.lightllm.translate import Leg, Translated, translate_request
from tests.lightllm.recordings import recordings
from tests.lightllm.translate.bodies import body_of
from tests.lightllm.translate.core import core, has_neighbours
from tests.lightllm.translate.exchange import NOW
from tests.lightllm.translate.params import refused
from tests.lightllm.translate.samples import DIALECTS, FULL, IDS, PAIRS
from tests.lightllm.translate.talk import Talk, common, model_for, prompt_of, talks

each_pair = pytest.mark.parametrize(("client", "target"), PAIRS, ids=IDS)
some = settings(
    max_examples=100 if FULL else 8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def sent(body: dict[str, Any], client: Dialect, asked: Asked, target: Dialect, model: str = "some-model") -> Translated:
    """The request as a provider of ``target`` gets it. It goes through JSON, as on the wire."""
    leg = Leg(FLAVOURS[target], "upstream", model, "5eed", NOW)
    found = translate_request(body, client, asked, leg, Memory())
    assert json.loads(json.dumps(found.body)) == found.body
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
@some
@given(talk=talks())
def test_a_request_is_read_as_it_was_meant(dialect: Dialect, talk: Talk) -> None:
    talk = common(talk, dialect, dialect)
    body, asked = body_of(dialect, talk)
    meant = prompt_of(talk)
    exact = not has_neighbours(meant)
    assert core(REQUEST_READERS[dialect].read(body, asked), exact=exact) == core(meant, exact=exact)


@each_pair
@some
@given(talk=talks())
def test_what_both_can_say_gets_there_and_back(client: Dialect, target: Dialect, talk: Talk) -> None:
    talk = common(talk, client, target)
    meant = prompt_of(talk)
    exact = not has_neighbours(meant)
    want = core(meant, exact=exact)

    body, asked = body_of(client, talk)
    there = sent(body, client, asked, target, model_for(target, talk))
    assert there.warnings == ()
    assert there.plan.stream is talk.stream
    asked = Asked("m", talk.stream) if target is Dialect.GOOGLE else Asked()
    assert core(REQUEST_READERS[target].read(there.body, asked), exact=exact) == want

    back = sent(there.body, target, asked, client, model_for(client, talk))
    asked = Asked("m", talk.stream) if client is Dialect.GOOGLE else Asked()
    assert core(REQUEST_READERS[client].read(back.body, asked), exact=exact) == want


@each_pair
@some
@given(talk=talks())
def test_no_provider_gets_what_it_would_refuse(client: Dialect, target: Dialect, talk: Talk) -> None:
    body, asked = body_of(client, common(talk, client, client))
    try:
        there = sent(body, client, asked, target)
    except Untranslatable as error:
        assert str(error).partition(":")[0]
        return
    assert refused(target, there.body) == []


@pytest.mark.parametrize(
    ("target", "model", "key", "limit"),
    [
        (Dialect.OPENAI, "gpt-4o", "max_tokens", 16384),
        (Dialect.OPENAI, "gpt-5.2", "max_tokens", 128_000),
        (Dialect.OPENAI_RESPONSES, "gpt-4.1-mini", "max_output_tokens", 32768),
        (Dialect.GOOGLE, "gemini-2.5-flash", "maxOutputTokens", 65535),
        (Dialect.GOOGLE, "tuned-7", "maxOutputTokens", 128_000),
    ],
)
def test_no_more_is_asked_for_than_a_model_writes(target: Dialect, model: str, key: str, limit: int) -> None:
    """Claude Code asks for 128,000 tokens whatever the model; most models answer 400 to that."""
    body = {"model": "m", "max_tokens": 128_000, "messages": [{"role": "user", "content": "hi"}]}
    there: dict[str, Any] = sent(body, Dialect.ANTHROPIC, Asked(), target, model).body
    assert there.get("generationConfig", there)[key] == limit


@each_pair
def test_no_provider_gets_what_it_would_refuse_of_recorded_requests(client: Dialect, target: Dialect) -> None:
    faults: dict[str, list[str]] = {}
    total = translated = 0
    for recording in recordings():
        if recording.dialect is not client or recording.request is None:
            continue
        asked = Asked("m", True) if client is Dialect.GOOGLE else Asked()
        total += 1
        try:
            there = sent(json.loads(recording.request), client, asked, target)
        except Untranslatable as error:
            assert re.match(r"[\w.]+( \(\w+\))?: ", str(error)), error
            continue
        translated += 1
        if wrong := refused(target, there.body):
            faults[recording.name] = wrong
    assert faults == {}
    assert translated > total * 0.6


@each_pair
def test_recorded_requests_keep_their_turns_and_tools(client: Dialect, target: Dialect) -> None:
    """But for what the table of losses takes, and thoughts without a signature."""

    def kept(prompt: Prompt) -> tuple[object, object]:
        turns = [
            replace(turn, parts=tuple(p for p in turn.parts if not isinstance(p, Thought))) for turn in prompt.turns
        ]
        tools = [(tool.name, tool.description or "") for tool in prompt.tools if isinstance(tool, Tool)]
        return core(replace(prompt, turns=tuple(turns)), exact=False)["turns"], tools

    model = "claude-opus-4-8" if target is Dialect.ANTHROPIC else "some-model"
    for recording in recordings():
        if recording.dialect is not client or recording.request is None:
            continue
        asked = Asked("m", True) if client is Dialect.GOOGLE else Asked()
        body = json.loads(recording.request)
        try:
            there = sent(body, client, asked, target, model)
        except Untranslatable:
            continue
        given, _ = sift(REQUEST_READERS[client].read(body, asked), target)
        asked = Asked("m", True) if target is Dialect.GOOGLE else Asked()
        assert kept(REQUEST_READERS[target].read(there.body, asked)) == kept(given), recording.name


def test_recorded_requests_are_read_in_full() -> None:
    """Nothing that a true client sends is unknown; the test names what is."""
    unknown = {}
    for recording in recordings():
        if recording.request is not None:
            asked = Asked("m", True) if recording.dialect is Dialect.GOOGLE else Asked()
            read = REQUEST_READERS[recording.dialect].read(json.loads(recording.request), asked)
            unknown |= {knob.at: recording.name for knob in read.knobs if knob.name == "unknown"}
    assert set(unknown) <= NOT_KNOWN


NOT_KNOWN = {"moderation", "reasoning_format", "toolConfig.includeServerSideToolInvocations"}
"""Of one provider: the moderation of a chat by OpenAI, Groq's format, what Google tells of its own tools."""
