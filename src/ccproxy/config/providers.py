"""A provider: who is behind an upstream host, which wire format it speaks, and where its credential comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ccproxy.config.auth import AuthSource
from ccproxy.config.fingerprints import PROFILES
from ccproxy.config.origin import Origin, is_loopback_literal, parse_authority, parse_url
from ccproxy.config.section import CrossChecked, Finding, did_you_mean

type DialectName = Literal["anthropic", "openai", "openai_responses", "google"]
"""The values of ``lightllm.dialect.Dialect``, which is a layer above."""

DIALECTS: Final[Mapping[str, DialectName]] = {
    "anthropic": "anthropic",
    "deepseek": "anthropic",
    "zai": "anthropic",
    "minimax": "anthropic",
    "openai": "openai",
    "openrouter": "openai",
    "openai_responses": "openai_responses",
    "google": "google",
    "gemini": "google",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
}
"""Provider type → wire format."""

VERTEX_TYPES: Final = ("vertex_ai", "vertex_ai_beta")
"""Types whose paths name a project and a location."""
ECHO: Final = "echo"
UNBUILT_TYPES: Final = ("perplexity_pro", "openai_conversations")
"""Types that a configuration may name; a request for such a provider is refused."""

ECHO_ORIGIN: Final = Origin("http", "echo.invalid", 80)
"""Stands for the embedded provider's private socket; RFC 6761 §6.4 keeps the name from ever resolving."""

_TYPES: Final = (*DIALECTS, ECHO, *UNBUILT_TYPES)


def _authority(value: str) -> str:
    parse_authority(value)
    return value


def _base_url(value: str) -> str:
    parse_url(value)
    return value


def _provider_type(value: str) -> str:
    if value not in _TYPES:
        raise ValueError(f'"{value}" is no provider type{did_you_mean(value, _TYPES)} (one of: {", ".join(_TYPES)})')
    return value


def _profile(value: str) -> str:
    if value not in PROFILES:
        raise ValueError(f'"{value}" is no fingerprint profile{did_you_mean(value, PROFILES)}')
    return value


def _request_path(value: str) -> str:
    if not re.fullmatch(r"/[!-\"$-~]*", value):
        raise ValueError("should be a path that starts with / and has no blanks and no fragment")
    return value


RequestPath = Annotated[str, AfterValidator(_request_path)]


class Provider(CrossChecked):
    """One provider, reached with the sentinel key `sk-ant-oat-ccproxy-NAME`."""

    type: Annotated[str, AfterValidator(_provider_type), Field(json_schema_extra={"enum": list(_TYPES)})]
    """Wire format that the provider speaks; `echo` is the embedded provider that needs no account and no network."""
    host: Annotated[str, AfterValidator(_authority)] | None = None
    """Host, or `host:port`, reached over https."""
    base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    """URL instead of `host`, with scheme, port and path prefix; plain http with `auth` only to a loopback address."""
    path: RequestPath = "/"
    """Path of the main operation; `{model}` and `{action}` are filled in. `/` keeps the client's path."""
    auth: AuthSource | None = None
    """Where the credential comes from; bare text is a command. Without it nothing is injected."""
    fingerprint_profile: (
        Annotated[str, AfterValidator(_profile), Field(json_schema_extra={"enum": list(PROFILES)})] | None
    ) = None
    """Browser whose TLS fingerprint the request is sent with, through the sidecar."""

    @classmethod
    def findings(cls, raw: Mapping[str, object]) -> Iterator[Finding]:
        host, base_url = raw.get("host"), raw.get("base_url")
        if host is not None and base_url is not None:
            yield Finding(("base_url",), "cannot be set together with host")
        if host is None and base_url is None and raw.get("type") not in (None, ECHO):
            yield Finding((), "has neither host nor base_url: where should its requests go?")
        if raw.get("auth") is not None and isinstance(base_url, str) and _is_exposed(base_url):
            yield Finding(
                ("base_url",),
                "would send the credential over plain http; use https, or a loopback address such as http://127.0.0.1:8080",
            )

    @cached_property
    def origin(self) -> Origin:
        """Scheme, host and port of the upstream; ``ECHO_ORIGIN`` for the embedded provider."""
        if self.base_url is not None:
            return parse_url(self.base_url)[0]
        if self.host is not None:
            host, port = parse_authority(self.host)
            return Origin("https", host, port or 443)
        return ECHO_ORIGIN

    @cached_property
    def prefix(self) -> str:
        """The path in ``base_url``, before ``path``: empty, or ``/…`` without a final slash."""
        return parse_url(self.base_url)[1] if self.base_url is not None else ""

    @property
    def dialect(self) -> DialectName | None:
        """The wire format; None for ``echo``, which speaks all, and for types that are not built."""
        return DIALECTS.get(self.type)


def _is_exposed(url: str) -> bool:
    try:
        origin, _ = parse_url(url)
    except ValueError:
        return False
    return origin.scheme == "http" and not is_loopback_literal(origin.host)


def _optional(value: object) -> object:
    # `openai:` with nothing beneath reads as null; say what is missing rather than what type it is.
    return {} if value is None else value


ProviderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Providers = dict[ProviderName, Annotated[Provider, BeforeValidator(_optional)]]
