"""The table of what is lost, as Markdown: two tables, one of errors and one of what is left out.

``ccproxy transform --losses`` prints it, and the README has it. Features of the same fate share a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ccproxy.lightllm.loss import LOSS, Fate, table

_HEADING: Final = "| of a request | → Anthropic | → Chat | → Responses | → Gemini |\n|---|:-:|:-:|:-:|:-:|\n"
_WORD: Final[Mapping[Fate, str]] = {Fate.KEPT: "✓", Fate.DROPPED: "–", Fate.REFUSED: "error"}


def loss_text() -> str:
    """Both tables, each with a line that says what its words mean."""
    lost = table()
    errors = {name: fates for name, fates in lost.items() if Fate.REFUSED in fates}
    others = {name: fates for name, fates in lost.items() if Fate.REFUSED not in fates}
    return (
        "Content without a counterpart is an *error* that names the field:\n\n"
        f"{_HEADING}{_rows(errors)}\n"
        "A setting without one is left out (–), with a warning on the flow:\n\n"
        f"{_HEADING}{_rows(others)}"
    )


def _rows(lost: Mapping[str, tuple[Fate, ...]]) -> str:
    grouped: dict[tuple[Fate, ...], list[str]] = {}
    for name, fates in lost.items():
        grouped.setdefault(fates, []).append(name)
    return "".join(
        f"| {_named(names)} | {' | '.join(_WORD[fate] for fate in fates)} |\n" for fates, names in grouped.items()
    )


def _named(names: Iterable[str]) -> str:
    """``a, b (why), c``: what has the same note shares it."""
    noted: dict[str, list[str]] = {}
    for name in names:
        noted.setdefault(LOSS[name].note or name, []).append(f"`{name}`")
    return ", ".join(
        ", ".join(group) if note in LOSS else f"{', '.join(group)} ({note})" for note, group in noted.items()
    )
