"""print the version"""

from __future__ import annotations

import argparse

from ccproxy import __version__


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(args: argparse.Namespace) -> int:
    """Always 0."""
    print(f"ccproxy {__version__}")
    return 0
