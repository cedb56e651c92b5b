"""The streams that the tests translate: recordings, where there are any, and scripts."""

from __future__ import annotations

import functools
import os
import zlib
from dataclasses import dataclass

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.recordings import recordings
from tests.lightllm.translate.fold import fold
from tests.lightllm.translate.folded import Folded, Unfoldable
from tests.lightllm.translate.scripted import Say, Script, Think, Use, stream

DIALECTS = tuple(Dialect)
PAIRS = [(source, target) for source in DIALECTS for target in DIALECTS if source is not target]
"""Source, the provider's, and target, the client's."""
IDS = [f"{source}-to-{target}" for source, target in PAIRS]

FULL = os.environ.get("CCPROXY_TEST_FULL") == "1"
"""All cuts of all streams, and more random requests; otherwise a sample, always the same."""

SIGNATURE = "c2lnbmF0dXJlOiBieXRlcyA4MC4uOTE="
LONG = 'Ein "langer" Text: \\ und / und \n neue Zeile, ümlaut, 漢字, 🏳️‍🌈. ' * 3
ARGUMENTS = '{"path": "C:\\\\x\\u00e9\\ud83d\\ude00.txt", "n": -1.5e3, "list": [1, null, {"a": []}], "text": "a\\nb"}'

SCRIPTS = {
    "text": Script([Say(LONG)]),
    "one character at a time": Script([Say(LONG)], step=1),
    "nothing": Script([]),
    "thinking and text": Script([Think("First this. " * 9, SIGNATURE), Say("So.")]),
    "redacted thinking": Script([Think("", SIGNATURE, redacted=True), Say("So.")]),
    "thinking and a call": Script([Think("Call it.", SIGNATURE), Use("call_1", "read", ARGUMENTS)], "tool"),
    "text and a call": Script([Say("I look."), Use("toolu_1", "read", ARGUMENTS)], "tool"),
    "calls": Script([Use(f"call_{n}", f"tool_{n}", ARGUMENTS) for n in range(4)], "tool", step=3),
    "a call without arguments": Script([Use("call_1", "now")], "tool"),
    "text after thinking, twice": Script(
        [Think("One.", SIGNATURE), Say("Eins."), Think("Two.", SIGNATURE + "AA"), Say("Zwei.")]
    ),
    "text cut off": Script([Say(LONG[:50])], "length"),
    "filtered": Script([Say("I begin")], "filtered"),
    "without a cache": Script([Say("Hello.")], cached=False),
    "refusal": Script([Say("I will not.", refusal=True)]),
    "signed text": Script([Say("Signed.", SIGNATURE)]),
    "signed call": Script([Say("I look."), Use("call_1", "read", ARGUMENTS, SIGNATURE)], "tool"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A stream, and what its own SDK makes of it."""

    name: str
    dialect: Dialect
    stream: bytes
    folded: Folded | None
    """None: the SDK cannot read it."""


@functools.cache
def scripts(dialect: Dialect) -> tuple[Sample, ...]:
    """The scripts as a provider of this dialect streams them."""
    return tuple(_sample(name, dialect, stream(dialect, script)) for name, script in SCRIPTS.items())


def recorded(dialect: Dialect) -> tuple[Sample, ...]:
    """The recordings of a dialect. Skips the calling test where there are none."""
    recordings()
    return _recorded(dialect)


@functools.cache
def _recorded(dialect: Dialect) -> tuple[Sample, ...]:
    return tuple(_sample(each.name, dialect, each.stream) for each in recordings() if each.dialect is dialect)


def some_of(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """All of them, or a third, always the same."""
    return samples if FULL else tuple(each for each in samples if zlib.crc32(each.name.encode()) % 3 == 0)


def _sample(name: str, dialect: Dialect, data: bytes) -> Sample:
    try:
        return Sample(name, dialect, data, fold(dialect, data))
    except Unfoldable:
        return Sample(name, dialect, data, None)
