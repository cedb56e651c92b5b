"""The rounds: every case, every contender in turn, the medians over the rounds."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median

from tests.bench.contenders import Entry
from tests.bench.load import Measured, drive, quantile
from tests.bench.process import BenchError, cpu_s
from tests.bench.traffic import Case

# Between two turns: a store thread that still writes is done, timers of closed connections have fired.
_SETTLE_S = 0.05
# Streams end by number; so long may all of a turn take.
_STREAMS_S = 10.0
# In one turn: each leaves a port in TIME_WAIT.
_NEW_CONNECTIONS = 1500


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a run takes."""

    rounds: int
    window_s: float
    """Of one turn with buffered answers."""
    streams: Mapping[int, int]
    """Concurrency → streams in one turn."""
    bursts: int
    growth_requests: int
    cold_starts: int
    commands: int = 7


FULL = Plan(rounds=5, window_s=0.6, streams={1: 4, 16: 32}, bursts=3, growth_requests=20_000, cold_starts=5)
QUICK = Plan(rounds=3, window_s=0.15, streams={1: 1, 16: 16}, bursts=1, growth_requests=2_000, cold_starts=2)


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender in one round of one case. Seconds."""

    requests: int
    p50: float
    p90: float
    p99: float
    throughput: float
    first_event: float
    lag_p50: float
    lag_p99: float
    events_per_s: float
    errors: int
    cpu: float
    """Processor time of the contender for one request, its work after the answer included; nan: not measured."""

    @classmethod
    def of(cls, measured: Measured, cpu_s: float) -> Turn:
        return cls(
            requests=len(measured.latencies),
            p50=quantile(measured.latencies, 0.5),
            p90=quantile(measured.latencies, 0.9),
            p99=quantile(measured.latencies, 0.99),
            throughput=measured.throughput,
            first_event=quantile(measured.first_events, 0.5),
            lag_p50=quantile(measured.lags, 0.5),
            lag_p99=quantile(measured.lags, 0.99),
            events_per_s=measured.events_per_s,
            errors=len(measured.errors),
            cpu=cpu_s / measured.answers,
        )


type Quantity = Callable[[Turn], float]
"""What to take of a turn."""

P50: Quantity = attrgetter("p50")
THROUGHPUT: Quantity = attrgetter("throughput")
FIRST_EVENT: Quantity = attrgetter("first_event")
LAG_P50: Quantity = attrgetter("lag_p50")
LAG_P99: Quantity = attrgetter("lag_p99")
EVENTS_PER_S: Quantity = attrgetter("events_per_s")
CPU: Quantity = attrgetter("cpu")


@dataclass(slots=True)
class Results:
    """Every turn: case → contender → rounds in order."""

    turns: dict[Case, dict[str, list[Turn]]] = field(default_factory=dict)

    def value(self, case: Case, contender: str, of: Quantity) -> float:
        """The median over the rounds."""
        return median(of(turn) for turn in self.turns[case][contender])

    def ratio(self, case: Case, contender: str, base: str, of: Quantity) -> float:
        """The median of the rounds' ratios."""
        pairs = zip(self.turns[case][contender], self.turns[case][base], strict=True)
        return median(of(one) / of(other) for one, other in pairs)

    def difference(self, case: Case, contender: str, base: str, of: Quantity) -> float:
        """The median of the rounds' differences."""
        pairs = zip(self.turns[case][contender], self.turns[case][base], strict=True)
        return median(of(one) - of(other) for one, other in pairs)

    def has(self, *contenders: str) -> bool:
        return all(name in turns for turns in self.turns.values() for name in contenders)


async def run(entries: Mapping[str, Entry], cases: Sequence[Case], plan: Plan, note: Callable[[str], None]) -> Results:
    """All rounds. Raises BenchError where a contender answers nothing."""
    results = Results({case: {name: [] for name in entries} for case in cases})
    for number in range(plan.rounds):
        note(f"round {number + 1} of {plan.rounds}")
        for case in cases:
            for name, entry in entries.items():
                before = _cpu_s(entry)
                measured = await drive(entry.port, case, seconds=_window_s(case, plan), most=_most(case, plan))
                if not measured.latencies:
                    raise BenchError(f"{name} answered nothing in {case.name}: {measured.errors[:3]}")
                for error in measured.errors[:2]:
                    note(f"{name}, {case.name}: {error}")
                await asyncio.sleep(_SETTLE_S)
                results.turns[case][name].append(Turn.of(measured, _cpu_s(entry) - before))
    return results


def _cpu_s(entry: Entry) -> float:
    return math.nan if entry.pid is None else cpu_s(entry.pid)


def _window_s(case: Case, plan: Plan) -> float:
    return plan.window_s if case.kind == "json" else _STREAMS_S


def _most(case: Case, plan: Plan) -> int:
    match case.kind:
        case "json":
            return 1_000_000 if case.keep else _NEW_CONNECTIONS
        case "sse":
            return plan.streams[case.concurrency]
        case "burst" | "paced" | "volley":
            return plan.bursts
