"""What translation costs: processor time in the core, pair by pair, and time on the wire through the daemon.

The core is measured alone, on streams that its own writers make. On the wire an OpenAI client asks a provider of
Anthropic's format, beside an Anthropic client that asks the same provider, in turn.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import permutations
from statistics import median

from pydantic_core import from_json

from ccproxy.lightllm.codecs import STREAM_WRITERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import Begin, BlockDelta, BlockStart, BlockStop, Counts, End, Event, Finish
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked, Plan
from ccproxy.lightllm.translate import AnswerTranslator, Leg, translate_request
from tests.bench.load import Measured, drive, quantile
from tests.bench.traffic import Case, Client, messages_body

type Pair = tuple[Dialect, Dialect]
"""The client's format and the provider's."""

PAIRS: list[Pair] = list(permutations(Dialect, 2))
_REPEATS = 5
_MODEL = "claude-sonnet-5-5"
_BODY = 100 * 1024
_IMPORT = """
import time
import json, hashlib, base64, re, dataclasses, pydantic_core
import ccproxy.lightllm.failure, ccproxy.lightllm.tap, ccproxy.lightllm.usage, ccproxy.lightllm.sse
begun = time.perf_counter()
import ccproxy.lightllm.translate
print(time.perf_counter() - begun)
"""


@dataclass(slots=True)
class Translation:
    """Seconds, or what the name says."""

    event_s: dict[Pair, float] = field(default_factory=dict)
    """Processor time for one event of the provider's, each fed alone."""
    request_s: dict[Pair, float] = field(default_factory=dict)
    """Processor time for a request of 100 KB and 40 messages, from bytes to bytes."""
    import_s: float = 0.0
    whole: dict[Client, list[float]] = field(default_factory=dict)
    """Median latency of a small buffered answer, by round; as are the next ones."""
    first: dict[Client, list[float]] = field(default_factory=dict)
    """The first event of a stream."""
    events_per_s: dict[Client, list[float]] = field(default_factory=dict)
    lag_p99: dict[Client, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def difference(self, of: Callable[[Client], list[float]]) -> float:
        """The median of the rounds' differences, translated less untranslated."""
        return median(one - other for one, other in zip(of("openai"), of("anthropic"), strict=True))

    @property
    def rate(self) -> float:
        """Events per second of a volley, translated over untranslated."""
        pairs = zip(self.events_per_s["openai"], self.events_per_s["anthropic"], strict=True)
        return median(one / other for one, other in pairs)


def core() -> Translation:
    """The core alone."""
    found = Translation()
    for client, provider in PAIRS:
        found.event_s[client, provider] = min(_stream_s(client, provider) for _ in range(_REPEATS))
        found.request_s[client, provider] = min(_request_s(client, provider) for _ in range(_REPEATS))
    done = [
        subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, timeout=30, check=True)
        for _ in range(_REPEATS)
    ]
    found.import_s = min(float(one.stdout) for one in done)
    return found


async def wire(found: Translation, port: int, rounds: int, window_s: float, note: Callable[[str], None]) -> None:
    """Through a daemon, whose provider is the benchmark's."""
    for number in range(rounds):
        note(f"translation, round {number + 1} of {rounds}")
        for client in ("anthropic", "openai"):

            async def turn(kind: str, concurrency: int, most: int, client: Client = client) -> Measured:
                case = Case(kind, 1024, concurrency, True, client)  # type: ignore[arg-type]
                measured = await drive(port, case, seconds=window_s if kind == "json" else 10.0, most=most)
                found.errors += measured.errors
                return measured

            small = await turn("json", 1, 1_000_000)
            found.whole.setdefault(client, []).append(quantile(small.latencies, 0.5))
            streams = await turn("sse", 1, 12)
            found.first.setdefault(client, []).append(quantile(streams.first_events, 0.5))
            volley = await turn("volley", 16, 64)
            found.events_per_s.setdefault(client, []).append(volley.throughput)
            paced = await turn("paced", 16, 16)
            found.lag_p99.setdefault(client, []).append(quantile(paced.lags, 0.99))


def _events() -> Iterator[Event]:
    yield Begin("resp_1", _MODEL, 1_790_000_000)
    for index, (kind, count) in enumerate((("thinking", 100), ("text", 300))):
        yield BlockStart(index, kind)  # type: ignore[arg-type]
        for number in range(count):
            yield BlockDelta(index, f" word {number} of “this” \n")
        yield BlockStop(index)
    yield BlockStart(2, "call", "call_1", "read_file")
    yield BlockDelta(2, '{"path": "')
    for number in range(98):
        yield BlockDelta(2, f"part-{number}/")
    yield BlockDelta(2, '"}')
    yield BlockStop(2)
    yield Finish("tool")
    yield Counts(Usage(250, 64, 100, 0, 20))
    yield End()


def _plan(client: Dialect, provider: Dialect) -> Plan:
    flavour = FLAVOURS[provider.value]
    return Plan(client, flavour, "bench", _MODEL, stream=True, seed="0", now=0)


def recorded(provider: Dialect) -> list[bytes]:
    """A stream of the provider's, event by event."""
    writer = STREAM_WRITERS[provider](_plan(provider, provider))
    data = b"".join(writer.write([event]) for event in _events())
    return [piece + b"\n\n" for piece in data.split(b"\n\n") if piece]


def _stream_s(client: Dialect, provider: Dialect) -> float:
    pieces = recorded(provider)
    begun = time.process_time()
    translator = AnswerTranslator(_plan(client, provider), Memory())
    for piece in pieces:
        translator.feed(piece)
    translator.end()
    took = time.process_time() - begun
    assert translator.complete, translator.failure
    return took / len(pieces)


def _request_s(client: Dialect, provider: Dialect) -> float:
    body = json.loads(messages_body(_BODY, stream=True))
    asked = Asked(_MODEL, True) if client is Dialect.GOOGLE else Asked()
    if client is not Dialect.ANTHROPIC:
        body = translate_request(body, Dialect.ANTHROPIC, Asked(), _leg(client), Memory()).body
    data = json.dumps(body).encode()
    begun = time.process_time()
    sent = translate_request(from_json(data), client, asked, _leg(provider), Memory())
    json.dumps(sent.body, separators=(",", ":"), ensure_ascii=False).encode()
    return time.process_time() - begun


def _leg(provider: Dialect) -> Leg:
    return Leg(FLAVOURS[provider.value], "bench", _MODEL, "0", 0)


def measure(port: int, rounds: int, window_s: float, note: Callable[[str], None]) -> Translation:
    """Everything."""
    note("translation, the core")
    found = core()
    asyncio.run(wire(found, port, rounds, window_s, note))
    return found
