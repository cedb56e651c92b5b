from __future__ import annotations

from ipaddress import ip_address

import pytest

from ccproxy.addresses import Target, is_name, literal, reach


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("1.1.1.1", "public"),
        ("2606:4700::1111", "public"),
        ("198.18.0.1", "public"),
        ("127.0.0.1", "loopback"),
        ("127.255.0.9", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.1", "public"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("64:ff9b:1::a00:1", "private"),
        ("169.254.169.254", "forbidden"),
        ("100.100.100.200", "forbidden"),
        ("168.63.129.16", "forbidden"),
        ("192.0.0.192", "forbidden"),
        ("0.0.0.0", "forbidden"),
        ("0.1.2.3", "forbidden"),
        ("224.0.0.1", "forbidden"),
        ("255.255.255.255", "forbidden"),
        ("::", "forbidden"),
        ("fe80::1", "forbidden"),
        ("fd00:ec2::254", "forbidden"),
        ("ff02::1", "forbidden"),
        # An address inside an address.
        ("::ffff:169.254.169.254", "forbidden"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "forbidden"),
        ("64:ff9b::101:101", "public"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:a9fe:a9fe::1", "forbidden"),
        ("2002:a00:1::", "private"),
        ("::a9fe:a9fe", "forbidden"),
        ("2001:0:4136:e378:8000:63bf:5601:5601", "forbidden"),  # Teredo client 169.254.169.254
    ],
)
def test_reach(address: str, expected: str) -> None:
    assert reach(ip_address(address)) == expected


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "1.2.3", "fe80::1%eth0", "1.2.3.4.", "a.0x1"]
)
def test_what_only_looks_like_an_address_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"zone id|usual spelling"):
        literal(host)


@pytest.mark.parametrize("host", ["api.anthropic.com", "a1", "1a.example", "x0x1"])
def test_names_are_names(host: str) -> None:
    assert literal(host) is None
    assert is_name(host)


@pytest.mark.parametrize(
    "host", ["", "a.", ".a", "a..b", "-a", "a-", "münchen.de", "a b", "a@b", "a" * 64, "a/b", "a\n"]
)
def test_what_is_no_plain_name(host: str) -> None:
    assert not is_name(host)


def test_a_target_spells_its_authority() -> None:
    assert Target("https", "api.x.com", 443, "/v1?a=b").url == "https://api.x.com/v1?a=b"
    assert Target("http", "::1", 8080, "/").authority == "[::1]:8080"
    assert Target("http", "a", 443, "/").authority == "a:443"


@pytest.mark.parametrize("long", ["a" * 300, "a." * 200 + "b"])
def test_what_is_longer_than_a_name_is_read_all_the_same(long: str) -> None:
    assert literal(long) is None
    assert not is_name(long)
    for _ in range(2):  # what is refused once is refused again
        with pytest.raises(ValueError, match="neither a name nor an address"):
            literal(f"{long}.127.1")
        with pytest.raises(ValueError, match="neither a name nor an address"):
            literal("127.1")
