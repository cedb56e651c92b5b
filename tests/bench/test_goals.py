"""Verdicts are decided by the medians of the rounds, and a value that is missing is never good."""

from __future__ import annotations

import pytest

from tests.bench import report
from tests.bench.appliance import Appliance
from tests.bench.goals import Verdict, compare, errors, judge, worst
from tests.bench.load import quantile
from tests.bench.rounds import P50, Results, Turn
from tests.bench.traffic import Case, cases, messages_body

SMALL = Case("json", 1024, 16, True)
STREAM = Case("sse", 1024, 1, False)


def turn(p50: float = 0.0, throughput: float = 0.0, first_event: float = 0.0, failed: int = 0) -> Turn:
    return Turn(1, p50, p50, p50, throughput, first_event, 0.0, 0.0, 0.0, failed, p50)


def appliance(**changed: object) -> Appliance:
    values: dict[str, object] = {
        "cold_starts": [1.0, 2.0, 9.0],
        "resident": {"listener": 150.0, "sidecar": 70.0, "mcp": 60.0},
        "proportional": {"listener": 120.0, "sidecar": 40.0, "mcp": 30.0},
        "growth_requests": 20_000,
        "grown_to": 180.0,
        "status": 0.4,
        "flows_list": 0.41,
    }
    return Appliance(**{**values, **changed})  # type: ignore[arg-type]


def test_a_slow_round_of_the_machine_does_not_decide() -> None:
    base, own = [turn(1.0), turn(10.0), turn(1.0)], [turn(1.2), turn(12.0), turn(50.0)]
    results = Results({SMALL: {"mitmdump": base, "ccproxy": own}})
    assert results.ratio(SMALL, "ccproxy", "mitmdump", P50) == pytest.approx(1.2)
    assert results.value(SMALL, "ccproxy", P50) == 12.0


@pytest.mark.parametrize(("own", "met"), [(turn(1.3, 80.0), [True, True]), (turn(1.31, 79.0), [False, False])])
def test_latency_and_throughput_beside_mitmdump(own: Turn, met: list[bool]) -> None:
    results = Results({SMALL: {"mitmdump": [turn(1.0, 100.0)], "ccproxy": [own]}})
    assert [verdict.met for verdict in compare(results)] == met


@pytest.mark.parametrize(("later", "word"), [(0.0009, "met"), (0.0011, "MISSED"), (float("nan"), "MISSED")])
def test_the_first_event_may_come_one_millisecond_later(later: float, word: str) -> None:
    results = Results({STREAM: {"mitmdump": [turn(first_event=0.002)], "ccproxy": [turn(first_event=0.002 + later)]}})
    assert [verdict.word for verdict in compare(results)] == [word]


def test_the_daemon_by_itself() -> None:
    words = {(verdict.goal, verdict.where): verdict.met for verdict in judge(appliance())}
    assert words == {
        ("cold start to first answer", "by activation"): True,
        ("resident memory", "listener"): True,
        ("resident memory", "all three"): True,
        ("growth of the listener", "over 20,000 requests"): True,
        ("ccproxy status", "wall"): True,
        ("ccproxy flows list", "wall"): False,
    }


def test_misses_and_failed_requests_are_shown() -> None:
    results = Results({SMALL: {"mitmdump": [turn(1.0, 100.0)], "ccproxy": [turn(2.0, 40.0, failed=3)]}})
    verdicts = compare(results)
    assert report.text({}, results, None, verdicts).count("MISSED") == 3
    assert "| median latency | ≤ 1.3 × | 2.00 × |" in report.markdown({}, results, verdicts)
    assert errors(results) == {"ccproxy": 3}


def test_the_worst_case_of_a_goal() -> None:
    low = Verdict("throughput", "a", 0.8, 0.7, "×", at_least=True)
    high = Verdict("throughput", "b", 0.8, 0.9, "×", at_least=True)
    assert worst([high, low]) is low


def test_quantiles_by_nearest_rank() -> None:
    assert [quantile([3.0, 1.0, 2.0], q) for q in (0.0, 0.5, 0.99)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_requests_have_the_size_that_they_claim(case: Case) -> None:
    head, _, body = case.request.partition(b"\r\n\r\n")
    assert len(body) == case.size
    assert f"Content-Length: {case.size}".encode() in head
    assert body == messages_body(case.size, stream=case.kind != "json")
