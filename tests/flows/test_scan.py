"""The scanner answers as the patterns say, for every byte and any number of patterns."""

from __future__ import annotations

import pytest

from ccproxy.flows.scan import Scanner


@pytest.mark.parametrize("byte", range(256))
def test_a_literal_of_any_byte_is_found(byte):
    needle = bytes([byte, byte ^ 0x55, byte])

    assert Scanner.of_literals([needle]).hits(b"before" + needle + b"after")
    assert not Scanner.of_literals([needle]).hits(b"before" + needle[:2])


def test_a_thousand_literals_are_searched():
    scanner = Scanner.of_literals(b"needle-%04d-%s" % (i, b"x" * 60) for i in range(1000))

    assert scanner.hits(b"hay needle-0999-" + b"x" * 60)
    assert not scanner.hits(b"hay needle-1000-" + b"x" * 60)


def test_no_pattern_never_hits():
    assert not Scanner([]).hits(b"anything")
    assert not Scanner.of_literals([]).hits(b"")
