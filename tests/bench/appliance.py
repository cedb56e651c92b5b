"""What only the daemon has: cold start by activation, memory, growth, and the time that its commands take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.daemon import ROLES, Daemon, daemon
from tests.bench.load import drive
from tests.bench.process import BenchError, proportional, resident
from tests.bench.rounds import Plan
from tests.bench.traffic import Case

_WARM_REQUESTS = 100
_TRAFFIC = Case("json", 1024, 16, True)
_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Appliance:
    """Seconds and MB (10^6 bytes)."""

    cold_starts: list[float]
    """From the first request, sent while no listener runs, to its answer."""
    resident: dict[str, float]
    """Role → resident memory after one request to each."""
    proportional: dict[str, float]
    growth_requests: int
    grown_to: float
    """Resident memory of the listener after these many requests."""
    status: float
    """Median wall time of ``ccproxy status``."""
    flows_list: float
    """Median wall time of ``ccproxy flows list`` over the store that these requests filled."""

    @property
    def cold_start(self) -> float:
        return median(self.cold_starts)

    @property
    def resident_all(self) -> float:
        return sum(self.resident.values())

    @property
    def growth(self) -> float:
        return self.grown_to - self.resident["listener"]


def measure(folder: Path, upstream: int, plan: Plan, note: Callable[[str], None]) -> Appliance:
    """A fresh instance for each cold start; the last one then goes on with the rest."""
    starts: list[float] = []
    for number in range(plan.cold_starts - 1):
        note(f"cold start {number + 1}")
        with daemon(folder / f"cold-{number}", upstream) as instance:
            starts.append(instance.first_answer())
    note("memory")
    with daemon(folder / "appliance", upstream) as instance:
        starts.append(instance.first_answer())
        instance.touch()
        _send(instance, _WARM_REQUESTS)
        pids = {role: instance.pid(role) for role in ROLES}
        before = {role: resident(pid) for role, pid in pids.items()}
        shares = {role: proportional(pid) for role, pid in pids.items()}
        note(f"{plan.growth_requests} requests")
        _send(instance, plan.growth_requests)
        if instance.pid("listener") != pids["listener"]:
            raise BenchError("the listener was restarted under load")
        grown = resident(pids["listener"])
        note("commands")
        status = median(instance.command_s("status") for _ in range(plan.commands))
        listing = median(instance.command_s("flows", "list") for _ in range(plan.commands))
    return Appliance(starts, before, shares, plan.growth_requests, grown, status, listing)


def _send(instance: Daemon, count: int) -> None:
    measured = asyncio.run(drive(instance.port, _TRAFFIC, seconds=_LIMIT_S, most=count))
    if measured.errors:
        raise BenchError(f"{len(measured.errors)} errors, first: {measured.errors[0]}")
    if len(measured.latencies) < count:
        raise BenchError(f"only {len(measured.latencies)} of {count} requests were answered within {_LIMIT_S:g} s")
