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
from ccproxy.config.providers import UNBUILT_TYPES, VERTEX_TYPES
from ccproxy.config.section import Finding, part
from ccproxy.config.unbuilt import NotificationBuffer


@dataclass(frozen=True, slots=True)
class Known:
    """One thing that is not built."""

    keys: tuple[str, ...]
    """Keys that have no effect, as patterns of the schema; what is beneath is meant too."""
    asked: Callable[[Config], Iterator[Finding]]
    """Where a configuration asks for it, and what does not happen."""


def _otel(config: Config) -> Iterator[Finding]:
    if config.otel.enabled:
        yield Finding(("otel", "enabled"), "is not built: no traces are exported")


def _gemini_capacity(config: Config) -> Iterator[Finding]:
    if config.gemini_capacity.enabled and config.gemini_capacity.fallback_models:
        yield Finding(
            ("gemini_capacity", "fallback_models"), "is not built: an exhausted model is not replaced by another"
        )


def _shaping(config: Config) -> Iterator[Finding]:
    if config.shaping.enabled and config.shaping.providers:
        yield Finding(("shaping", "providers"), "is not built: requests are not shaped")


def _pplx(config: Config) -> Iterator[Finding]:
    if config.pplx:
        yield Finding(("pplx",), "has no effect: the provider was taken out")


def _notification_buffer(config: Config) -> Iterator[Finding]:
    if config.mcp.buffer != NotificationBuffer():
        yield Finding(("mcp", "buffer"), "is not built: there are no notifications to buffer")


def _wg_keylog(config: Config) -> Iterator[Finding]:
    if config.inspector.wg_keylog:
        yield Finding(("inspector", "wg_keylog"), "is not built: no WireGuard keys are written")


def _oauth(config: Config) -> Iterator[Finding]:
    for name, provider in config.providers.items():
        if isinstance(provider.auth, OAuthSource):
            message = f"{provider.auth.type} is not built: requests to this provider are refused"
            yield Finding(("providers", name, "auth"), message)


def _provider_types(config: Config) -> Iterator[Finding]:
    for name, provider in config.providers.items():
        if provider.type in UNBUILT_TYPES:
            message = f"{provider.type} is not built: requests to this provider are refused"
            yield Finding(("providers", name, "type"), message)


def _placement(config: Config) -> Iterator[Finding]:
    for loc in _TOKENS:
        for key in _PLACEMENT:
            if part(config, *loc, key) is not None:
                yield Finding((*loc, key), "has no effect here: this token is shown to ccproxy, not sent by it")


def _vertex(config: Config) -> Iterator[Finding]:
    for section, rules in (("lightllm", config.lightllm.transforms), ("inspector", config.inspector.transforms)):
        for index, rule in enumerate(rules):
            provider = config.providers.get(rule.dest_provider or "")
            asked = [key for key in _VERTEX_KEYS if getattr(rule, key) is not None]
            if provider is not None and provider.type in VERTEX_TYPES and len(asked) == len(_VERTEX_KEYS):
                continue
            for key in asked:
                yield Finding(
                    (section, "transforms", index, key),
                    "has no effect: it takes project and location, and a dest_provider of type vertex_ai",
                )


def unbuilt_hooks(config: Config) -> Iterator[Finding]:
    """Where a stage lists a hook that is not built."""
    for stage, entries in (("inbound", config.hooks.inbound), ("outbound", config.hooks.outbound)):
        for index, entry in enumerate(entries):
            if not entry.built:
                yield Finding(("hooks", stage, index), f"{entry.name} is not built, and skipped")


_VERTEX_KEYS: Final = ("dest_vertex_project", "dest_vertex_location")
_AUTH: Final = "providers.*.auth"
_PLACEMENT: Final = ("header", "query_param")
_TOKENS: Final = (("listener_token",), ("inspector", "mitmproxy", "web_password"), ("mcp", "http", "auth"))
"""Tokens that have the sources of a credential."""

KNOWN: Final = (
    Known(("otel", "inspector.provider_map"), _otel),
    Known(("gemini_capacity",), _gemini_capacity),
    Known(("shaping",), _shaping),
    Known(("pplx",), _pplx),
    Known(("mcp.buffer",), _notification_buffer),
    Known(("inspector.wg_keylog",), _wg_keylog),
    Known(
        (
            *(f"{_AUTH}.{key}" for key in OAuthSource.model_fields if key not in _PLACEMENT),
            "auth.refresh_timeout_seconds",
            "auth.refresh_headroom_seconds",
        ),
        _oauth,
    ),
    Known((), _provider_types),
    Known(tuple(".".join((*loc, key)) for loc in _TOKENS for key in _PLACEMENT), _placement),
    Known((), _vertex),
    Known((), unbuilt_hooks),
)


def asked_for(config: Config) -> Iterator[Finding]:
    """Where ``config`` asks for what is not built, and what happens instead."""
    for known in KNOWN:
        yield from known.asked(config)


def has_no_effect(dotted: str) -> bool:
    """Whether a key of the schema, ``providers.*.auth.client_id``, is one that nothing acts on."""
    return any(dotted == key or dotted.startswith(f"{key}.") for known in KNOWN for key in known.keys)


def without_unbuilt_hooks(config: Config) -> Config:
    """The same configuration, its stages holding only hooks that can be loaded."""
    hooks = Hooks(inbound=_built(config.hooks.inbound), outbound=_built(config.hooks.outbound))
    return config.model_copy(update={"hooks": hooks})


def _built(entries: tuple[HookEntry, ...]) -> tuple[HookEntry, ...]:
    return tuple(entry for entry in entries if entry.built)
