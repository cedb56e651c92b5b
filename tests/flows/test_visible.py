"""No captured text acts on a terminal."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from ccproxy.flows.visible import one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten", "over\\x0dwritten"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("half \ud800", "half \\ud800"),
        ("plain\n\ttext, Größe, 漢字, 🙂", "plain\n\ttext, Größe, 漢字, 🙂"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_no_control_character_at_all_is_left():
    every = "".join(map(chr, range(sys.maxunicode + 1)))

    left = {
        c for c in visible(every) if unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in _BIDI
    }
    assert left == {"\n", "\t"}


_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("short", 8, "short"), ("exactly8", 8, "exactly8"), ("longer than", 8, "longer …"), ("a\nb\tc", 8, "a\\nb c")],
)
def test_one_line(text, width, shown):
    assert one_line(text, width) == shown
