"""What is in force, where it comes from, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from ccproxy.config.show import as_json, as_yaml
from tests.config.support import FIXTURE, load_text

SECRETS = """\
ccproxy:
  listener_token: hush-1
  inspector:
    mitmproxy:
      web_password: hush-2
  mcp: {http: {auth: hush-3}}
  providers:
    a: {type: gemini, host: h, auth: {type: google_oauth, client_secret: hush-4}}
    b: {type: openai, host: h, auth: "printf %s sk-hush5-abcdefgh"}
    c: {type: openai, host: h, path: "/v1?key=hush-6"}
  hooks:
    inbound:
      - {hook: my.hook, params: {api_key: hush-7, nested: {tokens: [hush-8, {x: hush-9}]}, colour: red}}
  pplx: {session_token: hush-10}
  shaping: {providers: {x: {shape_hooks: [{hook: y, params: {password: hush-11, pin: {secret: 1234567}}}]}}}
"""


def test_no_secret_is_printed(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, SECRETS)
    for text in (as_yaml(loaded), as_json(loaded)):
        assert "hush" not in text
        assert "1234567" not in text
        assert "colour" in text and "red" in text
    shown = json.loads(as_json(loaded))["config"]
    assert shown["listener_token"] == shown["inspector"]["mitmproxy"]["web_password"] == "***"
    assert shown["providers"]["b"]["auth"]["command"] == "printf %s ***"


def test_secrets_of_the_environment_are_not_printed_either(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, None, {"CCPROXY_LISTENER_TOKEN": "hush-1"})
    assert "hush" not in as_yaml(loaded) + as_json(loaded)
    assert "listener_token: '***'  # CCPROXY_LISTENER_TOKEN" in as_yaml(loaded)


def test_where_a_secret_comes_from_is_shown(tmp_path: Path) -> None:
    text = "ccproxy: {listener_token: {command: op read x}, mcp: {http: {auth: {env: MY_VAR}}}}"
    shown = json.loads(as_json(load_text(tmp_path, text)))["config"]
    assert shown["listener_token"]["command"] == "op read x"
    assert shown["mcp"]["http"]["auth"]["env"] == "MY_VAR"


def test_yaml_names_the_origin_of_each_value(tmp_path: Path) -> None:
    text = """\
    ccproxy:
      host: 127.0.0.2
      allowed_hosts: [a.example, b.example]
    """
    loaded = load_text(tmp_path, text, {"CCPROXY_PORT": "4005"}, {"inspector.port": "8090"})
    lines = as_yaml(loaded).splitlines()
    assert lines[0] == f"# {tmp_path}/config/ccproxy/ccproxy.yaml"
    for line in [
        "  host: 127.0.0.2  # line 2",
        "  port: 4005  # CCPROXY_PORT",
        "  log_level: INFO  # default",
        "  allowed_hosts: [a.example, b.example]  # line 3",
        "    port: 8090  # --inspector.port",
    ]:
        assert line in lines


def test_what_is_shown_is_the_same_configuration(tmp_path: Path) -> None:
    loaded = load_text(tmp_path / "a", FIXTURE.read_bytes())
    again = load_text(tmp_path / "b", as_yaml(loaded))
    assert again.config == loaded.config
    assert yaml.safe_load(as_yaml(loaded))["ccproxy"] == json.loads(as_json(loaded))["config"]


def test_json_has_the_origin_of_every_leaf_and_the_warnings(tmp_path: Path) -> None:
    shown = json.loads(as_json(load_text(tmp_path, "ccproxy: {port: 4001, prot: 1}")))
    assert shown["file"] == f"{tmp_path}/config/ccproxy/ccproxy.yaml"
    assert shown["origins"]["port"] == f"{shown['file']}:1"
    assert shown["origins"]["inspector.mitmproxy.ssl_insecure"] == "default"
    assert len(shown["warnings"]) == 1
    assert json.loads(as_json(load_text(tmp_path / "none", None)))["file"] is None


def test_a_key_that_yaml_would_take_for_something_else_is_quoted(tmp_path: Path) -> None:
    loaded = load_text(tmp_path / "a", 'ccproxy: {providers: {"on": {type: echo}, "404": {type: echo}}}')
    assert list(load_text(tmp_path / "b", as_yaml(loaded)).config.providers) == ["on", "404"]
    assert list(yaml.safe_load(as_yaml(loaded))["ccproxy"]["providers"]) == ["on", "404"]
