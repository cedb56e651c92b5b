"""Broken input for every reader, and for the whole way of an answer and a request: a mutation loop.

    python -m tests.lightllm.fuzz --inputs 1000000

An input is a recording, a script or a request in which bytes, lines, events or JSON values were changed, doubled,
dropped or put in each other's place. Allowed is what is documented: requests end in BadRequest, answers always in a
complete or a failed one, and what a client then gets keeps its dialect's grammar. Everything else is told with the
number of its input, and ``--only N`` does that one again. An input that takes longer than a second is told, too; so is
memory that grows.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm import sse
from ccproxy.lightllm.codecs import STREAM_READERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.translate import AnswerTranslator, Leg, translate_request
from tests.lightllm.recordings import recordings
from tests.lightllm.translate import wire
from tests.lightllm.translate.exchange import NOW, plan
from tests.lightllm.translate.grammar import breaches
from tests.lightllm.translate.pieces import cuts, events
from tests.lightllm.translate.samples import DIALECTS, SCRIPTS
from tests.lightllm.translate.scripted import stream

SLOW_S = 1.0
BLOCK = 2000
"""Inputs that one process does before it says how it went."""
GROWTH_KIB = 200 << 10
LARGEST = 60_000
"""Longest seed, in bytes: of longer recordings the beginning, so that an input costs little."""

SCALARS: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 10**400, -0.0, 1e308, "", " ", "\x00", "\ud800", "a" * 3000, "é"),
    *([], {}, [[]], [{}], [None], {"": None}, {"type": None}, {"type": "text"}, {"type": []}, [0, "x", {}]),
    *("user", "assistant", "system", "tool", "text", "tool_use", "thinking", "function", "error", "data:x;base64,"),
    *("{", '{"a"', '"', "[1", "nul", '{"a": 1}{', "\\u00", "message_stop", "response.completed", "STOP", "tool_calls"),
]
TOKENS = [
    *(b"\n", b"\n\n", b"\r\n", b"\r", b"data: ", b"data:", b"event: error\n", b":", b"[DONE]", b"data: [DONE]\n\n"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b",",
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"null",
        b"0",
        b"-",
    ),
    *(b"null", b"0", b"-", b'"error"', b'"type"', b"1e999", b"\\ud800", b"{}", b"[]"),
]


@functools.cache
def seeds() -> tuple[dict[Dialect, list[bytes]], dict[Dialect, list[Any]]]:
    """Streams and requests to start from."""
    streams = {dialect: [stream(dialect, script) for script in SCRIPTS.values()] for dialect in DIALECTS}
    given = json.loads(Path(__file__).with_name("translate").joinpath("requests.json").read_text())
    requests: dict[Dialect, list[Any]] = {dialect: [given[dialect]] for dialect in DIALECTS}
    try:
        for each in recordings():
            streams[each.dialect].append(each.stream[:LARGEST])
            if each.request is not None and len(each.request) <= LARGEST:
                requests[each.dialect].append(json.loads(each.request))
    except pytest.skip.Exception:
        pass  # the scripts will do
    return streams, requests


@dataclass(slots=True)
class Tally:
    """How some inputs went."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Where → how often, the first input, and what it said."""
    slowest_s: float = 0.0
    slowest: int = -1
    peak_kib: int = 0

    def add(self, other: Tally) -> None:
        """Put another tally in."""
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        for where, (count, first, text) in other.faults.items():
            known, earlier, said = self.faults.get(where, (0, first, text))
            self.faults[where] = (known + count, min(first, earlier), said if earlier <= first else text)
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest = other.slowest_s, other.slowest
        self.peak_kib = max(self.peak_kib, other.peak_kib)

    def fault(self, number: int, where: str, text: str) -> None:
        """Note what must not be."""
        count, first, said = self.faults.get(where, (0, number, text))
        self.faults[where] = (count + 1, first, said)


def run(numbers: range, seed: int = 0) -> Tally:
    """The inputs of these numbers."""
    tally = Tally()
    for number in numbers:
        began = time.perf_counter()
        try:
            for outcome, fault in one(number, seed):
                tally.outcomes[outcome] += 1
                if fault:
                    tally.fault(number, f"{outcome}: {fault[:60]}", fault)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {last.filename.rpartition('/src/')[2]}:{last.lineno}"
            tally.fault(number, where, "".join(traceback.format_exception(error)[-6:])[:2000])
        took = time.perf_counter() - began
        if took > tally.slowest_s:
            tally.slowest_s, tally.slowest = took, number
        if took > SLOW_S:
            tally.fault(number, "slow", f"{took:.1f} s")
        tally.inputs += 1
    tally.peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return tally


def one(number: int, seed: int, tell: Callable[..., None] | None = None) -> Iterator[tuple[str, str]]:
    """One input: what came of it, and what is wrong with that. ``tell`` gets the input itself."""
    chance = random.Random(f"{seed}/{number}")
    dialect = chance.choice(DIALECTS)
    other = chance.choice([each for each in DIALECTS if each is not dialect])
    streams, requests = seeds()
    if chance.random() < 0.4:
        body = changed(chance, chance.choice(requests[dialect]))
        if tell is not None:
            tell(dialect, "to", other, json.dumps(body))
        yield _request(chance, dialect, other, body), ""
        return
    data = chance.choice(streams[dialect])
    whole = chance.random() < 0.3
    if whole:
        data = json.dumps(changed(chance, _document(chance, dialect, data))).encode()
    if not whole or chance.random() < 0.2:
        data = broken(chance, window(chance, data))
    if tell is not None:
        tell(dialect, "to", other, data.decode("utf-8", "backslashreplace"))
    yield from _answer(chance, dialect, other, data, tell)


def _request(chance: random.Random, client: Dialect, target: Dialect, body: Any) -> str:
    if not isinstance(body, dict):
        return "no object"
    flavour = chance.choice([each for each in FLAVOURS.values() if each.dialect is target])
    asked = Asked("m", chance.random() < 0.5) if client is Dialect.GOOGLE else Asked()
    try:
        sent = translate_request(body, client, asked, Leg(flavour, "p", "m", "5eed", NOW), Memory())
    except BadRequest as error:
        assert str(error), "an error that says nothing"
        return "a request refused"
    json.dumps(sent.body)
    return "a request translated"


def _answer(
    chance: random.Random, source: Dialect, target: Dialect, data: bytes, tell: Callable[..., None] | None
) -> Iterator[tuple[str, str]]:
    if chance.random() < 0.25:
        yield "the order of a reader", _order(source, data)
    live = chance.random() < 0.8
    array = live and target is Dialect.GOOGLE and chance.random() < 0.3
    translator = AnswerTranslator(plan(source, target, stream=live, array=array), Memory())
    out = []
    for chunk in cuts(data, [chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 1, 9)))]):
        out += translator.feed(chunk)
    out += translator.end()
    assert b"" not in out, "an empty chunk"
    assert translator.finished, "an answer without an end"
    outcome = "an answer complete" if translator.complete else "an answer failed"
    if not live:
        if translator.complete:
            json.dumps(translator.document())
        yield outcome, ""
        return
    if tell is not None:
        tell("gives", b"".join(out).decode())
    found = wire.check(target, b"".join(out), array=array)
    if found.complete is not translator.complete:
        found.breaches.append("complete for one, and not for the other")
    yield outcome, f"{target}: {found.breaches[0]}" if found.breaches else ""


def _order(source: Dialect, data: bytes) -> str:
    """What is wrong with the order of the events that a reader gives."""
    reader = STREAM_READERS[source]()
    told = [event for each in sse.SseParser().feed(data + b"\n\n") for event in reader.feed(each)]
    found = breaches(told + reader.end(), whole=False)
    return f"{source}: {found[0]}" if found else ""


def _document(chance: random.Random, dialect: Dialect, data: bytes) -> Any:
    """Some JSON of the dialect: an event's data, or the answer in it."""
    found: Any = {}
    for event in chance.sample(events(data), k=min(3, len(events(data)))):
        line = event.partition(b"data:")[2].strip()
        try:
            found = json.loads(line)
        except ValueError:
            continue
        found = found.get("response") or found.get("message") or found if isinstance(found, dict) else found
    if dialect is Dialect.OPENAI and isinstance(found, dict):
        for choice in found.get("choices") or []:
            choice["message"] = choice.pop("delta", {})
    return found


def window(chance: random.Random, data: bytes) -> bytes:
    """A stream of at most some forty events: the first ones, some of the middle, the last ones."""
    found = events(data)
    if len(found) <= 40:
        return data
    start = chance.randrange(3, len(found) - 30)
    return b"".join(found[:3] + found[start : start + 30] + found[-3:])


def broken(chance: random.Random, data: bytes) -> bytes:
    """The stream with some changes."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        found = events(data)
        at, to = (chance.randrange(len(found)) for _ in range(2)) if found else (0, 0)
        match chance.randrange(8):
            case 0 if found:
                del found[at]
            case 1 if found:
                found.insert(to, found[at])
            case 2 if found:
                found[at], found[to] = found[to], found[at]
            case 3 | 4 | 5 if found:
                found[at] = _event(chance, found[at])
            case 6:
                place = chance.randrange(len(data) + 1)
                data = data[:place] + chance.choice(TOKENS) + data[place + chance.choice((0, 0, 1, 5)) :]
                continue
            case _:
                data = data[: chance.randrange(len(data) + 1)]
                continue
        data = b"".join(found)
    return data


def _event(chance: random.Random, event: bytes) -> bytes:
    head, colon, line = event.partition(b"data:")
    try:
        value = json.loads(line)
    except ValueError:
        return event
    return head + colon + b" " + json.dumps(changed(chance, value)).encode() + b"\n\n"


def changed(chance: random.Random, value: Any) -> Any:
    """The value with some changes somewhere in it; what is given stays as it is."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = list(_places(value))
        if not places:
            return _scalar(chance)
        holder, key = chance.choice(places)
        match chance.randrange(7):
            case 0 | 1:
                holder[key] = _scalar(chance)
            case 2:
                del holder[key]
            case 3:
                from_holder, from_key = chance.choice(places)
                holder[key] = json.loads(json.dumps(from_holder[from_key]))
            case 4 if isinstance(holder, list):
                holder.insert(key, json.loads(json.dumps(holder[key])))
            case 5 if isinstance(holder, dict):
                holder[chance.choice([*holder, "type", "role", "content", "id", "x"])] = holder.pop(key)
            case _:
                for _ in range(chance.choice((1, 2, 400))):
                    holder[key] = {"a": holder[key]} if chance.random() < 0.5 else [holder[key]]
    return value


def _scalar(chance: random.Random) -> Any:
    return json.loads(json.dumps(chance.choice(SCALARS)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder of a value with the key that it is under."""
    below = [value] if isinstance(value, dict | list) else []
    while below:
        holder = below.pop()
        for key, each in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            yield holder, key
            if isinstance(each, dict | list):
                below.append(each)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this input alone, with its traceback")
    given = parser.parse_args(argv)
    if given.only is not None:
        for outcome, fault in one(given.only, given.seed, tell=print):
            print(outcome, fault)
        return 0
    began = time.monotonic()
    tally = Tally()
    first_kib = 0
    blocks = [range(at, min(at + BLOCK, given.inputs)) for at in range(0, given.inputs, BLOCK)]
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run, block, given.seed) for block in blocks]):
            found = done.result()
            tally.add(found)
            if tally.inputs >= 10 * BLOCK and not first_kib:
                first_kib = tally.peak_kib
            print(f"{tally.inputs:9,} inputs, {len(tally.faults)} kinds of faults", file=sys.stderr, flush=True)
    took = time.monotonic() - began
    print(f"{tally.inputs:,} inputs in {took:.0f} s, seed {given.seed}: {dict(tally.outcomes)}")
    print(f"slowest {tally.slowest_s:.2f} s (input {tally.slowest}), largest process {tally.peak_kib >> 10} MiB")
    grown = first_kib and tally.peak_kib - first_kib > GROWTH_KIB
    if grown:
        print(f"memory grew from {first_kib >> 10} MiB")
    for where, (count, first, text) in sorted(tally.faults.items(), key=lambda each: -each[1][0]):
        print(f"\n{count} × {where}, first input {first}\n{text}")
    return 1 if tally.faults or grown else 0


if __name__ == "__main__":
    sys.exit(main())
