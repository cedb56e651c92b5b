"""Random answers, cut anywhere, from each dialect to each other: what was said is what is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy.lightllm import sse
from ccproxy.lightllm.codecs import STREAM_READERS
from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate import grammar, wire
from tests.lightllm.translate.exchange import buffered, plan, translated
from tests.lightllm.translate.fold import Folded, fold, fold_document
from tests.lightllm.translate.models import invalid_document, invalid_events
from tests.lightllm.translate.pieces import cuts
from tests.lightllm.translate.samples import FULL, IDS, PAIRS
from tests.lightllm.translate.scripted import Say, Script, Think, Use, stream
from tests.lightllm.translate.talk import base64s, documents, names

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
arguments = st.dictionaries(names, documents, max_size=4).map(
    lambda found: json.dumps(found, ensure_ascii=len(found) % 2 == 0)
)
calls = st.builds(Use, st.uuids().map(lambda each: f"call_{each.hex[:12]}"), names, arguments, base64s)
blocks = st.lists(
    st.builds(Think, texts, base64s) | st.builds(Say, texts) | calls,
    max_size=7,
    unique_by=lambda block: block.id if isinstance(block, Use) else id(block),
)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """An answer, complete by itself or cut off by the limit."""
    said = draw(blocks)
    called = any(isinstance(block, Use) for block in said)
    return Script(
        said,
        stop="tool" if called else draw(st.sampled_from(["stop", "length"])),
        input=draw(st.integers(60, 10**6)),
        output=draw(st.integers(0, 10**5)),
        cached=draw(st.booleans()),
        step=draw(st.sampled_from([1, 2, 7, 1000])),
    )


def meant(script: Script) -> tuple[object, ...]:
    """What the script says."""
    return (
        "".join(block.text for block in script.blocks if isinstance(block, Say)),
        "".join("".join(block.text for block in script.blocks if isinstance(block, Think)).split()),
        [(block.name, json.loads(block.arguments)) for block in script.blocks if isinstance(block, Use)],
        script.stop,
        (script.input, script.output, 60 if script.cached else 0),
    )


def got(folded: Folded) -> tuple[object, ...]:
    """The same of what an SDK has read."""
    thinking = "".join(folded.thinking.split())
    return folded.text, thinking, folded.calls, folded.stop, (folded.input, folded.output, folded.cache_read)


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=IDS)
@settings(
    max_examples=100 if FULL else 10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(script=scripts(), chance=st.randoms(use_true_random=False))
def test_what_is_said_is_read(source: Dialect, target: Dialect, script: Script, chance: object) -> None:
    data = stream(source, script)
    pick = chance.randrange  # type: ignore[attr-defined]
    chunks = cuts(data, [pick(len(data)) for _ in range(pick(12))])

    reader = STREAM_READERS[source]()
    told = [event for each in sse.SseParser().feed(data) for event in reader.feed(each)]
    assert grammar.breaches(told + reader.end()) == []

    out = translated(plan(source, target), chunks)
    assert out == translated(plan(source, target), [data])
    found = wire.check(target, out)
    assert found.breaches == []
    assert invalid_events(target, found.events) == []
    assert got(fold(target, out)) == meant(script)

    whole = buffered(plan(source, target, stream=False), chunks)
    assert whole is not None
    assert invalid_document(target, whole) == []
    assert got(fold_document(target, whole)) == meant(script)
