"""Where a request goes. Facts, rules and providers in, a decision with its reason in words out.

The first that applies decides:

1. **transform rules**, in order; all the ``match_*`` fields that a rule has must match (``re.search``)
2. the provider that the **sentinel key** names
3. neither: a jail's request goes on unchanged, one to the reverse listener ends with 501

===============  =====================================================================================================
``Passthrough``  path and body untouched, to the host that the client (or the rule's ``dest_host``) named
``Redirect``     same wire format, other destination: ``target`` is whole, the body changes at most its ``model``
``Transform``    the provider speaks another wire format
``Reject``       ends here, with ``error``
===============  =====================================================================================================

A credential is injected only beside a sentinel key, or where the rule says ``inject: always``; a rule that names no
provider injects none. ``guard.check_egress`` judges every decision once more.

>>> route(Facts("reverse", "/v1/messages", classify("POST", "/v1/messages", Headers())), (), {}).error.status
501
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ccproxy.addresses import Origin, Target
from ccproxy.errors import CredentialError, NotBuilt, RequestError
from ccproxy.headers import Headers
from ccproxy.lightllm.dialect import Dialect, Endpoint
from ccproxy.paths import OWN, redirected, translated, vertex_template
from ccproxy.sentinel import PREFIX, unknown_provider

if TYPE_CHECKING:
    from ccproxy.config.providers import Provider
    from ccproxy.config.rules import TransformRule
    from ccproxy.flows.record import Listener

ECHO: Final = "echo"
"""Provider type of the embedded provider, which answers in every wire format."""
_ONE_VENDOR: Final = frozenset({Dialect.OPENAI, Dialect.OPENAI_RESPONSES})
"""The same key opens both APIs."""
_VERTEX_VERSION: Final = {"vertex_ai": "v1", "vertex_ai_beta": "v1beta1"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What routing knows of a request, after the inbound hooks."""

    listener: Listener
    path: str
    """Path and query, without a sentinel."""
    endpoint: Endpoint
    hosts: tuple[str, ...] = ()
    """Hosts that the client asked for, see ``asked_hosts``."""
    model: str | None = None
    """In the body or, for google, in the path."""
    streams: bool = False
    sentinel: str | None = None
    """Provider that the sentinel key names."""
    addressed: Origin | None = None
    """Where a jail's request was going; None on the reverse listener."""


@dataclass(frozen=True, slots=True)
class Passthrough:
    """Sent on as it is."""

    reason: str
    target: Target
    inject: str | None = None
    """Provider whose credential goes along; only ever one whose origin ``target`` is."""
    strip_credentials: bool = False
    """Empty the client's own credential slots."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Sent elsewhere in the same wire format."""

    reason: str
    target: Target
    provider: str | None
    """Who is behind the target; None for a rule that only names a host."""
    inject: str | None
    """Provider whose credential is injected; None: none."""
    dialect: Dialect | None
    model: str | None = None
    """Replaces ``model`` in the body, where there is one."""
    strip_credentials: bool = False
    """Empty the client's own credential slots: they would meet another credential, or another host."""


@dataclass(frozen=True, slots=True)
class Transform:
    """Sent elsewhere in another wire format."""

    reason: str
    target: Target
    provider: str
    inject: str | None
    source: Dialect
    """What the client speaks."""
    dialect: Dialect
    """What the provider speaks."""
    model: str | None = None
    """The model to ask for."""
    strip_credentials: bool = True
    """As above, and a key for one vendor's API is never shown to another vendor."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Ends here."""

    reason: str
    error: RequestError


type Decision = Passthrough | Redirect | Transform | Reject


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where a rule or a sentinel points, before the path is known."""

    reason: str
    origin: Origin
    provider: str | None
    speaks: Dialect | None
    """None: whatever the client speaks."""
    prefix: str
    template: str
    inject: str | None
    model: str | None
    """Instead of the client's."""
    translates: bool
    """Whether another wire format may be translated."""
    forced: bool
    """The path is the rule's own, so the wire format is its author's affair."""


def route(facts: Facts, rules: Sequence[TransformRule], providers: Mapping[str, Provider]) -> Decision:
    """Decide where a request goes. Never raises: what is wrong comes back as ``Reject``."""
    try:
        for number, rule in enumerate(rules, 1):
            if (matched := _match(rule, facts)) is not None:
                return _by_rule(f"rule {number}{matched}", rule, facts, providers)
        if facts.sentinel is not None:
            return _by_sentinel(facts.sentinel, facts, providers)
    except RequestError as error:
        return Reject(str(error), error)
    if facts.addressed is not None:
        return Passthrough("no rule and no sentinel key: unchanged", Target(*facts.addressed, facts.path))
    names = ", ".join(sorted(providers)) or "none is configured"
    return _reject(
        "no provider or transform rule matched this request; give the client the key "
        f"{PREFIX}NAME (providers: {names}), or add a rule to `lightllm.transforms` in ccproxy.yaml"
    )


def asked_hosts(headers: Headers, authority: str | None = None) -> tuple[str, ...]:
    """The hosts that a client asked for: authority, Host and X-Forwarded-Host, lower-case and without port."""
    values = [authority or "", *headers.get_all("host"), *headers.get_all("x-forwarded-host")]
    hosts = (re.sub(r":\d*\Z", "", part.strip().lower()) for value in values for part in value.split(","))
    return tuple(dict.fromkeys(host for host in hosts if host))


def _match(rule: TransformRule, facts: Facts) -> str | None:
    """What of the rule matched, in words; None if one of its fields did not."""
    told = []
    if rule.match_host is not None:
        if not any(re.search(rule.match_host, host) for host in facts.hosts):
            return None
        told.append(f"match_host {rule.match_host}")
    if not re.search(rule.match_path, facts.path):
        return None
    if rule.match_path != ".*":
        told.append(f"match_path {rule.match_path}")
    if rule.match_model is not None:
        if facts.model is None or not re.search(rule.match_model, facts.model):
            return None
        told.append(f"match_model {rule.match_model}")
    return f" ({', '.join(told)})" if told else ""


def _by_rule(name: str, rule: TransformRule, facts: Facts, providers: Mapping[str, Provider]) -> Decision:
    provider = providers.get(rule.dest_provider) if rule.dest_provider is not None else None
    if provider is None and rule.dest_provider is not None:
        return _reject(f"{name} names provider {rule.dest_provider!r}, which is not configured")
    injects = rule.inject == "always" or facts.sentinel is not None
    inject = rule.dest_provider if injects and provider is not None and provider.auth is not None else None
    origin = rule.dest_origin or (provider.origin if provider is not None else None)
    if inject is not None and provider is not None and origin != provider.origin:
        raise CredentialError(
            f"{name} sends to {rule.dest_host}, where the credential of provider {inject!r} does not belong; remove "
            "`dest_host`, or make a provider with that `base_url`"
        )
    if rule.action == "passthrough":
        return _pass(name, origin, inject, facts, providers)
    if origin is None:
        return _reject(f"{name} names neither dest_provider nor dest_host")
    return _toward(
        _Destination(
            reason=name,
            origin=origin,
            provider=rule.dest_provider,
            speaks=_dialect(rule.dest_provider, provider),
            prefix=provider.prefix if provider is not None else "",
            template=rule.dest_path or _template(rule, provider),
            inject=inject,
            model=rule.dest_model,
            translates=rule.action == "transform",
            forced=rule.dest_path is not None and rule.action == "redirect",
        ),
        facts,
    )


def _template(rule: TransformRule, provider: Provider | None) -> str:
    """The provider's path; on Vertex AI the one of the rule's project and location."""
    if provider is None:
        return OWN
    version = _VERTEX_VERSION.get(provider.type)
    if version is None or rule.dest_vertex_project is None or rule.dest_vertex_location is None:
        return provider.path
    return vertex_template(version, rule.dest_vertex_project, rule.dest_vertex_location)


def _by_sentinel(name: str, facts: Facts, providers: Mapping[str, Provider]) -> Decision:
    provider = _provider(name, providers)
    return _toward(
        _Destination(
            reason=f"the sentinel key names provider {name!r}",
            origin=provider.origin,
            provider=name,
            speaks=_dialect(name, provider),
            prefix=provider.prefix,
            template=provider.path,
            inject=name if provider.auth is not None else None,
            model=None,
            translates=True,
            forced=False,
        ),
        facts,
    )


def _pass(
    name: str, origin: Origin | None, inject: str | None, facts: Facts, providers: Mapping[str, Provider]
) -> Decision:
    origin = origin or facts.addressed
    if origin is None:
        return _reject(
            f"{name} passes the request through, but a request to the reverse listener has no destination of its own; "
            "give the rule a `dest_host`"
        )
    target = Target(*origin, facts.path)
    if inject is None and facts.sentinel is not None and origin == facts.addressed:
        # The sentinel is gone from the request: to its own provider the true credential goes instead.
        provider = _provider(facts.sentinel, providers)
        if provider.origin != origin:
            raise CredentialError(
                f"{name} passes the request through to {target.host}, but its sentinel key is for provider "
                f"{facts.sentinel!r}; nothing was sent"
            )
        inject = facts.sentinel if provider.auth is not None else None
    return Passthrough(f"{name}: passed through", target, inject, _strips(inject, target, facts))


def _toward(to: _Destination, facts: Facts) -> Decision:
    asked = facts.endpoint.dialect
    model = to.model or facts.model
    differs = asked is not None and to.speaks is not None and asked is not to.speaks
    if differs and not to.forced and facts.endpoint.operation != "models":
        assert asked is not None and to.speaks is not None and to.provider is not None
        if not to.translates:
            return _reject(
                f"{to.reason} says `redirect`, but the request is {asked} and provider {to.provider!r} speaks "
                f"{to.speaks}; say `action: transform`"
            )
        path = translated(to.template, to.prefix, facts.endpoint, to.speaks, model, streams=facts.streams)
        target = Target(*to.origin, path)
        reason = f"{to.reason}: {asked} to {to.speaks}"
        strips = _strips(to.inject, target, facts) or not {asked, to.speaks} <= _ONE_VENDOR
        return Transform(reason, target, to.provider, to.inject, asked, to.speaks, model, strips)
    target = Target(*to.origin, redirected(to.template, to.prefix, facts.path, facts.endpoint, model))
    in_body = to.model if facts.endpoint.model is None else None
    reason = f"{to.reason}: {'path of the rule' if differs else f'same wire format, {asked}' if asked else 'own path'}"
    return Redirect(reason, target, to.provider, to.inject, asked, in_body, _strips(to.inject, target, facts))


def _strips(inject: str | None, target: Target, facts: Facts) -> bool:
    """A key that a jailed client meant for one host is not shown to another."""
    return inject is not None or (facts.addressed is not None and target.origin != facts.addressed)


def _provider(name: str, providers: Mapping[str, Provider]) -> Provider:
    provider = providers.get(name)
    if provider is None:
        raise unknown_provider(name, providers)
    return provider


def _dialect(name: str | None, provider: Provider | None) -> Dialect | None:
    if provider is None or provider.type == ECHO:
        return None
    if provider.dialect is None:
        raise NotBuilt(f"provider {name!r} has the type {provider.type!r}, which is not built")
    return Dialect(provider.dialect)


def _reject(message: str) -> Reject:
    return Reject(message, NotBuilt(message))
