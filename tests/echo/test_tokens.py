from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.echo.tokens import count, fragments, pieces


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("word", 1), ("words", 2), ("say pong", 2), ("a b c", 3), ("a\n", 2), ("  ", 1), ("é€😀界界", 2)],
)
def test_count(text: str, tokens: int) -> None:
    assert count(text) == tokens


@given(st.text(), st.integers(1, 9))
def test_pieces_and_fragments_lose_nothing(text: str, most: int) -> None:
    assert "".join(pieces(text)) == "".join(fragments(text, most)) == text
    assert len(fragments(text, most)) <= most
    assert all(fragments(text, most))
