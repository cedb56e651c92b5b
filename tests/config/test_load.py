"""File, environment and flags: who wins, and what is said when something is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccproxy.config.load import load
from ccproxy.config.model import Config
from ccproxy.errors import ConfigError
from tests.config.support import FIXTURE, load_text, make_instance, refused, warned

# precedence


def test_without_a_file_everything_is_at_its_default(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, None)
    assert loaded.source is None
    assert loaded.warnings == ()
    assert loaded.config.model_copy(update={"log_file": Path("ccproxy.log")}) == Config()


@pytest.mark.parametrize("text", ["", "# nothing\n", "ccproxy:\n", "ccproxy: {}\n"])
def test_an_empty_file_is_the_defaults(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert loaded.source is not None
    assert loaded.config == load_text(tmp_path / "other", None).config.model_copy(
        update={"log_file": loaded.config.log_file}
    )


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    text = "ccproxy: {port: 4001}"
    environ = {"CCPROXY_PORT": "4101"}
    assert load_text(tmp_path / "a", None).config.port == 4000
    assert load_text(tmp_path / "b", text).config.port == 4001
    assert load_text(tmp_path / "c", text, environ).config.port == 4101
    assert load_text(tmp_path / "d", text, environ, {"port": "4201"}).config.port == 4201


def test_a_flag_reaches_a_nested_key_and_leaves_its_neighbours(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "ccproxy: {inspector: {port: 8084, tls_keylog: true}}", {}, {"inspector.port": "8085"})
    assert loaded.config.inspector.port == 8085
    assert loaded.config.inspector.tls_keylog is True


def test_each_value_knows_what_set_it(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      host: 127.0.0.2
      providers:
        openai: {type: openai, host: api.openai.com, auth: printenv KEY}
      hooks:
        inbound: [shape, inject_auth]
    """
    loaded = load_text(tmp_path, text, {"CCPROXY_USE_JOURNAL": "1"}, {"port": "4005"})
    origins = {
        loc: loaded.origin(loc).removeprefix(f"{loaded.source}:")
        for loc in [
            ("host",),
            ("port",),
            ("use_journal",),
            ("log_level",),
            ("providers", "openai", "type"),
            ("providers", "openai", "path"),
            ("providers", "openai", "auth", "command"),
            ("hooks", "inbound", 0, "hook"),
        ]
    }
    assert list(origins.values()) == ["2", "--port", "CCPROXY_USE_JOURNAL", "default", "4", "default", "4", "6"]


ENVIRONMENT = [
    ("CCPROXY_HOST", "127.0.0.9", "host", "127.0.0.9"),
    ("CCPROXY_PORT", "4900", "port", 4900),
    ("CCPROXY_LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("CCPROXY_LOG_FILE", "/var/log/x.log", "log_file", Path("/var/log/x.log")),
    ("CCPROXY_JOURNAL_IDENTIFIER", "me", "journal_identifier", "me"),
    ("CCPROXY_USE_JOURNAL", "true", "use_journal", True),
    ("CCPROXY_PROVIDER_TIMEOUT", "12.5", "provider_timeout", 12.5),
    ("CCPROXY_VERIFY_READINESS_ON_STARTUP", "yes", "verify_readiness_on_startup", True),
    ("CCPROXY_READINESS_PROBE_URL", "https://example.com/", "readiness_probe_url", "https://example.com/"),
    ("CCPROXY_READINESS_PROBE_TIMEOUT_SECONDS", "3", "readiness_probe_timeout_seconds", 3.0),
    ("CCPROXY_SHUTDOWN_TIMEOUT_S", "0", "shutdown_timeout_s", 0.0),
    ("CCPROXY_UPSTREAM_CA_FILE", "/ca.pem", "upstream_ca_file", Path("/ca.pem")),
    ("CCPROXY_LISTENER_TOKEN", "abc", "listener_token", "abc"),
    ("CCPROXY_TRUST_WINDOWS_HOST", "on", "trust_windows_host", True),
]


@pytest.mark.parametrize(("variable", "value", "field", "expected"), ENVIRONMENT)
def test_every_scalar_of_the_root_has_a_variable(
    tmp_path: Path, variable: str, value: str, field: str, expected: object
) -> None:
    config = load_text(tmp_path, None, {variable: value}, offline=True).config
    assert getattr(config, field) == expected
    assert getattr(config, field) != getattr(Config(), field)


def test_the_table_of_variables_is_whole() -> None:
    sections = {"auth", "providers", "lightllm", "hooks", "inspector", "sidecar", "mcp", "flows", "limits"}
    unbuilt = {"shaping", "gemini_capacity", "otel", "pplx"}
    assert {field for _, _, field, _ in ENVIRONMENT} == set(Config.model_fields) - sections - unbuilt - {
        "allowed_hosts"
    }


@pytest.mark.parametrize(("variable", "_value", "field", "_expected"), ENVIRONMENT)
def test_an_empty_variable_is_unset(tmp_path: Path, variable: str, _value: str, field: str, _expected: object) -> None:
    config = load_text(tmp_path, None, {variable: ""}).config
    assert getattr(config, field) == getattr(load_text(tmp_path, None).config, field)


def test_log_level_takes_the_variable_that_other_programs_use(tmp_path: Path) -> None:
    text = "ccproxy: {log_level: ERROR}"
    assert load_text(tmp_path, text, {"LOG_LEVEL": "warning"}).config.log_level == "WARNING"
    both = {"LOG_LEVEL": "warning", "CCPROXY_LOG_LEVEL": "DEBUG"}
    assert load_text(tmp_path, text, both).config.log_level == "DEBUG"


def test_a_level_of_another_program_is_ignored_with_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "ccproxy: {log_level: ERROR}", {"LOG_LEVEL": "trace"})
    assert loaded.config.log_level == "ERROR"
    assert warned(loaded) == ["LOG_LEVEL: is ignored: it is none of DEBUG, INFO, WARNING, ERROR, CRITICAL"]


# errors


def test_all_errors_come_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      port: high
      log_level: LOUD
      hooks:
        inbound:
          - inject_auth
          - injct_auth
      providers:
        open ai:
          type: openai
          host: api.openai.com
        local:
          type: opnai
          base_url: http://192.168.1.2/v1
          auth: printenv KEY
      lightllm:
        transforms:
          - match_path: "("
            dest_provider: locale
    """
    assert refused(tmp_path, text, {"CCPROXY_USE_JOURNAL": "perhaps"}) == [
        "CCPROXY_USE_JOURNAL: should be true or false",
        "2: port: should be a whole number",
        "3: log_level: should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
        '7: hooks.inbound.1: "injct_auth" is no built-in hook; did you mean "inject_auth"?; '
        "a module of your own is named by its dotted path",
        "9: providers.open ai: should be a name of letters, digits, - and _ only",
        '13: providers.local.type: "opnai" is no provider type; did you mean "openai"? (one of: anthropic, deepseek, '
        "zai, minimax, openai, openrouter, openai_responses, google, gemini, vertex_ai, vertex_ai_beta, echo, "
        "perplexity_pro, openai_conversations)",
        "14: providers.local.base_url: would send the credential over plain http; use https, or a loopback address "
        "such as http://127.0.0.1:8080",
        "18: lightllm.transforms.0.match_path: is not a regular expression: missing ), unterminated subpattern at "
        "position 0",
        '19: lightllm.transforms.0.dest_provider: "locale" is not among the providers; did you mean "local"?',
    ]


WRONG = [
    # what stands under "ccproxy:", from line 2 on; the problem
    ("port: true", "2: port: should be a number, not true or false"),
    ("port: 0", "2: port: should be greater than or equal to 1"),
    ("port: 65536", "2: port: should be less than or equal to 65535"),
    ("port: 1.5", "2: port: should be a whole number"),
    ("host: 127.0.0.1:4000", '2: host: should be a bare host name or address, such as "api.example.com"'),
    ("host: 12", "2: host: should be text; put quotes around it"),
    ("use_journal: 7", "2: use_journal: should be true or false"),
    ("provider_timeout: 0", "2: provider_timeout: should be greater than 0"),
    ("provider_timeout: .inf", "2: provider_timeout: should be a finite number"),
    ("shutdown_timeout_s: soon", "2: shutdown_timeout_s: should be a number"),
    ("log_file: ''", "2: log_file: should be a path, not empty text"),
    ("log_file: 7", "2: log_file: should be a path; put quotes around it"),
    ("allowed_hosts: example.com", "2: allowed_hosts: should be a list"),
    ("hooks: [inject_auth]", "2: hooks: should be a mapping of keys"),
    ("providers: [echo]", "2: providers: should be a mapping of names"),
    ("listener_token: a b", "2: listener_token: should match pattern '^[!-~]+$'"),
    ("readiness_probe_url: ftp://x", "2: readiness_probe_url: should be a URL that starts with http:// or https://"),
    ("inspector:\n    port: 4000", "3: inspector.port: is 4000, which port has already"),
    ("mcp: {http: {port: 8083}}", "2: mcp.http.port: is 8083, which inspector.port has already"),
    ("inspector: {mitmproxy: {stream_large_bodies: 3mb}}", "should be a size"),
    ("inspector: {mitmproxy: {ignore_hosts: ['[']}}", "2: inspector.mitmproxy.ignore_hosts.0: is not a regular"),
    ("inspector: {mitmproxy: {web_password: {type: keyring}}}", "should be the token as text, or a source"),
    ("providers: {p: }", "2: providers.p.type: is missing"),
    ("providers: {p: {type: openai}}", "2: providers.p: has neither host nor base_url"),
    ("providers: {p: {type: openai, host: 'https://x'}}", '2: providers.p.host: should be "host" or "host:port"'),
    ("providers: {p: {type: openai, host: h, base_url: 'https://h'}}", "cannot be set together with host"),
    ("providers: {p: {type: openai, host: h, path: v1}}", "2: providers.p.path: should be a path that starts with /"),
    ("providers: {p: {type: openai, host: h, auth: {type: literal}}}", "2: providers.p.auth: should name its source"),
    ("providers: {p: {type: openai, host: h, auth: ''}}", "2: providers.p.auth: should not be empty"),
    ("providers: {p: {type: openai, host: h, auth: {env: A B}}}", "2: providers.p.auth.env: should match pattern"),
    ("providers: {p: {type: openai, host: h, auth: {env: A, header: Host}}}", "cannot carry a credential"),
    ("providers: {p: {type: openai, host: h, auth: {env: A, header: a, query_param: b}}}", "a token is sent once"),
    (
        "providers: {p: {type: openai, host: h, fingerprint_profile: chrome1310}}",
        '2: providers.p.fingerprint_profile: "chrome1310" is no fingerprint profile; did you mean "chrome131"?',
    ),
    (
        "lightllm: {transforms: [{action: passthrough}]}",
        "2: lightllm.transforms.0.dest_host: is needed: a request to the reverse listener has no destination",
    ),
    ("lightllm: {transforms: [{match_model: x}]}", "needs dest_provider or dest_host to redirect to"),
    ("lightllm: {transforms: [{action: transform}]}", "needs dest_provider or dest_host to transform to"),
    ("lightllm: {transforms: [{dest_host: 'https://h/v1'}]}", "has a path; that belongs into dest_path"),
    ("lightllm: {transforms: [{dest_host: h, inject: always}]}", "whose credential should be put in?"),
    ("lightllm: {transforms: [{dest_host: h, inject: never}]}", "should be 'beside_sentinel' or 'always'"),
    ("lightllm: {transforms: [null]}", "2: lightllm.transforms.0: should be a mapping of keys"),
    ("hooks: {inbound: [my_hook]}", '"my_hook" is no built-in hook; a module of your own is named by its dotted path'),
    ("hooks: {inbound: [ccproxy.hooks.shapes]}", '"shapes" is no built-in hook; did you mean "shape"?'),
    ("hooks: {inbound: [a-b]}", "should be the name of a built-in hook, or the dotted path of a module"),
    ("port: 4001\n  port: 4002", "3: port: occurs twice, first on line 2"),
    ("port: !secret x", "2: port: cannot be read; put quotes around it, and no tag before it"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_value_is_refused_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    problems = refused(tmp_path, f"ccproxy:\n  {text}\n".encode())
    found = [problem for problem in problems if expected in problem]
    assert len(found) == 1, problems
    assert found[0][0] in "23"


UNREADABLE = [
    ("ccproxy:\n  port: [\n", "3: is not YAML: did not find expected node content"),
    ("ccproxy:\n\tport: 1\n", "2: is not YAML: found character that cannot start any token"),
    ("ccproxy: {port: 1}\n---\nccproxy: {}\n", "is not YAML: but found another document"),
    ("ccproxy: *nowhere\n", "1: is not YAML: found undefined alias"),
    ("ccproxy:\n  pplx: &a {b: *a}\n", "2: ccproxy.pplx.b: unfolds without end: an alias contains itself"),
    ("ccproxy:\n  ? [a, b]\n  : 1\n", "2: ccproxy: has a key that is not text"),
    ("- port\n", '1: should be a mapping with the key "ccproxy"'),
    ("ccproxy: 4000\n", "1: ccproxy: should be a mapping of keys"),
    (b"ccproxy:\n  host: \xff\n", "2: is not UTF-8 text"),
    (b"ccproxy:\n  host: a\x00b\n", "2: holds a character that YAML does not allow"),
]


@pytest.mark.parametrize(("text", "expected"), UNREADABLE)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str | bytes, expected: str) -> None:
    (problem,) = refused(tmp_path, text)
    assert expected in problem


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    instance.config_file.mkdir()
    with pytest.raises(ConfigError, match=r"ccproxy\.yaml: cannot be read: Is a directory"):
        load(instance, {})


def test_a_message_never_holds_the_value(tmp_path: Path) -> None:
    secret = "sk-very-secret"
    text = f"""\
    ccproxy:
      listener_token: "{secret} x"
      port: {secret}
      host: {secret}@x
      readiness_probe_url: https://u:{secret}@x
      log_level: {secret}
      inspector: {{mitmproxy: {{web_password: ["{secret}"]}}}}
      providers:
        p: {{type: openai, host: "{secret}@h", auth: {{type: literal, literal: {secret}}}}}
    """
    problems = refused(tmp_path, text, {"CCPROXY_PROVIDER_TIMEOUT": secret})
    assert len(problems) == 9
    assert secret not in "\n".join(problems)


# warnings


def test_unknown_keys_warn_and_suggest(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      prot: 4001
      inspector:
        mitmproxy:
          ssl_insecur: true
      providers:
        p:
          type: openai
          host: h
          auth: {command: a, hedder: x-api-key}
      mcp: {http: {hots: x}}
      lightllm: {transforms: [{dest_host: h, dest_modell: x}]}
      zzz: 1
    ccprox: {}
    port: 1
    """
    loaded = load_text(tmp_path, text)
    assert warned(loaded) == [
        '2: prot: is no key of this section, and ignored; did you mean "port"?',
        '5: inspector.mitmproxy.ssl_insecur: is no key of this section, and ignored; did you mean "ssl_insecure"?',
        '10: providers.p.auth.hedder: is no key of this section, and ignored; did you mean "header"?',
        '11: mcp.http.hots: is no key of this section, and ignored; did you mean "host"?',
        '12: lightllm.transforms.0.dest_modell: is no key of this section, and ignored; did you mean "dest_model"?',
        "13: zzz: is no key of this section, and ignored",
        '14: ccprox: is ignored: everything is under the one key "ccproxy:"; did you mean "ccproxy"?',
        '15: port: is ignored: it belongs under "ccproxy:"',
    ]
    assert loaded.config.port == 4000


def test_an_unknown_key_is_named_beside_the_error_that_it_causes(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      providers:
        p:
          type: openai
          hots: api.openai.com
    """
    assert refused(tmp_path, text) == [
        "3: providers.p: has neither host nor base_url: where should its requests go?",
        '5: providers.p.hots: is no key of this section, and ignored; did you mean "host"?',
    ]


def test_strict_makes_errors_of_warnings(tmp_path: Path) -> None:
    text = "ccproxy: {prot: 4001, otel: {enabled: true}}"
    assert len(load_text(tmp_path, text).warnings) == 2
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text, strict=True)
    assert [problem.severity for problem in caught.value.problems] == ["error", "error"]


def test_a_section_with_nothing_beneath_is_at_its_default(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path, "ccproxy:\n  auth:\n  hooks:\n    inbound:\n  providers:\n  lightllm:\n    transforms:\n"
    )
    assert loaded.warnings == ()
    assert loaded.config.hooks == Config().hooks
    assert loaded.config.providers == Config().providers


# a file of version 2


def test_a_full_configuration_of_version_2_loads_with_these_warnings(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, FIXTURE.read_bytes())
    assert warned(loaded) == [
        "23: hooks.inbound.2: extract_pplx_files is not built, and skipped",
        "24: hooks.inbound.3: pplx_thread_inject is not built, and skipped",
        "26: hooks.outbound.0: gemini_cli is not built, and skipped",
        "27: hooks.outbound.1: pplx_stamp_headers is not built, and skipped",
        "28: hooks.outbound.2: pplx_preflight is not built, and skipped",
        "29: hooks.outbound.3: inject_mcp_notifications is not built, and skipped",
        "32: hooks.outbound.6: shape is not built, and skipped",
        "43: providers.codex.auth: codex_oauth is not built: requests to this provider are refused",
        "57: providers.gemini.auth: google_oauth is not built: requests to this provider are refused",
        "73: providers.perplexity_pro.type: perplexity_pro is not built: requests to this provider are refused",
        "132: gemini_capacity.fallback_models: is not built: an exhausted model is not replaced by another",
        "153: shaping.providers: is not built: requests are not shaped",
    ]


def test_what_a_configuration_of_version_2_means(tmp_path: Path) -> None:
    config = load_text(tmp_path, FIXTURE.read_bytes()).config
    assert [entry.name for entry in config.hooks.inbound] == ["inject_auth", "extract_session_id"]
    assert [entry.path for entry in config.hooks.outbound] == [
        "ccproxy.hooks.verbose_mode",
        "ccproxy.hooks.commitbee_compat",
    ]
    dialects = {name: provider.dialect for name, provider in config.providers.items()}
    assert dialects == {
        "anthropic": "anthropic",
        "codex": "openai_responses",
        "deepseek": "anthropic",
        "gemini": "google",
        "perplexity_pro": None,
        "zai": "anthropic",
    }
    assert len(config.transforms) == 3
    assert config.inspector.cert_dir == tmp_path / "home" / ".config" / "ccproxy"
    assert config.log_file == tmp_path / "state" / "ccproxy" / "ccproxy.log"


# files and commands


def test_the_authorities_file_must_hold_a_certificate(tmp_path: Path) -> None:
    text = "ccproxy:\n  upstream_ca_file: ca.pem\n"
    (problem,) = refused(tmp_path, text)
    assert problem == f"2: upstream_ca_file: {tmp_path}/config/ccproxy/ca.pem cannot be read: No such file or directory"
    (tmp_path / "config/ccproxy/ca.pem").write_text("a key, perhaps\n")
    (problem,) = refused(tmp_path, text)
    assert problem.endswith("ca.pem holds no certificate in PEM form")
    (tmp_path / "config/ccproxy/ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert load_text(tmp_path, text).config.upstream_ca_file == tmp_path / "config/ccproxy/ca.pem"


def test_offline_reads_nothing_but_the_configuration(tmp_path: Path) -> None:
    config = load_text(tmp_path, "ccproxy: {upstream_ca_file: /nowhere/ca.pem}", offline=True).config
    assert config.upstream_ca_file == Path("/nowhere/ca.pem")


def test_loading_runs_no_command_and_writes_nothing(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    text = f"""\
    ccproxy:
      listener_token: {{command: touch {ran}}}
      providers:
        p: {{type: openai, host: h, auth: touch {ran}}}
    """
    instance = make_instance(tmp_path, text)
    before = sorted(map(str, tmp_path.rglob("*")))
    load(instance, {})
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_a_reload_that_fails_leaves_what_was_loaded(tmp_path: Path) -> None:
    first = load_text(tmp_path, "ccproxy: {port: 4001, hooks: {inbound: [inject_auth]}}")
    refused(tmp_path, "ccproxy: {port: wrong}")
    assert first.config.port == 4001
    assert load_text(tmp_path, "ccproxy: {port: 4003}").config.port == 4003


def test_what_was_loaded_does_not_show_its_secrets(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      listener_token: hush-1
      inspector: {mitmproxy: {web_password: hush-2}}
      mcp: {http: {auth: hush-3}}
      providers: {p: {type: gemini, host: h, auth: {type: google_oauth, client_secret: hush-4}}}
    """
    loaded = load_text(tmp_path, text)
    assert "hush" not in repr(loaded)
    assert loaded.config.listener_token == "hush-1"


def test_home_and_relative_paths(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      log_file: logs/x.log
      inspector: {cert_dir: ~/ca, mitmproxy: {confdir: ca}}
      providers: {p: {type: openai, host: h, auth: {file: ../key}}}
    """
    config = load_text(tmp_path, text).config
    assert config.log_file == tmp_path / "state/ccproxy/logs/x.log"
    assert config.inspector.cert_dir == tmp_path / "home/ca"
    assert config.inspector.mitmproxy.confdir == tmp_path / "config/ccproxy/ca"
    assert os.path.normpath(config.providers["p"].auth.file) == str(tmp_path / "config/key")  # type: ignore[union-attr]
