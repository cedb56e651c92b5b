"""What one configuration means to the listener. A reload makes a new one; exchanges under way keep theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from ccproxy.addresses import Origin
from ccproxy.config.model import Config
from ccproxy.config.providers import ECHO, Provider
from ccproxy.guard import EgressPolicy, named_hosts
from ccproxy.pipeline.plan import Pipeline

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Policy:
    """A configuration, made ready for the hot path."""

    config: Config
    pipeline: Pipeline
    egress: EgressPolicy
    local_hosts: frozenset[str]
    """Host names and addresses by which the reverse listener is addressed, beside loopback."""
    verified_hosts: frozenset[str]
    """Upstream hosts whose certificate is checked whatever ``ssl_insecure`` says: credentials go there."""
    listener_token: str | None
    own_uid: int
    echo_port: int | None
    """Where the embedded provider listens; None if none is configured."""

    def provider_origin(self, name: str) -> Origin:
        """Where a provider is reached; the embedded one on its private socket."""
        provider = self.config.providers[name]
        if provider.type == ECHO and provider.base_url is None and provider.host is None:
            return "http", LOOPBACK, self.echo_port or 0
        return provider.origin


def policy_of(config: Config, pipeline: Pipeline, listener_token: str | None, echo_port: int | None) -> Policy:
    """Derive the policy of a configuration that has been checked."""
    providers = config.providers.values()
    named = set(named_hosts(config.providers, config.transforms))
    if echo_port is not None:
        named.add(f"{LOOPBACK}:{echo_port}")
    own = {config.port, config.inspector.port, config.sidecar.port}
    if config.mcp.http.enabled:
        own.add(config.mcp.http.port)
    bound = {config.host, config.inspector.mitmproxy.web_host, config.mcp.http.host}
    return Policy(
        config=config,
        pipeline=pipeline,
        egress=EgressPolicy(frozenset(named), frozenset(own), frozenset(bound)),
        local_hosts=frozenset({config.host.lower()}),
        verified_hosts=frozenset(p.origin.host.lower() for p in providers if takes_credential(p)),
        listener_token=listener_token,
        own_uid=os.getuid(),
        echo_port=echo_port,
    )


def takes_credential(provider: Provider) -> bool:
    return provider.auth is not None
