"""``python -m tests.bench``: run the benchmark and print what was reached. Exit 1: a run could not be done."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import appliance, goals, machine, report, rounds, translation
from tests.bench.contenders import CONTENDERS, NGINX, provider
from tests.bench.process import BenchError
from tests.bench.rounds import Results
from tests.bench.traffic import cases


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    begun = time.monotonic()

    def note(what: str) -> None:
        print(f"[{time.monotonic() - begun:5.0f} s] {what}", file=sys.stderr, flush=True)

    try:
        _run(arguments, note)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    note("done")
    return 0


def _run(arguments: argparse.Namespace, note: Callable[[str], None]) -> None:
    plan = rounds.QUICK if arguments.quick else rounds.FULL
    names = [name for name in CONTENDERS if name in arguments.contenders]
    if "nginx" in names and NGINX is None:
        note("nginx is not installed (package nginx-light): without it")
        names.remove("nginx")
    chosen = [case for case in cases() if all(word in case.name for word in arguments.only)]
    facts = machine.describe()
    if machine.busy():
        note("this machine is not idle: ratios will be unsteady, processor times less so")
    results = Results()
    daemon, translated, failure = None, None, None
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ccproxy-bench-")))
        upstream = stack.enter_context(provider(folder))
        if chosen:
            with contextlib.ExitStack() as contenders:
                entries = {name: contenders.enter_context(CONTENDERS[name](folder / name, upstream)) for name in names}
                results = asyncio.run(rounds.run(entries, chosen, plan, note))
        if "ccproxy" in names and not arguments.no_appliance:
            try:
                daemon = appliance.measure(folder, upstream, plan, note)
            except BenchError as error:
                failure = error  # what the rounds gave is shown all the same
        if "ccproxy" in names and not arguments.no_translation:
            with CONTENDERS["ccproxy"](folder / "translation", upstream) as entry:
                translated = translation.measure(entry.port, plan.rounds, plan.window_s, note)
    verdicts = goals.compare(results) if results.has("ccproxy", "mitmdump") else []
    verdicts += goals.judge(daemon) if daemon else []
    verdicts += goals.translated(translated) if translated else []
    print(report.text(facts, results, daemon, verdicts))
    for why in translated.errors[:3] if translated else ():
        print(f"translation: {why}")
    for name, count in goals.errors(results).items():
        print(f"{name}: {count} requests FAILED")
    if arguments.json:
        arguments.json.write_text(json.dumps(report.data(facts, results, daemon, verdicts), indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(report.markdown(facts, results, verdicts))
    if failure is not None:
        raise failure


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter windows, fewer rounds: about a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the README's tables there")
    parser.add_argument(
        "--contenders",
        type=lambda names: names.split(","),
        default=list(CONTENDERS),
        metavar="A,B",
        help="only these of " + ", ".join(CONTENDERS),
    )
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="only cases with WORD in the name")
    parser.add_argument("--no-translation", action="store_true", help="no translation")
    parser.add_argument("--no-appliance", action="store_true", help="no cold start, memory and command times")
    return parser


if __name__ == "__main__":
    sys.exit(main())
