"""serve the sidecar's socket (systemd or `ccproxy start` starts this)"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ccproxy.cli.listener import set_key_log
from ccproxy.control.process import ProcessControl, Sockets, run_process

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance
    from ccproxy.config.model import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: argparse.Namespace) -> int:
    """0 after a stop signal, 1 for a bad configuration or when it was started without sockets."""
    return run_process("sidecar", serve_sidecar, config_flag=args.config, verbose=args.verbose)


async def serve_sidecar(sockets: Sockets, config: Config, instance: Instance, control: ProcessControl) -> None:
    """The sidecar; the key log is decided before libcurl is loaded."""
    set_key_log(config.inspector.tls_keylog, instance.tls_keylog_path, os.environ)
    from ccproxy.sidecar.serve import serve

    await serve(sockets, config, instance, control)
