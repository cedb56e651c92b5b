"""What may be a credential."""

from __future__ import annotations

import pytest

from ccproxy.auth.token import SourceFailure, clean_token


@pytest.mark.parametrize(
    ("raw", "token"),
    [(b"sk-1", "sk-1"), (b"  sk-1\r\n", "sk-1"), (b"a b=", "a b="), ("schlüssel".encode(), "schlüssel")],
)
def test_token_is_stripped(raw: bytes, token: str):
    assert clean_token(raw) == token


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"sk-secret\nsecond", "more than one line"),
        (b"sk-secret\r\nx-evil: 1", "more than one line"),
        (b"sk-secret\0", "control character"),
        (b"sk-sec\x7fret", "control character"),
        (b"sk-sec\x1b[31mret", "control character"),
        ("sk-secret\u0085x".encode(), "control character"),
        ("\ufeffsk-secret".encode(), "outside latin-1"),
        (b"sk-secret\xff", "not UTF-8"),
    ],
)
def test_what_no_header_may_carry_is_refused_without_being_shown(raw: bytes, reason: str):
    with pytest.raises(SourceFailure, match=reason) as caught:
        clean_token(raw)
    assert "secret" not in str(caught.value)
