"""have the daemon read its configuration again"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from ccproxy.config.instance import find_instance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(args: argparse.Namespace) -> int:
    """0 when the new configuration is in use, 1 when it was refused or nothing runs.

    A listener that does not run is not started for it: it reads the configuration when it starts.
    """
    from ccproxy.control.client import ControlClient
    from ccproxy.control.lock import read_lock, signal_unit

    instance = find_instance(args.config, os.environ)
    if read_lock(instance, "listener"):
        reply = ControlClient(instance).reload()
        for problem in reply.problems:
            print(problem, file=sys.stderr)
        print("The new configuration is in use." if reply.applied else "Refused; the old configuration stays.")
        return 0 if reply.applied else 1
    if any([signal_unit(instance, "sidecar", signal.SIGHUP), signal_unit(instance, "mcp", signal.SIGHUP)]):
        print("The listener is not running; the other processes were told, and their log says what they think of it.")
        return 0
    print(f"ccproxy: instance {instance.name!r} is not running; it reads its configuration at start", file=sys.stderr)
    return 1
