"""print the log"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.lock import read_lock
from ccproxy.control.protocol import Unit
from ccproxy.errors import CcproxyError

POLL_S = 0.2
BLOCK_BYTES = 64 * 1024
JOURNAL = "journal:"
PROCESSES: tuple[Unit, ...] = ("activator", "listener", "sidecar", "mcp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on printing what is added")
    parser.add_argument("-n", "--lines", type=_count, metavar="N", help="only the last N lines; all by default")


def run(args: argparse.Namespace) -> int:
    """0; 1 when there is no log. Under systemd, what ``journalctl`` returns."""
    instance = find_instance(args.config, os.environ)
    where = find_log(instance)
    if where.startswith(JOURNAL):
        return _journal(where.removeprefix(JOURNAL), args.lines, follow=args.follow)
    path = Path(where)
    if not path.is_file():
        raise CcproxyError(f"there is no log at {path}; under systemd: journalctl --user -t {instance.name}")
    with path.open("rb") as file:
        skip_to_last(file, args.lines)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        if args.follow:
            for data in follow(path, file, pause=lambda: time.sleep(POLL_S)):
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
    return 0


def find_log(instance: Instance) -> str:
    """``journal:IDENTIFIER`` or a path: where the running processes write, else where they would."""
    for unit in PROCESSES:
        if (running := read_lock(instance, unit)) and running.log not in ("", "stderr"):
            return running.log
    from ccproxy.config.load import load

    config = load(instance, os.environ).config
    identifier = config.journal_identifier or instance.name
    if config.use_journal or (config.log_file is not None and not config.log_file.exists() and _in_journal(identifier)):
        return JOURNAL + identifier
    if config.log_file is None:
        raise CcproxyError("`log_file` is null: nothing is written but standard error")
    return str(config.log_file)


def skip_to_last(file: BinaryIO, lines: int | None) -> None:
    """Seek to where the last ``lines`` lines begin; to the start for None."""
    if lines is None:
        return
    end = file.seek(0, os.SEEK_END)
    position, missing = end, lines
    while position > 0 and missing >= 0:
        block = min(BLOCK_BYTES, position)
        position -= block
        file.seek(position)
        data = file.read(block)
        at = len(data) - 1 if position + block == end else len(data)  # the last line break ends the last line
        while missing > 0 and (at := data.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
        if missing == 0:
            file.seek(position + at + 1 if lines else end)
            return
    file.seek(0)


def follow(path: Path, file: BinaryIO, pause: Callable[[], None]) -> Iterator[bytes]:
    """What is added to the file, and to the one that takes its place when it is rotated. Never ends."""
    while True:
        while data := file.read(BLOCK_BYTES):
            yield data
        if path.exists() and not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            rest = file.read()  # written between the last look and the rotation
            if rest:
                yield rest
            file = path.open("rb")
            continue
        pause()


def _journal(identifier: str, lines: int | None, *, follow: bool) -> int:
    command = ["journalctl", "--user", "-t", identifier, "-n", "all" if lines is None else str(lines)]
    command += ["--follow"] if follow else []
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603 - a list, no shell
    except FileNotFoundError:
        raise CcproxyError("the log is in the journal, and there is no journalctl") from None


def _in_journal(identifier: str) -> bool:
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        return False
    command = [journalctl, "--user", "-q", "-t", identifier, "-n", "1", "-o", "cat"]
    found = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a list, no shell
    return bool(found.stdout.strip())


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("must be a number of lines")
    return int(text)
