"""show what is running, and the pipeline of hooks"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.presence import Presence, find_presence
from ccproxy.control.protocol import Unit, dialled, web_ui_url
from ccproxy.errors import ConfigError

if TYPE_CHECKING:
    from ccproxy.config.model import Config
    from ccproxy.pipeline.plan import Pipeline

PROXY, INSPECT, MCP = 1, 2, 4
"""Bits of the exit status with service flags: set for what is not up."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, the web UI's token included")
    parser.add_argument("--proxy", action="store_true", help="print nothing; exit status 1 if the proxy is not up")
    parser.add_argument("--inspect", action="store_true", help="the same for the web UI, 2")
    parser.add_argument("--mcp", action="store_true", help="the same for the MCP server, 4; they add up")
    parser.add_argument("--mermaid", action="store_true", help="print the pipeline as mermaid state diagrams")


def run(args: argparse.Namespace) -> int:
    """0, or with service flags the bits of what is not up. Nothing is started by asking."""
    instance = find_instance(args.config, os.environ)
    if args.mermaid:
        from ccproxy.pipeline.render import mermaid

        print(mermaid(_pipeline(_config(instance))))
        return 0
    presence = find_presence(instance, os.environ)
    if args.proxy or args.inspect or args.mcp:
        return exit_bits(presence, proxy=args.proxy, inspect=args.inspect, mcp=args.mcp)
    try:
        config = _config(instance)
    except ConfigError:
        print("\n".join(f"{unit:14} {_state(each)}" for unit, each in presence.items()), file=sys.stderr)
        raise
    if args.json:
        import json

        json.dump(as_json(instance, config, presence), sys.stdout, indent=2)
        print()
        return 0
    print(as_text(instance, config, presence))
    print()
    from ccproxy.pipeline.render import text

    print("\n".join(text(plan) for plan in _pipeline(config).plans))
    return 0


def exit_bits(presence: dict[Unit, Presence], *, proxy: bool, inspect: bool, mcp: bool) -> int:
    """The sum of the bits of those asked for that are not up. The web UI is part of the listener."""
    listener_down, mcp_down = not presence["listener"].up, not presence["mcp"].up
    return PROXY * (proxy and listener_down) | INSPECT * (inspect and listener_down) | MCP * (mcp and mcp_down)


def as_json(instance: Instance, config: Config, presence: dict[Unit, Presence]) -> dict[str, object]:
    """All that is known, under the keys that scripts look for."""
    listener, mcp, ui = presence["listener"], presence["mcp"], config.inspector
    return {
        "instance": instance.name,
        "proxy": listener.up,
        "url": f"http://{dialled(config.host)}:{config.port}",
        "config": {"file": str(instance.config_file), "exists": instance.config_file.exists()},
        "hooks": {
            "inbound": [entry.name for entry in config.hooks.inbound],
            "outbound": [entry.name for entry in config.hooks.outbound],
        },
        "log": _log(presence, config),
        "inspector": {
            "running": listener.up,
            "entry_port": config.port,
            "inspect_port": ui.port,
            "inspect_url": _web_ui(instance, config, listener),
        },
        "mcp": {
            "enabled": config.mcp.http.enabled,
            "running": mcp.up,
            "port": config.mcp.http.port,
            "url": f"http://{dialled(config.mcp.http.host)}:{config.mcp.http.port}/mcp",
        },
        "sidecar": {"running": presence["sidecar"].up, "port": config.sidecar.port},
        "processes": {unit: _process(each) for unit, each in presence.items()},
    }


def as_text(instance: Instance, config: Config, presence: dict[Unit, Presence]) -> str:
    """The same for people. The web UI's token is shown to a terminal only."""
    ui = config.inspector
    url = _web_ui(instance, config, presence["listener"]) if sys.stdout.isatty() else None
    exists = "" if instance.config_file.exists() else " (not there: defaults)"
    rows = [
        ("instance", instance.name),
        ("configuration", f"{instance.config_file}{exists}"),
        ("log", _log(presence, config) or "none"),
        ("proxy", f"http://{dialled(config.host)}:{config.port}  {_state(presence['listener'])}"),
        ("web UI", url or f"http://{dialled(ui.mitmproxy.web_host)}:{ui.port}/"),
        ("sidecar", f"127.0.0.1:{config.sidecar.port}  {_state(presence['sidecar'])}"),
    ]
    mcp = config.mcp.http
    mcp_state = _state(presence["mcp"]) if mcp.enabled else "disabled"
    rows.append(("MCP", f"http://{dialled(mcp.host)}:{mcp.port}/mcp  {mcp_state}"))
    return "\n".join(f"{name:14} {value}" for name, value in rows)


def _config(instance: Instance) -> Config:
    from ccproxy.config.load import load

    return load(instance, os.environ).config


def _pipeline(config: Config) -> Pipeline:
    from ccproxy.pipeline.load import load

    return load(config.hooks.inbound, config.hooks.outbound)


def _log(presence: dict[Unit, Presence], config: Config) -> str | None:
    """Where the running processes log, else where they would."""
    for each in presence.values():
        if each.running is not None:
            return each.running.log
    return str(config.log_file) if config.log_file else None


def _web_ui(instance: Instance, config: Config, listener: Presence) -> str | None:
    """With its token, which a listener that was killed leaves behind: it opens nothing any more."""
    if listener.running is None:
        return None
    return web_ui_url(instance, config.inspector.mitmproxy.web_host, config.inspector.port)


def _process(presence: Presence) -> dict[str, object]:
    if presence.running is None:
        return {"state": presence.state}
    running = presence.running
    return {
        "state": presence.state,
        "pid": running.pid,
        "version": running.version,
        "started_at": running.started_at,
        "sockets": dict(running.sockets),
    }


def _state(presence: Presence) -> str:
    match presence.state:
        case "running" if presence.running is not None:
            for_s = max(0, int(time.time() - presence.running.started_at))
            return f"running, pid {presence.running.pid}, for {for_s // 3600}:{for_s % 3600 // 60:02}:{for_s % 60:02}"
        case "waiting":
            return "starts at the first connection"
        case "failed":
            return "failed; the log says why"
        case _:
            return "not running"
