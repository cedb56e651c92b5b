"""What may be a credential: one line of text that fits into a header field.

A token that held a line break could smuggle a header into a request (RFC 9110 §5.5), so what a source gave is
checked once, here, before anybody can place it. The reason never quotes the value.

>>> clean_token(b"  sk-live-1\\n")
'sk-live-1'
"""

from __future__ import annotations


class SourceFailure(Exception):
    """A source gave no usable token. The message is a clause, ``is empty``, with what to do, and holds no value."""


def clean_token(raw: bytes) -> str:
    """The token in ``raw``, stripped of surrounding white space. Raises SourceFailure if it cannot be one."""
    try:
        token = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise SourceFailure("is not UTF-8 text; it must be the bare token") from None
    if not token:
        raise SourceFailure("is empty")
    if any(c < " " or "\x7f" <= c <= "\x9f" for c in token):
        if "\n" in token or "\r" in token:
            raise SourceFailure("holds more than one line; it must be the bare token and nothing else")
        raise SourceFailure("holds a control character, which no header may carry; it must be the bare token")
    if not token.isascii() and any(ord(c) > 0xFF for c in token):
        raise SourceFailure("holds a character that no header may carry (outside latin-1); it must be the bare token")
    return token
