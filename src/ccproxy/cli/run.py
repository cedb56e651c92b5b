"""run a program with its requests going through ccproxy"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ccproxy.control.protocol import dialled
from ccproxy.errors import CcproxyError

if TYPE_CHECKING:
    from types import FrameType

KEYS = (signal.SIGINT, signal.SIGQUIT)
"""A terminal sends these to the program as well as to us; anybody else sends them to us alone."""
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, *KEYS)
CAPTURE_FLAGS = ("--capture", "--inspect")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "ccproxy run [--capture] [--] COMMAND …"
    parser.add_argument(
        "-i", *CAPTURE_FLAGS, dest="capture", action="store_true", help="run it in a network jail that captures all"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND …", help="the program and its arguments")
    parser.set_defaults(print_usage=parser.print_usage)


def run(args: argparse.Namespace) -> int:
    """The program's own exit status, 128 + N when signal N ended it; 1 when it cannot be run, 130 after Ctrl-C."""
    capture, command = split_command(args.command)
    if not command:
        args.print_usage()
        return 0
    if capture or args.capture:
        raise CcproxyError("the network jail of `run --capture` is not built yet; without it, `run` sets base URLs")
    from ccproxy.config.instance import find_instance
    from ccproxy.config.load import load

    config = load(find_instance(args.config, os.environ), os.environ).config
    return supervise(command, {**os.environ, **base_urls(config.host, config.port)})


def split_command(rest: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether capture is asked for among the arguments before a ``--``, and the program with its arguments.

    >>> split_command(["--", "claude", "--inspect"])
    (False, ['claude', '--inspect'])
    >>> split_command(["claude", "--inspect"])
    (True, ['claude'])
    """
    end = rest.index("--") if "--" in rest else len(rest)
    ours, theirs = rest[:end], rest[end + 1 :]
    kept = [word for word in ours if word not in CAPTURE_FLAGS]
    return len(kept) < len(ours), [*kept, *(theirs if not kept else rest[end:])]


def base_urls(host: str, port: int) -> dict[str, str]:
    """The variables by which the vendors' programs and SDKs find the proxy; OpenAI's expect the ``/v1``."""
    base = f"http://{dialled(host)}:{port}"
    return {
        "ANTHROPIC_BASE_URL": base,
        "GOOGLE_GEMINI_BASE_URL": base,
        "OPENAI_BASE_URL": f"{base}/v1",
        "OPENAI_API_BASE": f"{base}/v1",
    }


def supervise(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program as if it had been called instead of us: terminal, signals, exit status."""
    received: list[int] = []
    child: list[subprocess.Popen[bytes]] = []

    def note(number: int, _: FrameType | None) -> None:
        if number in KEYS and in_foreground():
            return
        if child:
            child[0].send_signal(number)
        else:
            received.append(number)

    before = {number: signal.signal(number, note) for number in PASSED_ON}
    try:
        try:
            child.append(subprocess.Popen(command, env=dict(environ)))  # noqa: S603 - what the user asked for
        except OSError as error:
            raise CcproxyError(f"cannot run {command[0]!r}: {error.strerror}") from None
        for number in received:  # it came before there was a program
            child[0].send_signal(number)
        status = child[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if status < 0:
        print(f"ccproxy: {command[0]} was ended by {signal.Signals(-status).name}", file=sys.stderr)
        return 128 - status
    return status


def in_foreground() -> bool:
    """Whether keys that are typed at our terminal reach us."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
