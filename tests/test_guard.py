from __future__ import annotations

import pytest

from ccproxy.addresses import Target
from ccproxy.config.model import Config
from ccproxy.errors import BadRequest, CredentialError, Forbidden
from ccproxy.guard import (
    Arrival,
    EgressPolicy,
    Injected,
    check_client,
    check_dialled,
    check_egress,
    check_ingress,
    check_jailed,
    named_hosts,
    strip_foreign,
    strip_hop_by_hop,
    strip_internal,
)
from ccproxy.headers import Headers
from ccproxy.sentinel import PREFIX, Sentinel

ANTHROPIC = Injected("anthropic", ("https", "api.anthropic.com", 443))
OPEN = EgressPolicy()


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(tuple((name.encode(), value.encode()) for name, value in pairs))


def names(fields: Headers) -> list[str]:
    return [name for name, _ in fields]


# ---- who may ask ----


def arrive(
    *pairs: tuple[str, str], authority: str | None = None, path: str = "/v1/messages", sni: str | None = None
) -> Arrival:
    return Arrival("POST", path, headers(*pairs), authority=authority, sni=sni)


def ingress(arrival: Arrival, allowed: tuple[str, ...] = ()) -> None:
    check_ingress(arrival, local_hosts={"127.0.0.1", "192.168.7.7"}, allowed_hosts=allowed)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:4000",
        "x.localhost:1",
        "127.0.0.1:4000",
        "127.9.9.9",
        "[::1]:4000",
        "[0:0:0:0:0:0:0:1]",
        "192.168.7.7:4000",
    ],
)
def test_the_machine_itself_may_be_named(host: str) -> None:
    ingress(arrive(("host", host)))
    ingress(arrive(authority=host))
    ingress(arrive(("host", "localhost"), ("origin", f"http://{host}")))


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.7.8", "localhost.evil.example", "notlocalhost", "localhost.", "10.0.0.1:4000"]
)
def test_a_foreign_host_is_forbidden(host: str) -> None:
    with pytest.raises(Forbidden, match="allowed_hosts"):
        ingress(arrive(("host", host)))
    with pytest.raises(Forbidden, match="allowed_hosts"):
        ingress(arrive(authority=host))


@pytest.mark.parametrize(
    "host", ["", "a b", "a,b", "user@localhost", "localhost:", "localhost:0", "localhost:70000", "localhost:x",
             "[::1", "::1", "127.1", "0x7f000001", "localhost/x", "localhost\\x", "loc%61lhost", "-a-"],
)  # fmt: skip
def test_a_malformed_host_is_a_bad_request(host: str) -> None:
    with pytest.raises(BadRequest, match="malformed"):
        ingress(arrive(("host", host)))


def test_host_must_be_there_once_and_agree_with_the_request_line() -> None:
    with pytest.raises(BadRequest, match="no Host"):
        ingress(arrive())
    with pytest.raises(BadRequest, match="more than one Host"):
        ingress(arrive(("host", "localhost"), ("Host", "localhost")))
    with pytest.raises(BadRequest, match="differ"):
        ingress(arrive(("host", "localhost"), authority="api.anthropic.com"))
    with pytest.raises(BadRequest, match="differ"):
        ingress(arrive(("host", "localhost:4000"), authority="localhost:4001"))
    ingress(arrive(("host", "localhost:4000"), authority="LOCALHOST"))


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("box.corp.example:4000", "*.corp.example"),
        ("Box", "bo?"),
        ("box:4000", "box:4000"),
        ("[fd00::5]:4000", "[fd00::5]:*"),
    ],
)
def test_allowed_hosts_lets_more_names_in(host: str, pattern: str) -> None:
    ingress(arrive(("host", host), ("origin", f"https://{host}")), (pattern,))
    with pytest.raises(Forbidden):
        ingress(arrive(("host", host)), ("other", "corp.example"))


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost@evil.example", "", "http://[",
               "chrome-extension://abcdef", "//localhost"],
)  # fmt: skip
def test_a_foreign_origin_is_forbidden(origin: str) -> None:
    with pytest.raises(Forbidden, match="web pages"):
        ingress(arrive(("host", "localhost:4000"), ("origin", origin)))
    with pytest.raises(Forbidden, match="web pages"):
        ingress(arrive(("host", "localhost:4000"), ("origin", "http://localhost"), ("origin", origin)))


def test_an_embedding_page_is_forbidden_and_a_followed_link_is_not() -> None:
    cross = (("host", "localhost"), ("sec-fetch-site", "cross-site"))
    with pytest.raises(Forbidden, match="other sites"):
        ingress(arrive(*cross, ("sec-fetch-mode", "no-cors")))
    with pytest.raises(Forbidden, match="other sites"):
        ingress(arrive(*cross, ("sec-fetch-mode", "navigate"), path=f"/v1beta/models?key={PREFIX}a"))
    ingress(arrive(*cross, ("sec-fetch-mode", "navigate"), path="/"))
    ingress(arrive(("host", "localhost"), ("sec-fetch-site", "none")))


def test_in_a_jail_the_names_must_agree_beside_a_sentinel() -> None:
    sentinel = Sentinel("anthropic", "x-api-key")
    coalesced = arrive(("host", "b.example"), sni="a.example")
    check_jailed(coalesced, None)
    with pytest.raises(BadRequest, match="server name"):
        check_jailed(coalesced, sentinel)
    with pytest.raises(BadRequest, match="differ"):
        check_jailed(arrive(("host", "a.example"), authority="b.example", sni="a.example"), sentinel)
    check_jailed(arrive(("host", "A.example:443"), sni="a.Example"), sentinel)


def test_only_the_own_user_is_served() -> None:
    check_client(1000, 1000)
    for uid in (1001, 0, None):
        with pytest.raises(Forbidden, match="listener_token"):
            check_client(uid, 1000)


def test_a_listener_token_lets_other_users_in() -> None:
    check_client(1001, 1000, given_token="right", expected_token="right")
    check_client(None, 1000, given_token="right", expected_token="right")
    for wrong in ("wrong", "", "right ", "ü"):
        with pytest.raises(Forbidden, match="not this listener's") as caught:
            check_client(1001, 1000, given_token=wrong, expected_token="right")
        assert "right" not in str(caught.value)
    for given, expected in (("x", None), ("", ""), (None, "right")):
        with pytest.raises(Forbidden):
            check_client(1001, 1000, given_token=given, expected_token=expected)


def test_the_windows_host_is_nobody_the_kernel_knows() -> None:
    check_client(None, 1000, trust_windows_host=True)
    with pytest.raises(Forbidden, match="uid 1001"):
        check_client(1001, 1000, trust_windows_host=True)


# ---- where it may go ----


def test_a_credential_goes_to_its_provider() -> None:
    target = Target("https", "api.anthropic.com", 443, "/v1/messages?beta=true")
    for host in ("api.anthropic.com", "api.anthropic.com:443"):
        check_egress(target, headers(("host", host)), OPEN, injected=ANTHROPIC, authority=host, sni="api.anthropic.com")
    check_egress(target, headers(), OPEN, injected=ANTHROPIC)


@pytest.mark.parametrize(
    "target",
    [
        Target("https", "api.openai.com", 443, "/"),
        Target("https", "api.anthropic.com", 8443, "/"),
        Target("http", "api.anthropic.com", 443, "/"),
        Target("http", "api.anthropic.com", 80, "/"),
        Target("https", "API.anthropic.com", 443, "/"),
        Target("https", "xn--pi-7kc.anthropic.com", 443, "/"),
        Target("https", "api.anthropic.com.evil.example", 443, "/"),
    ],
)
def test_a_credential_goes_nowhere_else(target: Target) -> None:
    check_egress(target, headers(), OPEN)
    with pytest.raises(CredentialError, match=r"https://api\.anthropic\.com:443 only"):
        check_egress(target, headers(), OPEN, injected=ANTHROPIC)


@pytest.mark.parametrize(
    "host",
    [
        "api.anthropic.com.",
        "user@api.anthropic.com",
        "аpi.anthropic.com",
        "api.anthropic.com\t",
        "api.anthropic.com%2e",
        "",
    ],
)
def test_a_host_that_two_programs_could_read_differently_is_refused(host: str) -> None:
    # Even where a configuration managed to name it so.
    with pytest.raises(Forbidden, match="not a plain DNS name"):
        check_egress(Target("https", host, 443, "/"), headers(), OPEN, injected=Injected("p", ("https", host, 443)))


@pytest.mark.parametrize(
    ("fields", "authority", "sni"),
    [
        ([("host", "evil.example")], None, None),
        ([("host", "api.anthropic.com:80")], None, None),
        ([("host", "api.anthropic.com"), ("host", "api.anthropic.com")], None, None),
        ([], "evil.example", None),
        ([("host", "api.anthropic.com")], "api.anthropic.com", "evil.example"),
    ],
)
def test_host_authority_and_server_name_must_say_the_target(
    fields: list[tuple[str, str]], authority: str | None, sni: str | None
) -> None:
    target = Target("https", "api.anthropic.com", 443, "/")
    with pytest.raises(CredentialError, match="do not all say"):
        check_egress(target, headers(*fields), OPEN, injected=ANTHROPIC, authority=authority, sni=sni)
    check_egress(target, headers(*fields), OPEN, authority=authority, sni=sni)


def test_a_credential_crosses_no_network_in_the_clear() -> None:
    for host in ("127.0.0.1", "127.0.0.5", "::1"):
        local = EgressPolicy(named_hosts=frozenset((host,)))
        check_egress(Target("http", host, 8080, "/"), headers(), local, injected=Injected("p", ("http", host, 8080)))
    for host in ("localhost", "gateway.lan", "192.168.1.5"):
        local = EgressPolicy(named_hosts=frozenset((host,)))
        with pytest.raises(CredentialError, match="unencrypted"):
            check_egress(
                Target("http", host, 8080, "/"), headers(), local, injected=Injected("p", ("http", host, 8080))
            )
        check_egress(Target("http", host, 8080, "/"), headers(), local)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ([("x-api-key", PREFIX + "a")], "/"),
        ([("cookie", PREFIX)], "/"),
        ([], f"/?key={PREFIX}a"),
        ([], "/sk%2Dant-oat-ccproxy-a"),
    ],
)
def test_no_sentinel_leaves(fields: list[tuple[str, str]], path: str) -> None:
    with pytest.raises(CredentialError, match="inject_auth"):
        check_egress(Target("https", "example.com", 443, path), headers(*fields), OPEN)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "::", "0.0.0.0"],
)
def test_metadata_addresses_are_refused_even_if_named(host: str) -> None:
    with pytest.raises(Forbidden, match="metadata"):
        check_egress(Target("https", host, 443, "/"), headers(), EgressPolicy(named_hosts=frozenset((host,))))


@pytest.mark.parametrize("host", ["::ffff:1.1.1.1", "64:ff9b::101:101", "::ffff:7f00:1", "2002:101:101::"])
def test_an_address_in_disguise_is_refused_even_if_named(host: str) -> None:
    with pytest.raises(Forbidden, match="dressed"):
        check_egress(Target("https", host, 443, "/"), headers(), EgressPolicy(named_hosts=frozenset((host,))))


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "fe80::1%eth0"])
def test_shorthand_addresses_are_refused(host: str) -> None:
    with pytest.raises(Forbidden, match="upstream host"):
        check_egress(Target("https", host, 443, "/"), headers(), EgressPolicy(named_hosts=frozenset((host,))))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "localhost", "a.localhost", "10.1.2.3", "192.168.0.1", "fd12::1", "100.64.0.1"]
)
def test_private_addresses_need_to_be_named(host: str) -> None:
    target = Target("http", host, 11434, "/")
    with pytest.raises(Forbidden, match=r"no provider or rule in ccproxy\.yaml names"):
        check_egress(target, headers(), OPEN)
    check_egress(target, headers(), EgressPolicy(named_hosts=frozenset((host,))))


def test_our_own_ports_are_refused_even_if_named() -> None:
    policy = EgressPolicy(
        named_hosts=frozenset(("127.0.0.1", "localhost", "192.168.7.7")),
        own_ports=frozenset((4000, 8083)),
        own_addresses=frozenset(("192.168.7.7",)),
    )
    for host in ("127.0.0.1", "localhost", "192.168.7.7"):
        for port in (4000, 8083):
            with pytest.raises(Forbidden, match="this proxy itself"):
                check_egress(Target("http", host, port, "/"), headers(), policy)
        check_egress(Target("http", host, 9999, "/"), headers(), policy)
    check_egress(Target("https", "example.com", 8083, "/"), headers(), policy)


@pytest.mark.parametrize("path", ["", "v1", "/a b", "/a\r\nx: y", "/ä", "http://other/"])
def test_a_path_cannot_break_the_message(path: str) -> None:
    with pytest.raises(BadRequest, match="path"):
        check_egress(Target("https", "example.com", 443, path), headers(), OPEN)


@pytest.mark.parametrize("field", [(b"a", b"1\r\n b"), (b"a", b"1\nb: 2"), (b"a\r\nb", b"1"), (b"a", b"\0")])
def test_no_header_holds_a_line_break_folded_ones_included(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(BadRequest, match="line break"):
        check_egress(Target("https", "example.com", 443, "/"), Headers((field,)), OPEN)


def test_the_configuration_names_hosts() -> None:
    config = Config.model_validate(
        {
            "providers": {
                "a": {"type": "openai", "host": "API.example"},
                "b": {"type": "openai", "base_url": "http://[::1]:8/v1"},
                "echo": {"type": "echo"},
            },
            "lightllm": {"transforms": [{"dest_host": "http://10.0.0.5:81"}, {"dest_provider": "a"}]},
        }
    )
    assert named_hosts(config.providers, config.transforms) == {"api.example", "::1:8", "echo.invalid", "10.0.0.5"}


def test_a_port_of_this_machine_is_named_alone() -> None:
    policy = EgressPolicy(named_hosts=frozenset(("::1:8", "127.0.0.1:11434")))
    check_egress(Target("http", "::1", 8, "/"), headers(), policy)
    check_dialled(Target("http", "127.0.0.1", 11434, "/"), "127.0.0.1", policy, local_ip="127.0.0.1")
    for host, port in (("::1", 9), ("127.0.0.1", 6379), ("127.0.0.2", 11434), ("localhost", 11434)):
        with pytest.raises(Forbidden, match="private"):
            check_egress(Target("http", host, port, "/"), headers(), policy)


@pytest.mark.parametrize("target", [Target("ftp", "example.com", 21, "/"), Target("https", "example.com", 0, "/")])
def test_only_http_and_true_ports(target: Target) -> None:
    with pytest.raises(Forbidden):
        check_egress(target, headers(), OPEN)


def test_the_dialled_address_is_judged_again() -> None:
    target = Target("https", "rebound.example", 443, "/")
    check_dialled(target, "93.184.216.34", OPEN)
    check_dialled(target, "64:ff9b::5db8:d822", OPEN)
    for peer in ("169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"):
        with pytest.raises(Forbidden, match=r"rebound\.example \("):
            check_dialled(target, peer, EgressPolicy(named_hosts=frozenset(("rebound.example",))))
    for peer in ("127.0.0.1", "10.0.0.1", "::ffff:10.0.0.1", "fd00::1"):
        with pytest.raises(Forbidden, match="private"):
            check_dialled(target, peer, OPEN)
        check_dialled(target, peer, EgressPolicy(named_hosts=frozenset(("rebound.example",))))


def test_a_name_that_leads_to_this_machine_reaches_none_of_our_ports() -> None:
    policy = EgressPolicy(named_hosts=frozenset(("me.example",)), own_ports=frozenset((8083,)))
    for peer, local in (("127.0.0.1", "127.0.0.1"), ("::ffff:127.0.0.1", None), ("203.0.113.7", "203.0.113.7")):
        with pytest.raises(Forbidden, match="this proxy itself"):
            check_dialled(Target("http", "me.example", 8083, "/"), peer, policy, local_ip=local)
        check_dialled(Target("http", "me.example", 80, "/"), peer, policy, local_ip=local)
    with pytest.raises(Forbidden, match="private"):
        check_dialled(Target("http", "other.example", 80, "/"), "203.0.113.7", policy, local_ip="203.0.113.7")
    check_dialled(Target("http", "other.example", 8083, "/"), "203.0.113.9", policy, local_ip="203.0.113.7")


# ---- what must not go along ----


def test_our_own_headers_are_stripped() -> None:
    fields = headers(
        ("X-CCProxy-Hooks", "-inject_auth"), ("accept", "*/*"), ("x-ccproxy-flow-id", "1"), ("X_ccproxy_a", "1")
    )
    strip_internal(fields, keep={"x-ccproxy-hooks"})
    assert names(fields) == ["X-CCProxy-Hooks", "accept"]
    strip_internal(fields)
    assert names(fields) == ["accept"]


def test_stripping_nothing_keeps_the_very_same_fields() -> None:
    fields = headers(("accept", "*/*"))
    before = fields.fields
    strip_internal(fields)
    strip_hop_by_hop(fields)
    strip_foreign(fields, "example.com")
    assert fields.fields is before


def test_connection_headers_stay_here() -> None:
    fields = headers(
        ("Connection", "keep-alive, X-Trace"), ("connection", "content-length,authorization"), ("X-Trace", "1"),
        ("keep-alive", "5"), ("te", "trailers"), ("upgrade", "h2c"), ("proxy-authorization", "Basic x"),
        ("content-length", "3"), ("transfer-encoding", "chunked"), ("host", "a"), ("accept", "*/*"),
    )  # fmt: skip
    strip_hop_by_hop(fields)
    assert names(fields) == ["content-length", "transfer-encoding", "host", "accept"]


def test_account_headers_go_only_to_their_owner() -> None:
    def left(host: str, addressed: str | None = None) -> list[str]:
        fields = headers(
            ("Cookie", "a"), ("OpenAI-Organization", "o"), ("chatgpt-account-id", "c"), ("x-goog-user-project", "g"),
            ("anthropic-beta", "b"),
        )  # fmt: skip
        strip_foreign(fields, host, addressed)
        return names(fields)

    assert left("api.deepseek.com") == ["anthropic-beta"]
    assert left("api.openai.com") == ["OpenAI-Organization", "chatgpt-account-id", "anthropic-beta"]
    assert left("openai.com.evil.example") == ["anthropic-beta"]
    assert left("evilopenai.com") == ["anthropic-beta"]
    assert left("chatgpt.com") == ["chatgpt-account-id", "anthropic-beta"]
    assert left("generativelanguage.googleapis.com") == ["x-goog-user-project", "anthropic-beta"]
    assert len(left("chatgpt.com", addressed="ChatGPT.com")) == 5
    assert left("api.deepseek.com", addressed="chatgpt.com") == ["anthropic-beta"]
