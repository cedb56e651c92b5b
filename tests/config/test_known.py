"""Keys that nothing acts on: one warning each, where it would have made a difference."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import pytest

import ccproxy.hooks
from ccproxy.config.hooks import BUILT
from tests.config.support import load_text, warned

ASKS = [
    ("otel: {enabled: true}", ["otel.enabled"]),
    ("gemini_capacity: {fallback_models: [a]}", ["gemini_capacity.fallback_models"]),
    ("shaping: {providers: {anthropic: {}}}", ["shaping.providers"]),
    ("pplx: {a: 1}", ["pplx"]),
    ("mcp: {buffer: {ttl_seconds: 5}}", ["mcp.buffer"]),
    ("inspector: {wg_keylog: true}", ["inspector.wg_keylog"]),
    ("providers: {p: {type: openai, host: h, auth: {type: codex_oauth}}}", ["providers.p.auth"]),
    ("providers: {p: {type: openai, host: h, auth: {type: anthropic_oauth}}}", ["providers.p.auth"]),
    ("providers: {p: {type: gemini, host: h, auth: {type: google_oauth}}}", ["providers.p.auth"]),
    ("providers: {p: {type: perplexity_pro, host: h}}", ["providers.p.type"]),
    (
        "lightllm: {transforms: [{dest_host: h, dest_vertex_project: p, dest_vertex_location: l}]}",
        ["lightllm.transforms.0.dest_vertex_project", "lightllm.transforms.0.dest_vertex_location"],
    ),
    (
        "inspector: {transforms: [{dest_host: h, dest_vertex_project: p}]}",
        ["inspector.transforms.0.dest_vertex_project"],
    ),
    ("listener_token: {env: A, header: b}", ["listener_token.header"]),
    (
        "hooks: {outbound: [shape, verbose_mode, {hook: ccproxy.hooks.gemini_cli}]}",
        ["hooks.outbound.0", "hooks.outbound.2"],
    ),
    ("hooks: {inbound: [cache_breakpoints, pplx_anything]}", ["hooks.inbound.0", "hooks.inbound.1"]),
]


@pytest.mark.parametrize(("text", "keys"), ASKS, ids=[text for text, _ in ASKS])
def test_asking_for_it_warns_once_with_the_line(tmp_path: Path, text: str, keys: list[str]) -> None:
    loaded = load_text(tmp_path, f"ccproxy:\n  {text}\n".encode())
    assert [warning.split(": ")[:2] for warning in warned(loaded)] == [["2", key] for key in keys]


IDLE = [
    "otel: {enabled: false, endpoint: 'http://jaeger:4317', service_name: x}",
    "inspector: {provider_map: {a.example: b}}",
    "gemini_capacity: {enabled: false, fallback_models: [a]}",
    "gemini_capacity: {enabled: true, sticky_retry_attempts: 9}",
    "shaping: {enabled: false, providers: {anthropic: {}}}",
    "shaping: {shapes_dir: /x}",
    "pplx: {}",
    "mcp: {buffer: {ttl_seconds: 600, max_events_per_task: 65536}}",
    "flows: {default_jq_filters: [.]}",
    "inspector: {wg_keylog: false}",
    "auth: {refresh_timeout_seconds: 1, refresh_headroom_seconds: 0}",
    "lightllm: {transforms: [{dest_host: h, dest_vertex_project: null}]}",
    "{providers: {v: {type: vertex_ai, host: h}}, lightllm: {transforms: "
    "[{dest_provider: v, dest_vertex_project: p, dest_vertex_location: l}]}}",
]


@pytest.mark.parametrize("text", IDLE)
def test_what_would_have_done_nothing_does_not_warn(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, f"ccproxy:\n  {text}\n".encode()).warnings == ()


def test_hooks_that_are_not_built_are_skipped(tmp_path: Path) -> None:
    config = load_text(tmp_path, "ccproxy: {hooks: {outbound: [shape, verbose_mode, gemini_cli, my.hook]}}").config
    assert [entry.path for entry in config.hooks.outbound] == ["ccproxy.hooks.verbose_mode", "my.hook"]


def test_the_built_hooks_are_those_that_there_are() -> None:
    assert sorted(BUILT) == sorted(module.name for module in pkgutil.iter_modules(ccproxy.hooks.__path__))
