"""What the activator binds and says, as plain data: it comes from another process, which read the configuration.

>>> Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan                                  # doctest: +SKIP
True
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ccproxy.errors import ConfigError, Problem

if TYPE_CHECKING:
    from ccproxy.config.load import Loaded


@dataclass(frozen=True, slots=True)
class Bind:
    """One address to listen on."""

    host: str
    port: int
    key: str
    """The configuration key of the port, for messages."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the activator needs to know of a configuration."""

    tcp: Mapping[str, Bind]
    """By socket name: ``proxy``, ``sidecar``, and ``mcp`` if it is enabled."""
    web_ui: Bind
    """Bound by the listener; looked at before anything starts."""
    log_level: str
    log_file: str | None
    identifier: str
    use_journal: bool
    shutdown_timeout_s: float
    echo_provider: str | None
    """Name of a provider of type ``echo``, for the lines to try."""
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, loaded: Loaded, instance_name: str) -> Plan:
        """The plan for a configuration."""
        config = loaded.config
        tcp = {
            "proxy": Bind(config.host, config.port, "port"),
            "sidecar": Bind("127.0.0.1", config.sidecar.port, "sidecar.port"),
        }
        if config.mcp.http.enabled:
            tcp["mcp"] = Bind(config.mcp.http.host, config.mcp.http.port, "mcp.http.port")
        return cls(
            tcp=tcp,
            web_ui=Bind(config.inspector.mitmproxy.web_host, config.inspector.port, "inspector.port"),
            log_level=config.log_level,
            log_file=str(config.log_file) if config.log_file else None,
            identifier=config.journal_identifier or instance_name,
            use_journal=config.use_journal,
            shutdown_timeout_s=config.shutdown_timeout_s,
            echo_provider=next((name for name, each in config.providers.items() if each.type == "echo"), None),
            warnings=tuple(map(str, loaded.warnings)),
        )

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Plan:
        """The inverse of ``to_json``, for what this program wrote itself."""
        known = dict(data)
        tcp, web_ui, warnings = known.pop("tcp"), known.pop("web_ui"), known.pop("warnings")
        assert isinstance(tcp, dict)
        assert isinstance(web_ui, dict)
        assert isinstance(warnings, list)
        binds = {name: Bind(**bind) for name, bind in tcp.items()}
        return cls(tcp=binds, web_ui=Bind(**web_ui), warnings=tuple(warnings), **known)  # type: ignore[arg-type]


def plan_in_child(make: Callable[[], Plan]) -> Plan:
    """``make()``, run in a process of its own, so that its imports (some 40 MB) do not stay with the caller.

    The caller must have one thread only. Raises the ConfigError that ``make`` raised.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                try:
                    json.dump({"plan": make().to_json()}, out)
                except ConfigError as error:
                    json.dump({"problems": [asdict(problem) for problem in error.problems]}, out)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    try:
        found = json.loads(text)
    except ValueError:
        raise ConfigError(
            Problem("", "the configuration could not be read; `ccproxy config check` says more")
        ) from None
    if "problems" in found:
        raise ConfigError(*(Problem(**problem) for problem in found["problems"]))
    return Plan.from_json(found["plan"])
