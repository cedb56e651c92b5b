"""Transform rules: which requests leave the ordinary way, and where they go instead.

The first rule wins whose ``match_*`` fields all match (``re.search``). Without one the sentinel key decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator

from ccproxy.config.origin import Origin, parse_authority, parse_url
from ccproxy.config.providers import RequestPath
from ccproxy.config.quantities import Regex
from ccproxy.config.section import CrossChecked, Finding


def _destination(value: str) -> Origin:
    if "://" not in value:
        host, port = parse_authority(value)
        return Origin("https", host, port or 443)
    origin, path = parse_url(value)
    if path:
        raise ValueError("has a path; that belongs into dest_path")
    return origin


def _dest_host(value: str) -> str:
    _destination(value)
    return value


class TransformRule(CrossChecked):
    """One rule."""

    match_host: Regex | None = None
    """Regular expression on the host that the client asked for."""
    match_path: Regex = ".*"
    """Regular expression on path and query."""
    match_model: Regex | None = None
    """Regular expression on the model."""
    action: Literal["passthrough", "redirect", "transform"] = "redirect"
    """`redirect`: same wire format, other host; `transform`: translated as well; `passthrough`: untouched."""
    dest_provider: str | None = None
    """Provider that the request goes to."""
    dest_host: Annotated[str, AfterValidator(_dest_host)] | None = None
    """Host, `host:port`, or URL with scheme and port, instead of the provider's."""
    dest_path: RequestPath | None = None
    """Path instead of the provider's; `{model}` and `{action}` are filled in."""
    dest_model: str | None = None
    """Model instead of the one that was asked for."""
    dest_vertex_project: str | None = None
    """Google Cloud project, where `dest_provider` is Vertex AI; with the location it makes the path."""
    dest_vertex_location: str | None = None
    """Google Cloud location, such as `us-central1` or `global`."""
    inject: Literal["beside_sentinel", "always"] = "beside_sentinel"
    """When the credential of `dest_provider` is put in: only if the request carries a sentinel key, or always."""

    @classmethod
    def findings(cls, raw: Mapping[str, object]) -> Iterator[Finding]:
        action = raw.get("action", "redirect")
        lacks_host = raw.get("dest_host") is None
        if action == "passthrough":
            # With match_host it can speak of jail traffic, which knows its own destination.
            if lacks_host and raw.get("match_host") is None:
                yield Finding(
                    ("dest_host",), "is needed: a request to the reverse listener has no destination of its own"
                )
        elif action in ("redirect", "transform") and lacks_host and raw.get("dest_provider") is None:
            yield Finding((), f"needs dest_provider or dest_host to {action} to")
        if raw.get("inject") == "always" and raw.get("dest_provider") is None:
            yield Finding(("inject",), "needs dest_provider: whose credential should be put in?")

    @property
    def dest_origin(self) -> Origin | None:
        """``dest_host`` as scheme, host and port; None where the provider decides."""
        return None if self.dest_host is None else _destination(self.dest_host)
