"""Sections that a configuration may have and that nothing acts on yet.

They are checked like all others, so that a file is right on the day they are built; ``known`` says which of them
earn a warning.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ccproxy.config.quantities import Count, HttpUrl, PathBesideFile, Regex, Seconds, SecondsOrZero
from ccproxy.config.section import Section


class Otel(Section):
    """OpenTelemetry traces."""

    enabled: bool = False
    """Export traces."""
    endpoint: HttpUrl = "http://localhost:4317"
    """URL of the OTLP collector."""
    service_name: str = "ccproxy"
    """Name of this service in the traces."""


class GeminiCapacity(Section):
    """What happens when Gemini says that it is out of capacity."""

    enabled: bool = True
    """Retry and fall back. Without `fallback_models` there is nothing to fall back to."""
    retry_status_codes: tuple[Annotated[int, Field(ge=400, le=599)], ...] = (429, 503, 500)
    """Statuses of an answer that are retried."""
    fallback_models: tuple[str, ...] = ()
    """Models to try in turn once the requested one is exhausted."""
    sticky_retry_attempts: Annotated[int, Field(ge=0, le=10)] = 3
    """Attempts at the requested model before the first fallback."""
    sticky_retry_max_delay_seconds: SecondsOrZero = 60.0
    """A longer wait than this moves on to the next model, seconds."""
    terminal_delay_threshold_seconds: SecondsOrZero = 300.0
    """A longer wait than this ends the request, seconds."""
    total_retry_budget_seconds: SecondsOrZero = 120.0
    """Time for all attempts together, seconds."""


class ShapeCapture(Section):
    """Which requests can become a shape."""

    path_pattern: Regex = ""
    """Regular expression on the path."""


_CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "host")


class ShapeProfile(Section):
    """How a captured request shape is applied for one provider type."""

    content_fields: tuple[str, ...] = ()
    """Keys of the client's body that survive."""
    merge_strategies: dict[str, str] = Field(default_factory=dict)
    """Key → `replace`, `prepend_shape[:N]`, `append_shape[:N]` or `drop`."""
    shape_hooks: tuple[str | dict[str, object], ...] = ()
    """Hooks that run on the shaped request."""
    capture: ShapeCapture = ShapeCapture()
    """Which requests can become a shape."""
    preserve_headers: tuple[str, ...] = _CREDENTIAL_HEADERS
    """Headers of the client that survive."""
    strip_headers: tuple[str, ...] = (*_CREDENTIAL_HEADERS, "content-length", "transfer-encoding", "connection")
    """Headers of the shape that are left out."""


class Shaping(Section):
    """Request templates replayed under the client's content."""

    enabled: bool = True
    """Apply shapes."""
    shapes_dir: PathBesideFile | None = None
    """Folder of your own shapes; without it, `shapes` in the data folder."""
    providers: dict[str, ShapeProfile] = Field(default_factory=dict)
    """Provider type → profile."""


class NotificationBuffer(Section):
    """Notifications that wait for the next request of their session."""

    max_events_per_task: Annotated[Count, Field(ge=1)] = 65536
    """Events kept for one task; older ones are dropped."""
    ttl_seconds: Seconds = 600.0
    """How long an event waits, seconds."""
