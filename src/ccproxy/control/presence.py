"""What is running? Answered without a connection, since any connection would start what is asked about.

===========  =======================================================================================
``running``  the process holds its lock
``waiting``  nobody does, but the activator, or a systemd socket unit, starts it at a connection
``failed``   whoever would start it has given it up
``down``     none of these
===========  =======================================================================================

*Up* is running or waiting. systemd's units are ``ccproxy-listener.socket`` and ``.service`` and so on, with the rest
of the instance's name behind: ``ccproxy-listener-shop.socket`` for ``ccproxy-shop``.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ccproxy.control.lock import Running, read_lock
from ccproxy.control.protocol import UNIT_SOCKETS, Unit

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance

SYSTEMCTL_TIMEOUT_S = 2.0

type State = Literal["running", "waiting", "failed", "down"]


@dataclass(frozen=True, slots=True)
class Presence:
    """How one process is."""

    state: State
    running: Running | None = None

    @property
    def up(self) -> bool:
        """A request would be answered, as far as can be told without making one."""
        return self.state in ("running", "waiting")


def find_presence(instance: Instance, environ: Mapping[str, str]) -> dict[Unit, Presence]:
    """How the listener, the sidecar and the MCP server are. ``environ`` leads to the user's systemd."""
    activator = read_lock(instance, "activator")
    found: dict[Unit, Presence] = {}
    unknown: list[Unit] = []
    for unit, names in UNIT_SOCKETS.items():
        if running := read_lock(instance, unit):
            found[unit] = Presence("running", running)
        elif activator is not None:
            found[unit] = Presence(_activated(unit, names[0], activator))
        else:
            unknown.append(unit)
    for unit, state in _ask_systemd(instance, unknown, environ).items():
        found[unit] = Presence(state)
    return found


def _activated(unit: Unit, socket_name: str, activator: Running) -> State:
    """What this activator would do at a connection."""
    if unit in activator.failed:
        return "failed"
    return "waiting" if socket_name in activator.sockets else "down"


def unit_file(instance: Instance, unit: Unit, kind: Literal["socket", "service"]) -> str:
    """The name of a unit of this instance."""
    return f"ccproxy-{unit}{instance.name.removeprefix('ccproxy')}.{kind}"


def _ask_systemd(instance: Instance, units: list[Unit], environ: Mapping[str, str]) -> dict[Unit, State]:
    """What the user's service manager would do at a connection; ``down`` where there is none."""
    states: dict[Unit, State] = dict.fromkeys(units, "down")
    systemctl = shutil.which("systemctl", path=environ.get("PATH"))
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if not units or systemctl is None or not runtime or not Path(runtime, "systemd", "private").exists():
        return states
    names = [unit_file(instance, unit, kind) for unit in units for kind in ("socket", "service")]
    try:
        shown = subprocess.run(  # noqa: S603 - names of units, in a list
            [systemctl, "--user", "show", "--property=Id,ActiveState", *names],
            capture_output=True,
            text=True,
            timeout=SYSTEMCTL_TIMEOUT_S,
            check=False,
            env=dict(environ),
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return states
    active = decode_show(shown)
    for unit in units:
        socket_state = active.get(unit_file(instance, unit, "socket"))
        service_state = active.get(unit_file(instance, unit, "service"))
        if "failed" in (socket_state, service_state):
            states[unit] = "failed"
        elif socket_state == "active":
            states[unit] = "waiting"
    return states


def decode_show(text: str) -> dict[str, str]:
    """ActiveState by Id, from ``systemctl show``: blocks of ``Key=value`` lines with a blank line between.

    >>> decode_show("Id=a.socket\\nActiveState=active\\n\\nId=a.service\\nActiveState=inactive\\n")
    {'a.socket': 'active', 'a.service': 'inactive'}
    """
    blocks = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in text.split("\n\n"))
    return {block["Id"]: block.get("ActiveState", "") for block in blocks if "Id" in block}
