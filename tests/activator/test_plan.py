from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ccproxy.activator.banner import banner
from ccproxy.activator.plan import Bind, Plan, plan_in_child
from ccproxy.config.instance import find_instance
from ccproxy.config.load import load
from ccproxy.control.protocol import dialled
from ccproxy.errors import ConfigError, Problem


def plan_of(tmp_path: Path, text: str = "") -> Plan:
    instance = find_instance(str(tmp_path), {"HOME": str(tmp_path)})
    if text:
        instance.config_file.write_text(text)
    return Plan.of(load(instance, {}), instance.name)


def test_the_defaults_bind_what_the_design_says(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert plan.tcp == {
        "proxy": Bind("127.0.0.1", 4000, "port"),
        "sidecar": Bind("127.0.0.1", 4002, "sidecar.port"),
        "mcp": Bind("127.0.0.1", 4030, "mcp.http.port"),
    }
    assert plan.web_ui == Bind("127.0.0.1", 8083, "inspector.port")
    assert plan.echo_provider == "echo"
    assert plan.shutdown_timeout_s == 10


def test_the_configuration_changes_the_plan(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        "ccproxy: {host: '::1', port: 1, sidecar: {port: 2}, inspector: {port: 3}, mcp: {http: {enabled: false}},"
        " providers: {x: {type: openai, host: h.example}}, log_file: null, journal_identifier: me,"
        " shutdown_timeout_s: 1, hst: 1}",
    )
    assert plan.tcp == {"proxy": Bind("::1", 1, "port"), "sidecar": Bind("127.0.0.1", 2, "sidecar.port")}
    assert plan.web_ui.port == 3
    assert plan.echo_provider is None
    assert (plan.log_file, plan.identifier, plan.shutdown_timeout_s) == (None, "me", 1)
    assert "hst" in plan.warnings[0]


def test_a_plan_survives_the_pipe(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan_in_child(lambda: plan) == plan


def test_every_problem_comes_back_from_the_child() -> None:
    problems = (Problem("port", "no", "f", 3), Problem("host", "no"))

    def make() -> Plan:
        raise ConfigError(*problems)

    with pytest.raises(ConfigError) as refused:
        plan_in_child(make)
    assert refused.value.problems == problems


def test_a_child_that_dies_is_an_error_not_a_wait() -> None:
    with pytest.raises(ConfigError, match="config check"):
        plan_in_child(lambda: os._exit(9))


def test_the_banner_has_the_lines_to_try_and_no_token_unless_it_may(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    shown = banner(plan, "3.0", None)
    assert shown.count("curl http://127.0.0.1:4000/") == 3
    assert shown.count("sk-ant-oat-ccproxy-echo") == 3
    assert "http://127.0.0.1:8083/\n" in shown
    assert "http://127.0.0.1:8083/?token=abc" in banner(plan, "3.0", "http://127.0.0.1:8083/?token=abc")


def test_without_an_embedded_provider_there_is_nothing_to_try(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "ccproxy: {providers: {x: {type: openai, host: h.example}}}")
    assert "curl" not in banner(plan, "3.0", None)


@pytest.mark.parametrize(
    ("bound", "url"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("box.lan", "box.lan")],
)
def test_a_bound_address_is_written_as_it_is_dialled(bound: str, url: str) -> None:
    assert dialled(bound) == url
