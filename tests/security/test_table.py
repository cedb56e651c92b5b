"""The package's table of threats names guards and tests that there are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import tests.security

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
THREATS = re.split(r"^Threat (\d+): .*$", tests.security.__doc__ or "", flags=re.MULTILINE)
ROW = re.compile(
    r"(?P<guards>\S+(?:, \S+)*) +(?P<seen>[a-z]+(?: in)?) +(?P<file>[\w/]+): (?P<test>\w+)(?P<case>\[.*\])?"
)
ROWS = [(line, ROW.fullmatch(line)) for text in THREATS[2::2] for line in text.strip().splitlines()]
NO_CODE = ("uv.lock", "pyproject.toml", "site-packages/*.pth")


def is_there(guard: str) -> bool:
    """A function, a constant or a class of a module, or a function of one of its classes."""
    module, _, name = guard.rpartition(".")
    for package in ("ccproxy", "ccproxy.listener"):
        try:
            found = vars(importlib.import_module(f"{package}.{module}"))
        except ModuleNotFoundError:
            continue
        if name in found or any(name in vars(each) for each in found.values() if isinstance(each, type)):
            return True
    return False


def test_every_threat_of_the_floor_has_a_guard() -> None:
    assert list(map(int, THREATS[1::2])) == [1, 2, 3, 5, 6, 7, 8, 9, 16, 18, 19]
    assert all(text.strip() for text in THREATS[2::2])


@pytest.mark.parametrize(("line", "row"), ROWS, ids=[" ".join(line.split()) for line, _ in ROWS])
def test_a_row_is_about_something(line: str, row: re.Match[str] | None) -> None:
    assert row is not None, line
    for guard in row["guards"].split(", "):
        assert guard in NO_CODE or is_there(guard), guard
    folder, _, name = row["file"].rpartition("/")
    file = HERE / f"test_{name}.py"
    if folder or not file.exists():
        file = ROOT / "tests" / folder / f"test_{name}.py"
    assert re.search(rf"^(async )?def test_{row['test']}\(", file.read_text(), re.MULTILINE), row["test"]
    assert row["seen"] in (tests.security.__doc__ or "").partition("Threat 1:")[0]
