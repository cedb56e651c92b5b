"""The goals, and whether they were met. Pure: results in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from tests.bench.appliance import Appliance
from tests.bench.rounds import FIRST_EVENT, P50, THROUGHPUT, Results
from tests.bench.traffic import Case
from tests.bench.translation import Pair, Translation

LATENCY_RATIO = 1.3
THROUGHPUT_RATIO = {1024: 0.8, 102_400: 0.6}
FIRST_EVENT_S = 0.001
COLD_START_S = 2.5
LISTENER_MB = 150.0
ALL_MB = 280.0
GROWTH_MB = 30.0
EVENT_US = 40.0
EVENT_MEDIAN_US = 25.0
REQUEST_S = 0.003
TRANSLATED_S = 0.001
VOLLEY_RATIO = 0.45
IMPORT_S = 0.1
COMMAND_S = 0.4


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal in one situation."""

    goal: str
    where: str
    limit: float
    """At most, or at least, this."""
    reached: float
    unit: Literal["×", "µs", "ms", "s", "MB"]
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Not a number is never met."""
        return self.reached >= self.limit if self.at_least else self.reached <= self.limit

    @property
    def word(self) -> str:
        return "met" if self.met else "MISSED"


def compare(results: Results) -> list[Verdict]:
    """ccproxy beside plain mitmdump, case by case."""
    verdicts: list[Verdict] = []
    for case in results.turns:
        if case.kind == "json":
            ratio = results.ratio(case, "ccproxy", "mitmdump", P50)
            verdicts.append(Verdict("median latency", case.name, LATENCY_RATIO, ratio, "×"))
    for case in results.turns:
        if case.kind == "json" and case.concurrency > 1:
            ratio = results.ratio(case, "ccproxy", "mitmdump", THROUGHPUT)
            verdicts.append(Verdict("throughput", case.name, THROUGHPUT_RATIO[case.size], ratio, "×", at_least=True))
    for case in results.turns:
        if case.kind == "sse":
            later = results.difference(case, "ccproxy", "mitmdump", FIRST_EVENT)
            verdicts.append(Verdict("first event, later by", case.name, FIRST_EVENT_S * 1e3, later * 1e3, "ms"))
    return verdicts


def judge(appliance: Appliance) -> list[Verdict]:
    """The daemon by itself."""
    sent = f"over {appliance.growth_requests:,} requests"
    return [
        Verdict("cold start to first answer", "by activation", COLD_START_S, appliance.cold_start, "s"),
        Verdict("resident memory", "listener", LISTENER_MB, appliance.resident["listener"], "MB"),
        Verdict("resident memory", "all three", ALL_MB, appliance.resident_all, "MB"),
        Verdict("growth of the listener", sent, GROWTH_MB, appliance.growth, "MB"),
        Verdict("ccproxy status", "wall", COMMAND_S, appliance.status, "s"),
        Verdict("ccproxy flows list", "wall", COMMAND_S, appliance.flows_list, "s"),
    ]


def translated(found: Translation) -> list[Verdict]:
    """Translation, beside the same traffic untranslated."""
    pair, event_s = max(found.event_s.items(), key=lambda item: item[1])
    asked, request_s = max(found.request_s.items(), key=lambda item: item[1])
    small = found.difference(lambda client: found.whole[client]) * 1e3
    verdicts = [
        Verdict("translated event, processor", _named(pair), EVENT_US, event_s * 1e6, "µs"),
        Verdict(
            "translated event, processor",
            "median of pairs",
            EVENT_MEDIAN_US,
            median(found.event_s.values()) * 1e6,
            "µs",
        ),
        Verdict("translated request, 100 KB", _named(asked), REQUEST_S * 1e3, request_s * 1e3, "ms"),
        Verdict("translated answer, later by", "JSON, 1 KB, c=1, kept", TRANSLATED_S * 1e3, small, "ms"),
    ]
    later = found.difference(lambda client: found.first[client]) * 1e3
    lag = found.difference(lambda client: found.lag_p99[client]) * 1e3
    return [
        *verdicts,
        Verdict("translated stream, later by", "first event, c=1, kept", TRANSLATED_S * 1e3, later, "ms"),
        Verdict("translated stream, lag more by", "99 %, 20 ms apart, c=16", TRANSLATED_S * 1e3, lag, "ms"),
        Verdict("translated events per second", "500 at once, c=16", VOLLEY_RATIO, found.rate, "×", at_least=True),
        Verdict("start of the listener, longer by", "import", IMPORT_S, found.import_s, "s"),
    ]


def _named(pair: Pair) -> str:
    client, provider = pair
    return f"{client} client, {provider} provider"


def errors(results: Results) -> dict[str, int]:
    """Contender → requests that failed, where there were any."""
    found: dict[str, int] = {}
    for turns in results.turns.values():
        for name, rounds in turns.items():
            if count := sum(turn.errors for turn in rounds):
                found[name] = found.get(name, 0) + count
    return found


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that is furthest on the wrong side of its limit."""
    return max(verdicts, key=lambda v: v.limit - v.reached if v.at_least else v.reached - v.limit)


def of_kind(results: Results, kind: str) -> list[Case]:
    return [case for case in results.turns if case.kind == kind]
