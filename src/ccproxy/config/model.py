"""The root of the schema: everything under the top key ``ccproxy:`` of ``ccproxy.yaml``.

>>> Config().port
4000
>>> config = Config.model_validate({"providers": {"openai": {"type": "openai", "host": "api.openai.com"}}})
>>> config.providers["openai"].origin
Origin(scheme='https', host='api.openai.com', port=443)

Durations are seconds, sizes are bytes. A value is final: a reload makes a new ``Config``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ccproxy.config.auth import AuthSettings, TokenSource
from ccproxy.config.hooks import Hooks
from ccproxy.config.inspector import Inspector
from ccproxy.config.providers import ECHO, Provider, Providers
from ccproxy.config.quantities import (
    BindHost,
    Bytes,
    Count,
    HttpUrl,
    LogLevel,
    PathBesideFile,
    PathInState,
    Port,
    Seconds,
    SecondsOrZero,
)
from ccproxy.config.rules import TransformRule
from ccproxy.config.section import SECRET, CrossChecked, Finding, Section, did_you_mean, part
from ccproxy.config.unbuilt import GeminiCapacity, NotificationBuffer, Otel, Shaping

__all__ = [
    "DEFAULT_PROVIDERS",
    "AuthSettings",
    "Config",
    "Flows",
    "Inspector",
    "LightLlm",
    "Limits",
    "Mcp",
    "Provider",
    "Sidecar",
    "TransformRule",
]

DEFAULT_PROVIDERS = {ECHO: Provider(type=ECHO)}


class LightLlm(Section):
    """Translation and routing."""

    transforms: tuple[TransformRule, ...] = ()
    """Rules that send requests elsewhere; the first that matches wins."""


class Sidecar(Section):
    """The process that speaks with a browser's TLS fingerprint."""

    port: Port = 4002
    """Loopback port of the sidecar."""


class McpHttp(Section):
    """The MCP server's HTTP endpoint."""

    enabled: bool = True
    """Run the MCP server."""
    host: BindHost = "127.0.0.1"
    """Address that the MCP server listens on."""
    port: Port = 4030
    """Port of the MCP server."""
    auth: Annotated[TokenSource | None, SECRET] = None
    """Bearer token that MCP clients must show, or a source for it; null: none is asked for."""


class Mcp(Section):
    """The MCP server over the flow store."""

    http: McpHttp = McpHttp()
    """The HTTP endpoint."""
    buffer: NotificationBuffer = NotificationBuffer()
    """Notifications that wait for the next request of their session."""


class Flows(Section):
    """The record of requests, and how much of it is kept."""

    default_jq_filters: tuple[str, ...] = ()
    """jq filters that every `flows` command applies."""
    max_age_s: SecondsOrZero = 30 * 86400.0
    """Flows older than this are deleted, seconds; 0 keeps them."""
    max_count: Count = 10_000
    """Flows kept, the newest; 0 keeps all."""
    max_bytes: Count = 1024**3
    """Size of the store from which the oldest flows are deleted, bytes; 0 sets no limit."""
    body_limit_bytes: Count = 4 * 1024**2
    """Captured of each body, bytes; the rest is marked as cut."""


class Limits(Section):
    """Bounds on what one request may cost."""

    body_bytes: Bytes = 32 * 1024**2
    """A larger request body is answered with 413, bytes as they are sent: compressed, if they are."""
    header_bytes: Bytes = 64 * 1024
    """A larger block of request headers is refused, bytes."""
    parse_bytes: Bytes = 8 * 1024**2
    """A larger body, or one that decompresses to more, is forwarded without being parsed, bytes."""
    web_view_bytes: Count = 8 * 1024**2
    """Memory for the flows that the web UI shows, bytes."""


class Config(CrossChecked):
    """A whole configuration."""

    host: BindHost = "127.0.0.1"
    """Address that the proxy listens on. Beyond loopback, set `listener_token` and `allowed_hosts`."""
    port: Port = 4000
    """Port that the proxy listens on."""
    log_level: LogLevel = "INFO"
    """Least severity that is logged."""
    log_file: Annotated[PathInState | None, Field(validate_default=True)] = Path("ccproxy.log")
    """Log file, appended and rotated; relative to the state folder. null: none. Under systemd the journal is used."""
    journal_identifier: str | None = None
    """SYSLOG_IDENTIFIER in the journal; null: the instance's name."""
    use_journal: bool = False
    """Log to the journal even when not started by systemd."""
    provider_timeout: Seconds | None = None
    """Longest wait for the first byte of a provider's answer, seconds; null: no limit."""
    verify_readiness_on_startup: bool = False
    """Before serving, check that `readiness_probe_url` answers; the daemon stops if it does not."""
    readiness_probe_url: HttpUrl = "https://1.1.1.1/"
    """URL of that check; any HTTP status is an answer."""
    readiness_probe_timeout_seconds: Seconds = 5.0
    """Time for that check, seconds."""
    shutdown_timeout_s: SecondsOrZero = 10.0
    """Time that streams in flight are given when the daemon stops, seconds."""
    upstream_ca_file: PathBesideFile | None = None
    """PEM file of certificate authorities trusted for upstream connections, beside the system's."""
    allowed_hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:*?\[\]-]+$")], ...] = ()
    """Names by which clients may address the proxy, beside loopback names and the bound host; `*` matches any text."""
    listener_token: Annotated[TokenSource | None, SECRET] = None
    """Token that lets other users in, by the sentinel `sk-ant-oat-ccproxy-NAME.TOKEN`, or a source for it."""
    trust_windows_host: bool = False
    """Accept connections whose user cannot be told, as those from Windows into WSL."""
    auth: AuthSettings = AuthSettings()
    """How credentials are fetched."""
    providers: Providers = Field(default_factory=lambda: dict(DEFAULT_PROVIDERS))
    """Name → provider. The name is the last part of the sentinel key: letters, digits, `-` and `_`."""
    lightllm: LightLlm = LightLlm()
    """Translation and routing."""
    hooks: Hooks = Hooks()
    """Which hooks run. An entry is the name of a built-in hook, the dotted path of a module, or `{hook, params}`."""
    inspector: Inspector = Inspector()
    """The web UI, certificates and key logs."""
    sidecar: Sidecar = Sidecar()
    """The process that speaks with a browser's TLS fingerprint."""
    mcp: Mcp = Mcp()
    """The MCP server over the flow store."""
    flows: Flows = Flows()
    """The record of requests, and how much of it is kept."""
    limits: Limits = Limits()
    """Bounds on what one request may cost."""
    shaping: Shaping = Shaping()
    """Request templates replayed under the client's content."""
    gemini_capacity: GeminiCapacity = GeminiCapacity()
    """What happens when Gemini says that it is out of capacity."""
    otel: Otel = Otel()
    """OpenTelemetry traces."""
    pplx: dict[str, object] = Field(default_factory=dict)
    """Settings of a provider that was taken out."""

    @property
    def transforms(self) -> tuple[TransformRule, ...]:
        """All transform rules in the order in which they are tried."""
        return self.lightllm.transforms + self.inspector.transforms

    @classmethod
    def findings(cls, raw: Mapping[str, object]) -> Iterator[Finding]:
        yield from _shared_ports(raw)
        yield from _rules_without_provider(raw)


_PORTS = (("port",), ("inspector", "port"), ("sidecar", "port"), ("mcp", "http", "port"))


def _shared_ports(raw: Mapping[str, object]) -> Iterator[Finding]:
    defaults = {("port",): 4000, ("inspector", "port"): 8083, ("sidecar", "port"): 4002, ("mcp", "http", "port"): 4030}
    taken: dict[str, str] = {}
    for keys in _PORTS:
        if keys[0] == "mcp" and part(raw, "mcp", "http", "enabled") is False:
            continue
        value = part(raw, *keys)
        number = str(defaults[keys] if value is None else value)
        if number in taken:
            yield Finding(keys, f"is {number}, which {taken[number]} has already")
        taken.setdefault(number, ".".join(keys))


def _rules_without_provider(raw: Mapping[str, object]) -> Iterator[Finding]:
    providers = raw.get("providers")
    names = tuple(map(str, providers)) if isinstance(providers, Mapping) else tuple(DEFAULT_PROVIDERS)
    for section in ("lightllm", "inspector"):
        rules = part(raw, section, "transforms")
        if not isinstance(rules, Sequence) or isinstance(rules, str):
            continue
        for index, rule in enumerate(rules):
            wanted = part(rule, "dest_provider")
            if isinstance(wanted, str) and wanted not in names:
                yield Finding(
                    (section, "transforms", index, "dest_provider"),
                    f'"{wanted}" is not among the providers{did_you_mean(wanted, names)}',
                )
