"""What one configuration means to the listener. A reload makes a new one; exchanges under way keep theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from mitmproxy.utils import human

from ccproxy.addresses import Origin
from ccproxy.config.model import Config
from ccproxy.config.providers import ECHO, Provider
from ccproxy.control.protocol import dialled
from ccproxy.guard import EgressPolicy, named_hosts
from ccproxy.pipeline.plan import Pipeline

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Policy:
    """A configuration, made ready for the hot path."""

    config: Config
    born: Config
    """The configuration of this process's start: its sidecar and its MCP server are where that says, whatever a reload
    has read since."""
    pipeline: Pipeline
    egress: EgressPolicy
    stream_bytes: int | None
    """Larger request bodies are streamed through (``inspector.mitmproxy.stream_large_bodies``)."""
    local_hosts: frozenset[str]
    """Host names and addresses by which the reverse listener is addressed, beside loopback."""
    verified_hosts: frozenset[str]
    """Upstream hosts whose certificate is checked whatever ``ssl_insecure`` says: credentials go there."""
    listener_token: str | None
    own_uid: int
    echo_port: int | None
    """Where the embedded provider listens; None if none is configured."""

    def is_own_hop(self, host: str, port: int) -> bool:
        """One of the sockets to which this process itself sends: echo, sidecar, MCP."""
        ports = {self.echo_port, self.born.sidecar.port}
        return (host == LOOPBACK and port in ports) or (host, port) == self.mcp

    @property
    def mcp(self) -> tuple[str, int] | None:
        """Where the MCP process listens, as one dials it; None if it is switched off."""
        http = self.born.mcp.http
        return (dialled(http.host), http.port) if http.enabled else None

    def provider_origin(self, name: str) -> Origin:
        """Where a provider is reached; the embedded one on its private socket."""
        provider = self.config.providers[name]
        if provider.type == ECHO and provider.base_url is None and provider.host is None:
            return "http", LOOPBACK, self.echo_port or 0
        return provider.origin


def policy_of(
    config: Config, born: Config, pipeline: Pipeline, listener_token: str | None, echo_port: int | None
) -> Policy:
    """Derive the policy of a configuration that has been checked."""
    providers = config.providers.values()
    named = set(named_hosts(config.providers, config.transforms))
    if echo_port is not None:
        named.add(f"{LOOPBACK}:{echo_port}")
    own = {port for each in (config, born) for port in own_ports(each)}
    bound = {born.host, born.inspector.mitmproxy.web_host, born.mcp.http.host}
    return Policy(
        config=config,
        born=born,
        pipeline=pipeline,
        egress=EgressPolicy(frozenset(named), frozenset(own), frozenset(bound)),
        stream_bytes=human.parse_size(config.inspector.mitmproxy.stream_large_bodies),
        local_hosts=frozenset({config.host.lower()}),
        verified_hosts=frozenset(p.origin.host.lower() for p in providers if takes_credential(p)),
        listener_token=listener_token,
        own_uid=os.getuid(),
        echo_port=echo_port,
    )


def own_ports(config: Config) -> set[int]:
    ports = {config.port, config.inspector.port, config.sidecar.port}
    return ports | {config.mcp.http.port} if config.mcp.http.enabled else ports


def takes_credential(provider: Provider) -> bool:
    return provider.auth is not None
