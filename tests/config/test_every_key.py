"""Every key of the schema changes what the daemon does, and a test shows it; or nothing acts on it, and it warns.

A test that is named here and does not exist skips, and fails in continuous integration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from ccproxy.config.keys import all_keys
from ccproxy.config.known import has_no_effect
from ccproxy.config.section import Section
from tests.support.need import missing

KNOWN: Final = "known"
_RULE: Final = {
    "match_host": "tests/test_routing.py::test_all_given_fields_must_match",
    "match_path": "tests/test_routing.py::test_all_given_fields_must_match",
    "match_model": "tests/test_routing.py::test_all_given_fields_must_match",
    "action": "tests/test_routing.py::test_passthrough_keeps_the_path_and_injects_nothing",
    "dest_provider": "tests/test_routing.py::test_the_first_rule_wins_before_the_sentinel",
    "dest_host": "tests/test_routing.py::test_a_rule_that_only_names_a_host_never_injects",
    "dest_path": "tests/test_routing.py::test_dest_path_replaces_the_providers",
    "dest_model": "tests/test_routing.py::test_the_models_of_a_google_path_match_and_are_replaced_there",
    "dest_vertex_project": "tests/test_routing.py::test_a_rule_names_project_and_location_of_vertex_ai",
    "dest_vertex_location": "tests/test_routing.py::test_a_rule_names_project_and_location_of_vertex_ai",
    "inject": "tests/test_routing.py::test_a_rule_injects_only_beside_a_sentinel_or_always",
}
_TOKEN: Final = {
    "header": KNOWN,
    "query_param": KNOWN,
    "type": "tests/auth/test_credentials.py::test_other_secrets_are_read_by_the_same_sources",
    "command": "tests/auth/test_credentials.py::test_other_secrets_are_read_by_the_same_sources",
    "file": "tests/auth/test_credentials.py::test_other_secrets_are_read_by_the_same_sources",
    "env": "tests/auth/test_credentials.py::test_other_secrets_are_read_by_the_same_sources",
}
_OAUTH: Final = ("file_path", "access_path", "refresh_path", "expiry_path", "endpoint", "client_id", "client_secret")

SHOWN_BY: Final[dict[str, str]] = {
    "host": "tests/listener/test_settings.py::test_only_the_configured_host_is_bound",
    "port": "tests/cli/test_start.py::test_the_configured_addresses_are_bound",
    "log_level": "tests/control/test_process_log.py::test_less_severe_messages_are_left_out",
    "log_file": "tests/control/test_process_log.py::test_the_configured_file_is_written",
    "journal_identifier": "tests/control/test_process_log.py::test_the_journal_alone_is_written_under_the_identifier",
    "use_journal": "tests/control/test_process_log.py::test_the_journal_alone_is_written_under_the_identifier",
    "provider_timeout": "tests/listener/test_settings.py::test_provider_timeout_ends_a_silent_request",
    "verify_readiness_on_startup": "tests/listener/test_settings.py::test_a_failed_readiness_probe_stops_the_start",
    "readiness_probe_url": "tests/listener/test_settings.py::test_a_failed_readiness_probe_stops_the_start",
    "readiness_probe_timeout_seconds": "tests/listener/test_settings.py::test_a_slow_readiness_probe_stops_the_start",
    "shutdown_timeout_s": "tests/e2e/test_lifecycle.py::test_a_stream_that_goes_on_is_cut_after_its_time",
    "upstream_ca_file": "tests/listener/test_settings.py::test_upstream_ca_file_is_trusted",
    "allowed_hosts": "tests/security/test_arrival.py::test_a_local_or_allowed_page_may_ask",
    "listener_token": "tests/security/test_arrival.py::test_another_user_with_the_listeners_token_is_let_in",
    **{f"listener_token.{key}": test for key, test in _TOKEN.items()},
    "trust_windows_host": "tests/security/test_unknown_user.py::test_a_client_whose_user_cannot_be_told_needs_trust",
    "auth.command_timeout_seconds": "tests/auth/test_credentials.py::test_a_command_has_the_configured_time_and_room",
    "auth.refresh_timeout_seconds": KNOWN,
    "auth.refresh_headroom_seconds": KNOWN,
    "auth.command_cache_s": "tests/auth/test_credentials.py::test_token_is_kept_for_the_configured_time",
    "auth.output_limit_bytes": "tests/auth/test_credentials.py::test_a_command_has_the_configured_time_and_room",
    "providers.*.type": "tests/test_routing.py::test_another_wire_format_is_a_transform",
    "providers.*.host": "tests/test_routing.py::test_the_sentinel_names_the_provider",
    "providers.*.base_url": "tests/test_routing.py::test_the_sentinel_names_the_provider",
    "providers.*.path": "tests/test_routing.py::test_the_sentinel_names_the_provider",
    "providers.*.auth": "tests/auth/test_credentials.py::test_token_goes_where_the_source_declares",
    "providers.*.auth.header": "tests/auth/test_credentials.py::test_token_goes_where_the_source_declares",
    "providers.*.auth.query_param": "tests/auth/test_credentials.py::test_token_goes_where_the_source_declares",
    "providers.*.auth.type": "tests/auth/test_credentials.py::test_failure_says_why",
    "providers.*.auth.command": "tests/auth/test_credentials.py::test_token_goes_where_the_source_declares",
    "providers.*.auth.file": "tests/auth/test_credentials.py::test_changed_file_is_used_at_once",
    "providers.*.auth.env": "tests/auth/test_credentials.py::test_variable_is_the_token",
    **{f"providers.*.auth.{key}": KNOWN for key in _OAUTH},
    "providers.*.fingerprint_profile": "tests/sidecar/test_profile.py::test_a_provider_sees_the_browser_of_its_profile",
    "lightllm.transforms": "tests/test_routing.py::test_the_first_rule_wins_before_the_sentinel",
    **{f"lightllm.transforms.*.{key}": test for key, test in _RULE.items()},
    "hooks.inbound": "tests/pipeline/test_stages.py::test_hooks_run_in_their_stage_with_their_parameters",
    "hooks.inbound.*.hook": "tests/pipeline/test_stages.py::test_hooks_run_in_their_stage_with_their_parameters",
    "hooks.inbound.*.params": "tests/pipeline/test_stages.py::test_hooks_run_in_their_stage_with_their_parameters",
    "hooks.outbound": "tests/pipeline/test_stages.py::test_hooks_run_in_their_stage_with_their_parameters",
    "hooks.outbound.*.hook": "tests/pipeline/test_stages.py::test_hooks_run_in_their_stage_with_their_parameters",
    "hooks.outbound.*.params": "tests/pipeline/test_stages.py::test_hooks_run_in_their_stage_with_their_parameters",
    "inspector.port": "tests/listener/test_web.py::test_the_web_ui_is_on_its_port_with_its_password",
    "inspector.cert_dir": "tests/listener/test_authority.py::test_cert_dir_is_used",
    "inspector.provider_map": KNOWN,
    "inspector.transforms": "tests/config/test_model.py::test_rules_of_both_places_in_order",
    **{f"inspector.transforms.*.{key}": test for key, test in _RULE.items()},
    "inspector.mitmproxy.confdir": "tests/listener/test_authority.py::test_confdir_is_used",
    "inspector.mitmproxy.ssl_insecure": "tests/listener/test_settings.py::test_ssl_insecure_never_with_a_credential",
    "inspector.mitmproxy.stream_large_bodies": "tests/listener/test_settings.py::test_large_bodies_are_streamed",
    "inspector.mitmproxy.body_size_limit": "tests/listener/test_settings.py::test_body_size_limit",
    "inspector.mitmproxy.web_host": "tests/listener/test_web.py::test_the_web_ui_is_on_its_host",
    "inspector.mitmproxy.web_password": (
        "tests/listener/test_web.py::test_the_web_ui_is_on_its_port_with_its_password"
    ),
    **{f"inspector.mitmproxy.web_password.{key}": test for key, test in _TOKEN.items()},
    "inspector.mitmproxy.web_open_browser": "tests/listener/test_web.py::test_web_open_browser",
    "inspector.mitmproxy.ignore_hosts": "tests/listener/test_web.py::test_ignored_hosts_are_not_opened",
    "inspector.mitmproxy.allow_hosts": "tests/listener/test_web.py::test_only_allowed_hosts_are_opened",
    "inspector.mitmproxy.termlog_verbosity": "tests/listener/test_settings.py::test_termlog_verbosity",
    "inspector.mitmproxy.flow_detail": "tests/listener/test_settings.py::test_flow_detail",
    "inspector.tls_keylog": "tests/listener/test_settings.py::test_the_key_log_is_private_and_off_by_default",
    "inspector.wg_keylog": KNOWN,
    "sidecar.port": "tests/cli/test_start.py::test_the_configured_addresses_are_bound",
    "mcp.http.enabled": "tests/cli/test_start.py::test_mcp_can_be_switched_off",
    "mcp.http.host": "tests/cli/test_start.py::test_the_configured_addresses_are_bound",
    "mcp.http.port": "tests/cli/test_start.py::test_the_configured_addresses_are_bound",
    "mcp.http.auth": "tests/mcp/test_serve.py::test_a_token_is_asked_for",
    **{f"mcp.http.auth.{key}": test for key, test in _TOKEN.items()},
    "mcp.buffer.max_events_per_task": KNOWN,
    "mcp.buffer.ttl_seconds": KNOWN,
    "flows.default_jq_filters": "tests/cli/test_flows.py::test_default_filters_of_the_configuration",
    "flows.max_age_s": "tests/flows/test_retention.py::test_a_daemon_keeps_what_it_is_told_to",
    "flows.max_count": "tests/flows/test_retention.py::test_a_daemon_keeps_what_it_is_told_to",
    "flows.max_bytes": "tests/flows/test_retention.py::test_a_daemon_keeps_what_it_is_told_to",
    "flows.body_limit_bytes": "tests/listener/test_settings.py::test_a_body_is_captured_up_to_its_limit",
    "limits.body_bytes": "tests/listener/test_settings.py::test_a_larger_body_is_answered_with_413",
    "limits.header_bytes": "tests/listener/test_settings.py::test_larger_headers_are_refused",
    "limits.parse_bytes": "tests/listener/test_settings.py::test_a_larger_body_is_not_parsed",
    "limits.web_view_bytes": "tests/listener/test_web.py::test_the_web_view_is_bounded_by_bytes",
    "shaping.enabled": KNOWN,
    "shaping.shapes_dir": KNOWN,
    "shaping.providers": KNOWN,
    "shaping.providers.*.content_fields": KNOWN,
    "shaping.providers.*.merge_strategies": KNOWN,
    "shaping.providers.*.shape_hooks": KNOWN,
    "shaping.providers.*.capture.path_pattern": KNOWN,
    "shaping.providers.*.preserve_headers": KNOWN,
    "shaping.providers.*.strip_headers": KNOWN,
    "gemini_capacity.enabled": KNOWN,
    "gemini_capacity.retry_status_codes": KNOWN,
    "gemini_capacity.fallback_models": KNOWN,
    "gemini_capacity.sticky_retry_attempts": KNOWN,
    "gemini_capacity.sticky_retry_max_delay_seconds": KNOWN,
    "gemini_capacity.terminal_delay_threshold_seconds": KNOWN,
    "gemini_capacity.total_retry_budget_seconds": KNOWN,
    "otel.enabled": KNOWN,
    "otel.endpoint": KNOWN,
    "otel.service_name": KNOWN,
    "pplx": KNOWN,
}


def keys_with_a_value() -> set[str]:
    """Every key but those that only hold others."""
    found = set()
    for key in all_keys():
        mere_section = key.branches and (
            isinstance(key.field.get_default(call_default_factory=True), Section) or key.dotted == "providers"
        )
        if not mere_section:
            found.add(key.dotted)
    return found


def test_the_table_covers_the_schema() -> None:
    assert set(SHOWN_BY) == keys_with_a_value()


@pytest.mark.parametrize("key", SHOWN_BY)
def test_what_has_no_effect_is_what_the_program_says_has_none(key: str) -> None:
    assert has_no_effect(key) == (SHOWN_BY[key] == KNOWN)


@pytest.mark.parametrize("node", sorted(set(SHOWN_BY.values()) - {KNOWN}))
def test_the_named_test_exists(node: str) -> None:
    path, _, name = node.partition("::")
    file = Path(__file__).parents[2] / path
    if not (file.exists() and f"def {name}(" in file.read_text()):
        missing(f"{node} is not written")
