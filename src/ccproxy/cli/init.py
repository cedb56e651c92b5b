"""write a commented ccproxy.yaml to start from"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

from ccproxy.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace a file that is there already")


def run(args: argparse.Namespace) -> int:
    from ccproxy.config.instance import find_instance
    from ccproxy.config.template import template_text

    try:
        path = find_instance(args.config, os.environ).config_file
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = write_new(path, template_text(), replace=args.force)
    except OSError as error:
        print(f"{path}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(f"Wrote {path}" if written else f"Skipping {path} (already exists; --force replaces it)")
    return 0


def write_new(path: Path, text: str, *, replace: bool) -> bool:
    """Write a file of mode 0600 whole or not at all; False if it is there and is not to be replaced.

    A symbolic link is replaced, not followed: what it points to belongs to whoever made it.
    """
    if not replace and path.is_symlink():
        return False
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
            return True
        try:
            path.hardlink_to(beside)  # fails where rename would replace
        except FileExistsError:
            return False
        return True
    finally:
        beside.unlink(missing_ok=True)
