"""Which targets the sidecar goes to: exactly those that the configuration names, however they are dressed up."""

from __future__ import annotations

import pytest

from ccproxy.config.model import Config
from ccproxy.config.origin import Origin
from ccproxy.errors import BadRequest, CcproxyError, CredentialError, Forbidden
from ccproxy.headers import Fields, Headers
from ccproxy.sidecar.order import Policy, outgoing

CONFIG = Config.model_validate(
    {
        "providers": {
            "web": {"type": "openai", "host": "api.example.com", "fingerprint_profile": "chrome131"},
            "port": {"type": "openai", "host": "api.example.com:8443", "fingerprint_profile": "chrome131"},
            "local": {"type": "openai", "base_url": "http://127.0.0.1:9999/v1", "fingerprint_profile": "firefox133"},
            "six": {"type": "openai", "base_url": "https://[2001:db8::1]", "fingerprint_profile": "firefox133"},
            "plain": {"type": "openai", "host": "api.plain.com"},
        }
    }
)
POLICY = Policy.of(CONFIG)


def headers(target: str, profile: str = "chrome131", *more: tuple[str, str]) -> Headers:
    fields = (("x-ccproxy-target-url", target), ("x-ccproxy-impersonate", profile), *more)
    return Headers(tuple((name.encode(), value.encode()) for name, value in fields))


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        ("https://api.example.com/v1/messages?beta=true&x=%7e", Origin("https", "api.example.com", 443)),
        ("https://api.example.com:443/", Origin("https", "api.example.com", 443)),
        ("https://API.Example.COM/", Origin("https", "api.example.com", 443)),
        ("https://api.example.com:8443/x", Origin("https", "api.example.com", 8443)),
        ("http://127.0.0.1:9999/v1/x", Origin("http", "127.0.0.1", 9999)),
        ("https://[2001:db8::1]/x", Origin("https", "2001:db8::1", 443)),
    ],
)
def test_configured_targets(target: str, origin: Origin):
    order = POLICY.read(headers(target))
    assert order.origin == origin
    assert order.url.partition("://")[2].partition("/")[2] == target.partition("://")[2].partition("/")[2]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "https://api.plain.com/",  # configured, but not for the sidecar
        "http://api.example.com/",
        "http://api.example.com:443/",
        "https://api.example.com:444/",
        "https://api.example.com:8444/",
        "https://api.example.com./",
        "https://api.example.com.evil.test/",
        "https://api.example.com@evil.test/",
        "https://user:pass@api.example.com/",
        "https://evil.test@api.example.com/",
        "https://api.example.com:443@evil.test/",
        "https://api.example.com\\@evil.test/",
        "https://api.example.com%2eevil.test/",
        "https://api.example.com%00.evil.test/",
        "https://xn--pi-8la.example.com/",
        "https://api.ex\u0430mple.com/",
        "https://127.0.0.1:9999/",
        "http://127.1:9999/",
        "http://0x7f000001:9999/",
        "http://2130706433:9999/",
        "http://[::ffff:127.0.0.1]:9999/",
        "http://localhost:9999/",
        "http://127.0.0.1/",
        "https://[2001:db8::2]/",
        "https://169.254.169.254/latest/meta-data",
        "https:///",
        "https://:443/",
        "https://api.example.com:99999/",
    ],
)
def test_everything_else_is_refused(target: str):
    with pytest.raises((Forbidden, BadRequest)):
        POLICY.read(headers(target))


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/v1/messages",
        "//api.example.com/",
        "api.example.com/",
        "https:api.example.com/",
        "https://api.example.com",
        "https://api.example.com?x",
        "https://api.example.com/#fragment",
        "https://api.example.com/a b",
        "https://api.example.com/a\tb",
        " https://api.example.com/",
        "https://api.example.com/ ",
        "https://api.example.com/ü",
        "HTTPS://api.example.com/",
        "ftp://api.example.com/",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_url_is_refused(target: str):
    with pytest.raises(BadRequest):
        POLICY.read(headers(target))


@pytest.mark.parametrize("port", [4000, 8083, 4002, 4030])
def test_own_ports_are_refused_even_if_the_configuration_names_them(port: int):
    provider = {"type": "openai", "base_url": f"http://127.0.0.1:{port}", "fingerprint_profile": "chrome131"}
    policy = Policy.of(Config.model_validate({"providers": {"self": provider}}))
    with pytest.raises(Forbidden, match="this proxy itself"):
        policy.read(headers(f"http://127.0.0.1:{port}/"))


def test_sentinel_that_was_left_in_goes_nowhere():
    with pytest.raises(CredentialError):
        POLICY.read(headers("https://api.example.com/", "chrome131", ("x-api-key", "sk-ant-oat-ccproxy-web")))


@pytest.mark.parametrize("profile", ["", "chrome", "firefox133"])
def test_profile_must_be_known(profile: str):
    if profile:
        assert POLICY.read(headers("https://api.example.com/", profile)).profile == profile
    else:
        with pytest.raises(BadRequest, match="not a known fingerprint profile"):
            POLICY.read(headers("https://api.example.com/", profile))


@pytest.mark.parametrize("name", ["x-ccproxy-target-url", "x-ccproxy-impersonate"])
def test_contract_headers_come_once(name: str):
    twice = headers("https://api.example.com/", "chrome131", (name, "https://api.example.com/"))
    none = Headers(tuple(field for field in headers("https://api.example.com/").fields if field[0] != name.encode()))
    for given in (twice, none):
        with pytest.raises(BadRequest, match=name):
            POLICY.read(given)


def test_header_fields_that_go_on():
    given: Fields = (
        (b"host", b"127.0.0.1:4002"),
        (b"x-ccproxy-token", b"secret"),
        (b"X-CCProxy-Target-Url", b"https://api.example.com/"),
        (b"x-ccproxy-fingerprint", b"e30"),
        (b"authorization", b"Bearer real"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"2"),
        (b"accept-encoding", b"zstd"),
        (b"expect", b"100-continue"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"content-type", b"application/json"),
        (b"x-two", b"a"),
        (b"x-two", b"b"),
    )
    assert outgoing(Headers(given)).fields == (
        (b"authorization", b"Bearer real"),
        (b"content-type", b"application/json"),
        (b"x-two", b"a"),
        (b"x-two", b"b"),
    )


def test_value_that_curl_would_alter_is_refused():
    with pytest.raises(BadRequest, match="x-title is not UTF-8 text") as caught:
        outgoing(Headers(((b"x-title", b"secret\xff"),)))
    assert "secret" not in str(caught.value)


def test_refusals_do_not_quote_the_path():
    for target in ("https://evil.test/?key=secret", "https://api.example.com/ ?key=secret"):
        with pytest.raises(CcproxyError) as caught:
            POLICY.read(headers(target))
        assert "secret" not in str(caught.value)
