"""The results for people (text, Markdown) and for programs (JSON)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.appliance import Appliance
from tests.bench.goals import Verdict, of_kind, worst
from tests.bench.rounds import CPU, EVENTS_PER_S, FIRST_EVENT, LAG_P50, LAG_P99, P50, THROUGHPUT, Quantity, Results
from tests.bench.traffic import Case

type Table = list[list[str]]


def text(machine: Mapping[str, str], results: Results, appliance: Appliance | None, verdicts: Sequence[Verdict]) -> str:
    """Everything, as aligned tables."""
    parts = ["  ".join(f"{name}: {value}" for name, value in machine.items())]
    parts += [f"{title}\n{aligned(table)}" for title, table in tables(results)]
    if appliance is not None:
        parts.append(f"Memory in MB (10^6 bytes)\n{aligned(_memory(appliance))}")
    if verdicts:
        parts.append(f"Goals\n{aligned(_goals(verdicts))}")
        missed = sum(not verdict.met for verdict in verdicts)
        parts.append(f"{len(verdicts) - missed} met, {missed} MISSED" if missed else f"all {len(verdicts)} met")
    return "\n\n".join(parts) + "\n"


def markdown(machine: Mapping[str, str], results: Results, verdicts: Sequence[Verdict]) -> str:
    """For the README: the goals, each by its worst case, the tables below, the machine at the end."""
    groups: dict[tuple[str, float], list[Verdict]] = {}
    for verdict in verdicts:
        single = verdict.where if verdict.goal == "resident memory" else ""
        groups.setdefault((verdict.goal + single, verdict.limit), []).append(verdict)
    rows = [["goal", "limit", "reached (worst case)", "where", "verdict"]]
    for group in groups.values():
        bad = worst(group)
        met = sum(verdict.met for verdict in group)
        word = bad.word if len(group) == 1 or met == len(group) else f"MISSED in {len(group) - met} of {len(group)}"
        rows.append([bad.goal, _limit(bad), _reached(bad), bad.where, word])
    parts = [_pipes(rows)] if verdicts else []
    parts += [f"{title}:\n\n{_pipes(table)}" for title, table in tables(results)]
    parts.append("Machine: " + ", ".join(f"{name} {value}" for name, value in machine.items()) + ".")
    return "\n\n".join(parts) + "\n"


def data(
    machine: Mapping[str, str], results: Results, appliance: Appliance | None, verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """Every number of every round. Seconds, MB."""
    return {
        "machine": dict(machine),
        "turns": {
            case.name: {name: [_finite(asdict(turn)) for turn in rounds] for name, rounds in turns.items()}
            for case, turns in results.turns.items()
        },
        "appliance": asdict(appliance) if appliance else None,
        "verdicts": [_finite({**asdict(verdict), "met": verdict.met}) for verdict in verdicts],
    }


def tables(results: Results) -> list[tuple[str, Table]]:
    """The tables of the rounds: title, rows with their head."""
    found = [
        ("Buffered answers: median latency in ms (lowest–highest round)", _latency(results)),
        ("Buffered answers: requests per second", _throughput(results)),
        ("Buffered answers: processor time of the proxy in ms for one request", _cpu(results)),
        ("Streams of 20 events, 10 ms apart: first event in ms (lowest–highest round)", _first_event(results)),
        ("Streams: lag of an event in ms, median / 99 %", _lag(results)),
        ("Bursts of 5000 events: events per second", _burst(results)),
    ]
    return [(title, table) for title, table in found if len(table) > 1]


def aligned(table: Table) -> str:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for first, *rest in table:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(["", first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def _pipes(table: Table) -> str:
    head, *rows = table
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def _names(results: Results) -> list[str]:
    return list(next(iter(results.turns.values()), {}))


def _compared(results: Results) -> bool:
    return results.has("ccproxy", "mitmdump")


def _latency(results: Results) -> Table:
    table = [["", *_names(results), *(["ccproxy / mitmdump"] if _compared(results) else [])]]
    for case in of_kind(results, "json"):
        row = [case.name, *(_spread(results, case, name, P50) for name in _names(results))]
        if _compared(results):
            row.append(f"{results.ratio(case, 'ccproxy', 'mitmdump', P50):.2f}")
        table.append(row)
    return table


def _throughput(results: Results) -> Table:
    table = [["", *_names(results), *(["ccproxy / mitmdump"] if _compared(results) else [])]]
    for case in of_kind(results, "json"):
        row = [case.name, *(f"{results.value(case, name, THROUGHPUT):,.0f}" for name in _names(results))]
        if _compared(results):
            row.append(f"{results.ratio(case, 'ccproxy', 'mitmdump', THROUGHPUT):.2f}")
        table.append(row)
    return table


def _cpu(results: Results) -> Table:
    names = [name for name in _names(results) if name != "direct"]
    table = [["", *names, *(["ccproxy / mitmdump"] if _compared(results) else [])]]
    for case in of_kind(results, "json") if names else []:
        row = [case.name, *(f"{results.value(case, name, CPU) * 1e3:.2f}" for name in names)]
        if _compared(results):
            row.append(f"{results.ratio(case, 'ccproxy', 'mitmdump', CPU):.2f}")
        table.append(row)
    return table


def _first_event(results: Results) -> Table:
    table = [["", *_names(results), *(["ccproxy - mitmdump"] if _compared(results) else [])]]
    for case in of_kind(results, "sse"):
        row = [case.name, *(_spread(results, case, name, FIRST_EVENT) for name in _names(results))]
        if _compared(results):
            row.append(f"{results.difference(case, 'ccproxy', 'mitmdump', FIRST_EVENT) * 1e3:+.2f}")
        table.append(row)
    return table


def _lag(results: Results) -> Table:
    table = [["", *_names(results)]]
    for case in of_kind(results, "sse"):
        lags = [[results.value(case, name, part) * 1e3 for part in (LAG_P50, LAG_P99)] for name in _names(results)]
        table.append([case.name, *(f"{middle:.2f} / {high:.2f}" for middle, high in lags)])
    return table


def _burst(results: Results) -> Table:
    table = [["", *_names(results)]]
    for case in of_kind(results, "burst"):
        table.append([case.name, *(f"{results.value(case, name, EVENTS_PER_S):,.0f}" for name in _names(results))])
    return table


def _memory(appliance: Appliance) -> Table:
    head = ["", *appliance.resident, "together"]
    rows = [("resident", appliance.resident), ("proportional", appliance.proportional)]
    table = [[name, *(f"{v:.0f}" for v in part.values()), f"{sum(part.values()):.0f}"] for name, part in rows]
    after = f"listener after {appliance.growth_requests:,} requests"
    return [head, *table, [after, f"{appliance.grown_to:.0f}", "", "", ""]]


def _goals(verdicts: Sequence[Verdict]) -> Table:
    head = ["", "where", "limit", "reached", ""]
    return [head, *([v.goal, v.where, _limit(v), _reached(v), v.word] for v in verdicts)]


def _limit(verdict: Verdict) -> str:
    return f"{'≥' if verdict.at_least else '≤'} {verdict.limit:g} {verdict.unit}"


def _reached(verdict: Verdict) -> str:
    return f"{verdict.reached:.1f} {verdict.unit}" if verdict.unit == "MB" else f"{verdict.reached:.2f} {verdict.unit}"


def _spread(results: Results, case: Case, name: str, of: Quantity) -> str:
    rounds = [of(turn) * 1e3 for turn in results.turns[case][name]]
    return f"{results.value(case, name, of) * 1e3:.2f} ({min(rounds):.2f}–{max(rounds):.2f})"


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no not-a-number."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}
