"""The models: what a provider and a rule say, defaults that protect, and what stays in step with other packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from curl_cffi.requests.impersonate import BrowserTypeLiteral
from pydantic import ValidationError

from ccproxy.config.auth import CommandAuth, EnvAuth, FileAuth
from ccproxy.config.fingerprints import PROFILES
from ccproxy.config.keys import all_keys
from ccproxy.config.model import Config
from ccproxy.config.origin import Origin
from ccproxy.config.providers import DIALECTS, ECHO_ORIGIN, Provider
from ccproxy.config.rules import TransformRule
from ccproxy.lightllm.dialect import Dialect


def provider(**keys: object) -> Provider:
    return Provider.model_validate({"type": "openai", **keys})


@pytest.mark.parametrize(
    ("keys", "origin", "prefix"),
    [
        ({"host": "api.example.com"}, Origin("https", "api.example.com", 443), ""),
        ({"host": "api.example.com:8443"}, Origin("https", "api.example.com", 8443), ""),
        ({"base_url": "https://api.example.com/v1/"}, Origin("https", "api.example.com", 443), "/v1"),
        ({"base_url": "http://10.0.0.9:11434"}, Origin("http", "10.0.0.9", 11434), ""),
        ({"type": "echo"}, ECHO_ORIGIN, ""),
        ({"type": "echo", "base_url": "http://127.0.0.1:9"}, Origin("http", "127.0.0.1", 9), ""),
    ],
)
def test_where_a_provider_is(keys: dict[str, object], origin: Origin, prefix: str) -> None:
    assert (provider(**keys).origin, provider(**keys).prefix) == (origin, prefix)


def test_every_type_has_the_wire_format_that_it_speaks() -> None:
    assert {kind: provider(type=kind, host="h").dialect for kind in DIALECTS} == {
        "anthropic": "anthropic",
        "deepseek": "anthropic",
        "zai": "anthropic",
        "minimax": "anthropic",
        "openai": "openai",
        "openrouter": "openai",
        "openai_responses": "openai_responses",
        "google": "google",
        "gemini": "google",
        "vertex_ai": "google",
        "vertex_ai_beta": "google",
    }
    assert set(DIALECTS.values()) == set(Dialect)
    assert provider(type="echo").dialect is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]:8080", "https://api.example.com"])
def test_a_credential_travels_by_https_or_to_this_machine(url: str) -> None:
    assert provider(base_url=url, auth="printenv X").origin.host


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://10.0.0.9", "http://api.example.com", "http://[::]:1"])
def test_a_credential_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(ValidationError, match="over plain http"):
        provider(base_url=url, auth="printenv X")
    assert provider(base_url=url).auth is None


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("printenv X", CommandAuth(command="printenv X")),
        ({"command": "a", "header": "x-api-key"}, CommandAuth(command="a", header="x-api-key")),
        ({"file": "/k"}, FileAuth(file=Path("/k"))),
        ({"env": "X", "query_param": "key"}, EnvAuth(env="X", query_param="key")),
        ({"type": "env", "env": "X"}, EnvAuth(env="X")),
        (None, None),
    ],
)
def test_a_credential_source_is_told_by_its_key(auth: object, expected: object) -> None:
    assert provider(host="h", auth=auth).auth == expected


@pytest.mark.parametrize("header", ["Host", "content-length", "Transfer-Encoding", "x-ccproxy-hooks", "a b", "a:b", ""])
def test_a_credential_cannot_break_the_message(header: str) -> None:
    with pytest.raises(ValidationError):
        provider(host="h", auth={"env": "X", "header": header})


def test_an_own_token_as_text_is_the_token_and_not_a_command() -> None:
    assert Config(listener_token="printenv").listener_token == "printenv"
    assert Config.model_validate({"listener_token": {"command": "a"}}).listener_token == CommandAuth(command="a")


def test_rules_of_both_places_in_order() -> None:
    first, second = TransformRule(dest_host="a"), TransformRule(dest_host="b")
    config = Config.model_validate({"inspector": {"transforms": [second]}, "lightllm": {"transforms": [first]}})
    assert config.transforms == (first, second)


@pytest.mark.parametrize(
    ("dest_host", "origin"),
    [
        ("h", Origin("https", "h", 443)),
        ("h:8443", Origin("https", "h", 8443)),
        ("http://127.0.0.1:9/", Origin("http", "127.0.0.1", 9)),
        (None, None),
    ],
)
def test_where_a_rule_leads(dest_host: str | None, origin: Origin | None) -> None:
    assert TransformRule(dest_host=dest_host, dest_provider="echo").dest_origin == origin


def test_a_passthrough_rule_for_jail_traffic_needs_no_destination() -> None:
    assert TransformRule(action="passthrough", match_host="telemetry").dest_host is None


def test_defaults_that_protect() -> None:
    config = Config()
    assert config.host == config.mcp.http.host == config.inspector.mitmproxy.web_host == "127.0.0.1"
    assert config.inspector.mitmproxy.ssl_insecure is False
    assert config.inspector.tls_keylog is False
    assert config.verify_readiness_on_startup is False
    assert config.trust_windows_host is False
    assert config.providers == {"echo": Provider(type="echo")}
    assert TransformRule(dest_host="h").inject == "beside_sentinel"


def test_a_configuration_cannot_be_changed() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.inspector.port = 1  # type: ignore[misc]


def test_every_key_says_what_it_means() -> None:
    assert [key.dotted for key in all_keys() if not (key.field.description or "").endswith(".")] == []


def test_durations_and_sizes_name_their_unit() -> None:
    amounts = [
        key
        for key in all_keys()
        if key.path[-1].endswith(("_s", "_seconds", "_bytes", "_timeout")) or "Size" in str(key.field.annotation)
    ]
    assert len(amounts) > 15
    for key in amounts:
        assert any(unit in (key.field.description or "") for unit in ("seconds", "bytes")), key.dotted


def test_profiles_are_those_of_the_locked_curl() -> None:
    assert get_args(BrowserTypeLiteral) == PROFILES


def test_loading_imports_nothing_heavy() -> None:
    """pydantic and PyYAML are half of what `ccproxy status` may cost."""
    heavy = ["mitmproxy", "pydantic_ai", "mcp", "httpx", "curl_cffi", "asyncio", "pydantic_settings", "rich"]
    program = f"import sys, ccproxy.config.load; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
