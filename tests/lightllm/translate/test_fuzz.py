"""A few inputs of the fuzz target; ``python -m tests.lightllm.fuzz`` does as many as one likes."""

from __future__ import annotations

from tests.lightllm.fuzz import run
from tests.lightllm.translate.samples import FULL


def test_broken_input_breaks_nothing() -> None:
    tally = run(range(20_000 if FULL else 2_000))
    assert tally.faults == {}
    assert set(tally.outcomes) >= {
        "an answer complete",
        "an answer failed",
        "a request refused",
        "a request translated",
    }
