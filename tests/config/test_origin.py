"""Hosts and URLs: what is read, and what is refused because two programs could read it differently."""

from __future__ import annotations

import pytest

from ccproxy.config.origin import Origin, is_loopback_literal, parse_authority, parse_host, parse_url

URLS = [
    ("https://api.example.com", ("https", "api.example.com", 443), ""),
    ("HTTPS://API.Example.COM/", ("https", "api.example.com", 443), ""),
    ("http://127.0.0.1:8080/v1/", ("http", "127.0.0.1", 8080), "/v1"),
    ("http://[::1]:8080", ("http", "::1", 8080), ""),
    ("https://xn--bcher-kva.example:8443/a/b", ("https", "xn--bcher-kva.example", 8443), "/a/b"),
]


@pytest.mark.parametrize(("text", "origin", "path"), URLS)
def test_a_url_is_an_origin_and_a_path(text: str, origin: tuple[str, str, int], path: str) -> None:
    assert parse_url(text) == (Origin(*origin), path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "ftp://h",
        "//h",
        "https://",
        "https:///path",
        "https://user@h",
        "https://user:pw@h/",
        "https://h@evil",
        "https://h?key=1",
        "https://h/#a",
        "https://h\\@evil",
        "https://h\n",
        " https://h",
        "https://h/a b",
        "https://h:0",
        "https://h:65536",
        "https://h:80:80",
        "https://h:",
        "https://bücher.example",
        "https://h.",
        "https://h..x",
        "https://-h",
        "https://[h]",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://127.1",
        "https://0x7f000001",
        "https://2130706433",
        "https://0177.0.0.1",
        "https://1.2.3.4.5",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|should|looks)"):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h", ("h", None)),
        ("H:8443", ("h", 8443)),
        ("::1", ("::1", None)),
        ("[::1]", ("::1", None)),
        ("[0:0::1]:80", ("::1", 80)),
        ("1.2.3.4:5", ("1.2.3.4", 5)),
        ("a_b.example", ("a_b.example", None)),
    ],
)
def test_an_authority_is_a_host_and_perhaps_a_port(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_authority(text) == expected


@pytest.mark.parametrize(
    "text", ["", "h:p", "h/p", "https://h", "h:1:2", "[h]:1", "u@h", "h:", "a" * 64, "a." * 127 + "aa"]
)
def test_no_authority(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|should)"):
        parse_authority(text)


def test_a_host_has_no_port() -> None:
    with pytest.raises(ValueError, match="bare host name"):
        parse_host("h:80")
    assert parse_host("0.0.0.0") == "0.0.0.0"
    assert parse_host("::") == "::"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("localhost", False),  # a name, and the resolver's word for it
        ("127.0.0.1.example", False),
        ("128.0.0.1", False),
        ("::", False),
        ("0.0.0.0", False),
    ],
)
def test_only_an_address_is_a_loopback_literal(host: str, loopback: bool) -> None:
    assert is_loopback_literal(host) is loopback
