"""The README's table of what is lost is the one that is in force."""

from __future__ import annotations

import re
from pathlib import Path

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.loss import LOSS, Fate, fate
from ccproxy.lightllm.loss_text import loss_text

README = Path(__file__).parents[2] / "README.md"
ORDER = (Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE)


def test_the_readme_has_it() -> None:
    assert loss_text() in README.read_text(), "put what `ccproxy transform --losses` prints into the README"


def test_every_loss_is_in_it_once_with_its_fate() -> None:
    words = {"✓": Fate.KEPT, "–": Fate.DROPPED, "error": Fate.REFUSED}
    found: dict[str, list[Fate]] = {}
    for line in loss_text().splitlines():
        names, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in words:
            bare = re.sub(r"\([^)]*\)", "", names)
            for name in re.findall(r"`([^`]+)`", bare):
                assert name not in found
                found[name] = [words[cell] for cell in cells]
    assert set(found) == {name for name, row in LOSS.items() if set(row.fates) != {Fate.KEPT}}
    assert all(fates == [fate(name, target) for target in ORDER] for name, fates in found.items())


def test_every_note_is_in_it() -> None:
    for name, row in LOSS.items():
        if set(row.fates) != {Fate.KEPT} and row.note:
            assert f"({row.note})" in loss_text(), name
