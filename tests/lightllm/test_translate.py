"""What a translated answer does where its writer cannot go on."""

import pytest

from ccproxy.lightllm.codecs import STREAM_WRITERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.events import Begin, BlockDelta, BlockStart, BlockStop, End, Event, Finish
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.translate import AnswerTranslator

MIB = 1 << 20


def plan(client: Dialect, provider: Dialect) -> Plan:
    return Plan(client, FLAVOURS[provider.value], "p", "m", stream=True, seed="0", now=0)


def said(provider: Dialect, events: list[Event]) -> bytes:
    return STREAM_WRITERS[provider](plan(provider, provider)).write(events)


@pytest.mark.parametrize(
    ("client", "kinds", "mark"),
    [(Dialect.OPENAI_RESPONSES, ["text"], b"response.failed"), (Dialect.ANTHROPIC, ["call", "call"], b"event: error")],
)
def test_more_than_a_writer_may_hold_ends_the_answer_for_everybody(
    client: Dialect, kinds: list[str], mark: bytes
) -> None:
    """Responses repeats the whole answer at its end; Anthropic's blocks cannot overlap, so the second one waits."""
    last = len(kinds) - 1
    starts: list[Event] = [BlockStart(n, kind, f"c{n}", "f") for n, kind in enumerate(kinds)]  # type: ignore[arg-type]
    opening: list[Event] = [Begin("r", "m"), *starts]
    opening += [BlockDelta(number, '{"a": "') for number in range(last)]
    deltas: list[Event] = [BlockDelta(last, "x" * MIB)] * 34
    closing: list[Event] = [*(BlockStop(number) for number in range(last + 1)), Finish("stop"), End()]
    translator = AnswerTranslator(plan(client, Dialect.OPENAI), Memory())
    out = translator.feed(said(Dialect.OPENAI, [*opening, *deltas, *closing])) + translator.end()
    whole = b"".join(out)
    assert whole.count(mark) >= 1
    assert not any(done in whole for done in (b"response.completed", b"message_stop", b"[DONE]"))
    assert translator.finished and not translator.complete
    assert translator.failure is not None and translator.failure.status == 502
