"""serve the MCP server's socket (systemd or `ccproxy start` starts this)"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ccproxy.control.process import ProcessControl, Sockets, run_process

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance
    from ccproxy.config.model import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: argparse.Namespace) -> int:
    """0 after a stop signal, 1 for a bad configuration or when it was started without sockets."""
    return run_process("mcp", serve_mcp, config_flag=args.config, verbose=args.verbose)


async def serve_mcp(sockets: Sockets, config: Config, instance: Instance, control: ProcessControl) -> None:
    """The MCP server; the SDK is imported once the process has its log and its lock."""
    from ccproxy.mcp.serve import serve

    await serve(sockets, config, instance, control)
