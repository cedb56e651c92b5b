"""What a configuration may say and nothing acts on: understood, checked, and skipped with a warning.

A row warns only where the file asks for something that would have made a difference: ``otel: {enabled: false}``
does not. Every key of the schema is either covered here or has a test that shows its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ccproxy.config.auth import OAuthSource
from ccproxy.config.hooks import HookEntry, Hooks
from ccproxy.config.model import Config
from ccproxy.config.providers import UNBUILT_TYPES
from ccproxy.config.section import Finding, Loc
from ccproxy.config.unbuilt import NotificationBuffer


@dataclass(frozen=True, slots=True)
class Known:
    """One thing that is not built."""

    keys: tuple[str, ...]
    """Keys that have no effect, as patterns of the schema; what is beneath is meant too."""
    note: str
    """What does not happen."""
    asked: Callable[[Config], Iterator[Loc]]
    """Where a configuration asks for it."""


def _otel(config: Config) -> Iterator[Loc]:
    if config.otel.enabled:
        yield ("otel", "enabled")


def _gemini_capacity(config: Config) -> Iterator[Loc]:
    if config.gemini_capacity.enabled and config.gemini_capacity.fallback_models:
        yield ("gemini_capacity", "fallback_models")


def _shaping(config: Config) -> Iterator[Loc]:
    if config.shaping.enabled and config.shaping.providers:
        yield ("shaping", "providers")


def _pplx(config: Config) -> Iterator[Loc]:
    if config.pplx:
        yield ("pplx",)


def _notification_buffer(config: Config) -> Iterator[Loc]:
    if config.mcp.buffer != NotificationBuffer():
        yield ("mcp", "buffer")


def _jq_filters(config: Config) -> Iterator[Loc]:
    if config.flows.default_jq_filters:
        yield ("flows", "default_jq_filters")


def _wg_keylog(config: Config) -> Iterator[Loc]:
    if config.inspector.wg_keylog:
        yield ("inspector", "wg_keylog")


def _oauth(config: Config) -> Iterator[Loc]:
    for name, provider in config.providers.items():
        if isinstance(provider.auth, OAuthSource):
            yield ("providers", name, "auth")


def _provider_types(config: Config) -> Iterator[Loc]:
    for name, provider in config.providers.items():
        if provider.type in UNBUILT_TYPES:
            yield ("providers", name, "type")


def _vertex(config: Config) -> Iterator[Loc]:
    for section, rules in (("lightllm", config.lightllm.transforms), ("inspector", config.inspector.transforms)):
        for index, rule in enumerate(rules):
            for key in ("dest_vertex_project", "dest_vertex_location"):
                if getattr(rule, key) is not None:
                    yield (section, "transforms", index, key)


def unbuilt_hooks(config: Config) -> Iterator[Loc]:
    """Where a stage lists a hook that is not built."""
    for stage, entries in (("inbound", config.hooks.inbound), ("outbound", config.hooks.outbound)):
        for index, entry in enumerate(entries):
            if not entry.built:
                yield ("hooks", stage, index)


_AUTH = "providers.*.auth"

KNOWN: Final = (
    Known(("otel", "inspector.provider_map"), "is not built: no traces are exported", _otel),
    Known(("gemini_capacity",), "is not built: an exhausted model is not replaced by another", _gemini_capacity),
    Known(("shaping",), "is not built: requests are not shaped", _shaping),
    Known(("pplx",), "has no effect: the provider was taken out", _pplx),
    Known(("mcp.buffer",), "is not built: there are no notifications to buffer", _notification_buffer),
    Known(("flows.default_jq_filters",), "is not built: flows are listed unfiltered", _jq_filters),
    Known(("inspector.wg_keylog",), "is not built: no WireGuard keys are written", _wg_keylog),
    Known(
        (
            *(f"{_AUTH}.{key}" for key in OAuthSource.model_fields if key not in ("header", "query_param")),
            "auth.refresh_timeout_seconds",
            "auth.refresh_headroom_seconds",
        ),
        "is a source that is not built: requests to this provider are refused",
        _oauth,
    ),
    Known((), "is a type that is not built: requests to this provider are refused", _provider_types),
    Known(
        tuple(
            f"{section}.transforms.*.dest_vertex_{key}"
            for section in ("lightllm", "inspector")
            for key in ("project", "location")
        ),
        "is not built: the destination is used as it is",
        _vertex,
    ),
    Known((), "is a hook that is not built, and skipped", unbuilt_hooks),
)


def asked_for(config: Config) -> Iterator[Finding]:
    """Where ``config`` asks for what is not built."""
    for known in KNOWN:
        for loc in known.asked(config):
            yield Finding(loc, known.note)


def without_unbuilt_hooks(config: Config) -> Config:
    """The same configuration, its stages holding only hooks that can be loaded."""
    hooks = Hooks(inbound=_built(config.hooks.inbound), outbound=_built(config.hooks.outbound))
    return config.model_copy(update={"hooks": hooks})


def _built(entries: tuple[HookEntry, ...]) -> tuple[HookEntry, ...]:
    return tuple(entry for entry in entries if entry.built)
