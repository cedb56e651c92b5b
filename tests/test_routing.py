from __future__ import annotations

from typing import Any

import pytest

from ccproxy.addresses import Origin
from ccproxy.config.model import Config
from ccproxy.errors import CredentialError, NotBuilt
from ccproxy.guard import EgressPolicy, Injected, check_egress
from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import Dialect, classify
from ccproxy.routing import Decision, Facts, Passthrough, Redirect, Reject, Transform, asked_hosts, route

ENV = {"type": "env", "env": "A_TOKEN"}
PROVIDERS: dict[str, object] = {
    "anthropic": {"type": "anthropic", "host": "api.anthropic.com", "path": "/v1/messages", "auth": ENV},
    "deepseek": {"type": "deepseek", "host": "api.deepseek.com", "path": "/anthropic/v1/messages", "auth": ENV},
    "openai": {"type": "openai", "base_url": "https://gateway.example:8443/llm", "auth": ENV},
    "gemini": {"type": "gemini", "host": "g.example", "path": "/v1internal:{action}", "auth": ENV},
    "vertex": {"type": "vertex_ai", "host": "eu-aiplatform.googleapis.com", "auth": ENV},
    "vertex_beta": {"type": "vertex_ai_beta", "host": "eu-aiplatform.googleapis.com", "auth": ENV},
    "local": {"type": "openai", "base_url": "http://127.0.0.1:11434"},
    "pplx": {"type": "perplexity_pro", "host": "www.perplexity.ai"},
    "echo": {"type": "echo"},
}
VERTEX = "/projects/p-1/locations/eu/publishers/google/models/"
JAILED: Origin = ("https", "api.anthropic.com", 443)


def decide(path: str, *rules: dict[str, object], sentinel: str | None = None, **more: Any) -> Decision:
    config = Config.model_validate({"providers": PROVIDERS, "lightllm": {"transforms": rules}})
    addressed = more.pop("addressed", None)
    endpoint = classify(more.pop("method", "POST"), path, Headers())
    facts = Facts(
        "jail" if addressed else "reverse",
        path,
        endpoint,
        hosts=more.pop("hosts", ("localhost",)),
        model=more.pop("model", endpoint.model or "claude-x"),
        sentinel=sentinel,
        addressed=addressed,
        **more,
    )
    decision = route(facts, config.transforms, config.providers)
    if not isinstance(decision, Reject) and decision.inject is not None:
        # Whatever is decided must pass the guard.
        origin = config.providers[decision.inject].origin
        check_egress(decision.target, Headers(), EgressPolicy(), injected=Injected(decision.inject, origin))
    return decision


def redirect(decision: Decision) -> Redirect:
    assert isinstance(decision, Redirect), decision
    return decision


# ---- by sentinel ----


@pytest.mark.parametrize(
    ("sentinel", "path", "url"),
    [
        ("anthropic", "/v1/messages?beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("deepseek", "/v1/messages/count_tokens", "https://api.deepseek.com/anthropic/v1/messages/count_tokens"),
        ("openai", "/chat/completions", "https://gateway.example:8443/llm/v1/chat/completions"),
        ("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", "https://g.example/v1internal:streamGenerateContent?alt=sse"),
        ("openai", "/v1/embeddings", "https://gateway.example:8443/llm/v1/embeddings"),
    ],
)  # fmt: skip
def test_the_sentinel_names_the_provider(sentinel: str, path: str, url: str) -> None:
    decision = redirect(decide(path, sentinel=sentinel))
    assert decision.target.url == url
    assert (decision.provider, decision.inject, decision.strip_credentials) == (sentinel, sentinel, True)
    assert decision.model is None
    assert f"sentinel key names provider '{sentinel}'" in decision.reason


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/models/m:generateContent", "/v1/models"]
)
def test_echo_takes_every_wire_format(path: str) -> None:
    decision = redirect(decide(path, sentinel="echo"))
    assert (decision.provider, decision.inject, decision.target.path) == ("echo", None, path)


def test_a_provider_without_a_source_gets_no_credential() -> None:
    decision = redirect(decide("/v1/chat/completions", sentinel="local"))
    assert (decision.target.url, decision.inject) == ("http://127.0.0.1:11434/v1/chat/completions", None)


def test_another_wire_format_is_a_transform() -> None:
    decision = decide("/v1/messages?beta=true", sentinel="gemini", streams=True)
    assert isinstance(decision, Transform)
    assert (decision.source, decision.dialect) == (Dialect.ANTHROPIC, Dialect.GOOGLE)
    assert decision.target.url == "https://g.example/v1internal:streamGenerateContent?alt=sse"
    assert (decision.provider, decision.inject, decision.model) == ("gemini", "gemini", "claude-x")
    assert decision.reason.endswith("anthropic to google")


def test_an_unknown_provider_is_named() -> None:
    decision = decide("/v1/messages", sentinel="antropic")
    assert isinstance(decision, Reject)
    assert isinstance(decision.error, CredentialError)
    assert "did you mean sk-ant-oat-ccproxy-anthropic" in decision.reason


def test_a_type_that_is_not_built_says_so() -> None:
    decision = decide("/v1/messages", sentinel="pplx")
    assert isinstance(decision, Reject)
    assert "perplexity_pro" in str(decision.error)


def test_a_path_that_the_provider_lacks_is_rejected() -> None:
    decision = decide("/v1/files", sentinel="gemini")
    assert isinstance(decision, Reject)
    assert decision.error.status == 501


# ---- by nothing ----


def test_nothing_matched_on_the_reverse_listener() -> None:
    decision = decide("/v1/messages")
    assert isinstance(decision, Reject)
    assert isinstance(decision.error, NotBuilt)
    assert str(decision.error).startswith(
        "no provider or transform rule matched this request; give the client the key "
    )
    assert "anthropic, deepseek, echo" in decision.reason


def test_a_jailed_request_goes_on_unchanged() -> None:
    decision = decide("/v1/messages?beta=true", addressed=JAILED)
    assert isinstance(decision, Passthrough)
    assert decision.target.url == "https://api.anthropic.com/v1/messages?beta=true"
    assert (decision.inject, decision.strip_credentials) == (None, False)


# ---- by rule ----


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({}, True),
        ({"match_model": "^claude"}, True),
        ({"match_model": "^Claude"}, False),
        ({"match_model": "aude"}, True),
        ({"match_path": "beta=true$"}, True),
        ({"match_path": "^/v1/chat"}, False),
        ({"match_host": "^LLM"}, False),
        ({"match_host": r"^llm\.corp$"}, True),
        ({"match_host": "^localhost$"}, True),
        ({"match_host": "localhost", "match_model": "gpt"}, False),
        ({"match_host": "localhost", "match_model": "claude", "match_path": "messages"}, True),
    ],
)
def test_all_given_fields_must_match(rule: dict[str, object], matches: bool) -> None:
    decision = decide("/v1/messages?beta=true", rule | {"dest_host": "x.example"}, hosts=("localhost", "llm.corp"))
    assert isinstance(decision, Redirect if matches else Reject)


def test_a_rule_without_a_model_to_match() -> None:
    assert isinstance(decide("/v1/messages", {"match_model": ".*", "dest_host": "x"}, model=None), Reject)


def test_the_first_rule_wins_before_the_sentinel() -> None:
    decision = redirect(
        decide(
            "/v1/messages",
            {"match_model": "gpt", "dest_provider": "openai"},
            {"match_model": "claude", "dest_provider": "deepseek"},
            {"dest_provider": "anthropic"},
            sentinel="anthropic",
        )
    )
    assert (decision.provider, decision.inject) == ("deepseek", "deepseek")
    assert decision.reason.startswith("rule 2 (match_model claude)")


def test_the_models_of_a_google_path_match_and_are_replaced_there() -> None:
    rule = {"match_model": "^gemini-x$", "dest_host": "http://10.0.0.5:81", "dest_model": "gemini-y"}
    decision = redirect(decide("/v1beta/models/gemini-x:generateContent", rule))
    assert decision.target.url == "http://10.0.0.5:81/v1beta/models/gemini-y:generateContent"
    assert decision.model is None


def test_the_model_of_a_body_is_left_to_the_edge() -> None:
    decision = redirect(decide("/v1/messages", {"dest_provider": "deepseek", "dest_model": "deepseek-chat"}))
    assert decision.model == "deepseek-chat"
    assert decision.target.url == "https://api.deepseek.com/anthropic/v1/messages"


def test_a_rule_injects_only_beside_a_sentinel_or_always() -> None:
    rule = {"dest_provider": "deepseek"}
    assert redirect(decide("/v1/messages", rule)).inject is None
    assert redirect(decide("/v1/messages", rule)).strip_credentials is False
    assert redirect(decide("/v1/messages", rule, sentinel="echo")).inject == "deepseek"
    always = redirect(decide("/v1/messages", rule | {"inject": "always"}))
    assert (always.inject, always.strip_credentials) == ("deepseek", True)


def test_a_rule_that_only_names_a_host_never_injects() -> None:
    decision = redirect(decide("/v1/messages", {"dest_host": "api.anthropic.com"}, sentinel="anthropic"))
    assert (decision.provider, decision.inject) == (None, None)
    assert decision.target.url == "https://api.anthropic.com/v1/messages"


def test_a_host_cannot_borrow_a_providers_credential() -> None:
    rule = {"dest_provider": "deepseek", "dest_host": "evil.example"}
    decision = decide("/v1/messages", rule, sentinel="deepseek")
    assert isinstance(decision, Reject)
    assert isinstance(decision.error, CredentialError)
    assert "evil.example" in decision.reason
    same = redirect(decide("/v1/messages", rule | {"dest_host": "api.deepseek.com"}, sentinel="deepseek"))
    assert same.inject == "deepseek"
    # Without a sentinel nothing of ours is at stake.
    assert redirect(decide("/v1/messages", rule)).target.host == "evil.example"


def test_dest_path_replaces_the_providers() -> None:
    rule = {"dest_provider": "openai", "dest_path": "/x/{model}", "dest_model": "m"}
    assert redirect(decide("/v1/chat/completions?a=b", rule)).target.url == "https://gateway.example:8443/llm/x/m?a=b"
    # With a path of its own a redirect may cross wire formats: who writes it knows what answers there.
    crossing = redirect(decide("/v1/messages", rule))
    assert "path of the rule" in crossing.reason


def test_a_redirect_to_another_wire_format_is_refused() -> None:
    decision = decide("/v1/messages", {"dest_provider": "openai"}, sentinel="openai")
    assert isinstance(decision, Reject)
    assert "say `action: transform`" in str(decision.error)


def test_a_transform_rule_carries_everything() -> None:
    rule = {"dest_provider": "openai", "action": "transform", "dest_model": "gpt-x"}
    decision = decide("/v1/messages?beta=true", rule, sentinel="anthropic")
    assert isinstance(decision, Transform)
    assert decision.target.url == "https://gateway.example:8443/llm/v1/chat/completions"
    assert (decision.provider, decision.inject, decision.model, decision.strip_credentials) == (
        "openai",
        "openai",
        "gpt-x",
        True,
    )
    same = redirect(decide("/v1/chat/completions", rule, sentinel="anthropic"))
    assert same.model == "gpt-x"


@pytest.mark.parametrize(
    ("path", "rule", "stripped"),
    [
        ("/v1/messages", {"dest_provider": "local"}, True),
        ("/v1/responses", {"dest_provider": "local"}, False),
        ("/v1/responses", {"dest_provider": "openai", "inject": "always"}, True),
    ],
)
def test_a_key_of_one_vendor_is_not_shown_to_another(path: str, rule: dict[str, object], stripped: bool) -> None:
    decision = decide(path, rule | {"action": "transform"})
    assert isinstance(decision, Transform)
    assert decision.strip_credentials is stripped


@pytest.mark.parametrize(
    ("provider", "path", "expected"),
    [
        ("vertex", "/v1/messages", f"/v1{VERTEX}claude-x:generateContent"),
        ("vertex_beta", "/v1beta/models/m:countTokens", f"/v1beta1{VERTEX}m:countTokens"),
        ("gemini", "/v1beta/models/m:countTokens", "/v1internal:countTokens"),
    ],
)
def test_a_rule_names_project_and_location_of_vertex_ai(provider: str, path: str, expected: str) -> None:
    where = {"dest_vertex_project": "p-1", "dest_vertex_location": "eu"}
    decision = decide(path, {"dest_provider": provider, "action": "transform", **where}, sentinel="anthropic")
    assert isinstance(decision, Transform | Redirect)
    assert decision.target.path == expected


def test_a_jailed_clients_own_key_is_not_shown_to_another_host() -> None:
    elsewhere = redirect(decide("/v1/messages", {"dest_provider": "deepseek"}, addressed=JAILED))
    assert (elsewhere.inject, elsewhere.strip_credentials) == (None, True)
    home = redirect(decide("/v1/messages", {"dest_host": "api.anthropic.com", "dest_model": "m"}, addressed=JAILED))
    assert home.strip_credentials is False


# ---- passthrough ----


def test_passthrough_keeps_the_path_and_injects_nothing() -> None:
    rule = {"action": "passthrough", "dest_host": "https://x.example:9/", "match_model": "claude"}
    decision = decide("/messages?x=%2e", rule, sentinel="anthropic")
    assert isinstance(decision, Passthrough)
    assert decision.target.url == "https://x.example:9/messages?x=%2e"
    assert decision.inject is None


def test_passthrough_needs_a_destination_on_the_reverse_listener() -> None:
    decision = decide("/v1/messages", {"action": "passthrough", "match_host": "localhost"})
    assert isinstance(decision, Reject)
    assert "dest_host" in decision.reason


def test_passthrough_in_a_jail_puts_the_credential_in_only_at_its_own_host() -> None:
    rule = {"action": "passthrough", "match_host": "anthropic"}
    hosts = ("api.anthropic.com",)
    own = decide("/v1/messages", rule, sentinel="anthropic", addressed=JAILED, hosts=hosts)
    assert isinstance(own, Passthrough)
    assert (own.inject, own.strip_credentials) == ("anthropic", True)
    foreign = decide("/v1/messages", rule, sentinel="deepseek", addressed=JAILED, hosts=hosts)
    assert isinstance(foreign, Reject)
    assert isinstance(foreign.error, CredentialError)
    plain = decide("/v1/messages", rule, addressed=JAILED, hosts=hosts)
    assert isinstance(plain, Passthrough)
    assert (plain.inject, plain.strip_credentials) == (None, False)


def test_asked_hosts() -> None:
    headers = Headers(
        ((b"Host", b"LLM.corp:4000"), (b"X-Forwarded-Host", b"a.example, b.example:1"), (b"x-forwarded-host", b""))
    )
    assert asked_hosts(headers) == ("llm.corp", "a.example", "b.example")
    assert asked_hosts(headers, "[::1]:4000") == ("[::1]", "llm.corp", "a.example", "b.example")
