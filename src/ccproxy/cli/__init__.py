"""The command line: ``ccproxy [--config PATH] [-v] VERB …``.

One row of ``VERBS`` and one file for each verb: it parses, calls, prints. A module is imported when its verb was
chosen, so that ``ccproxy status`` does not wait for what only the listener needs. Each has ``add_arguments(parser)``
and ``run(args) -> int``; ``args`` has ``config`` (str or None) and ``verbose`` (bool) beside its own.

Exit status: what ``run`` returns; 1 for an error, told in one line each on standard error (with ``-v`` and a
traceback); 2 for wrong usage; 130 after Ctrl-C; 141 when the reader of a pipe went away.

>>> main(["version"])
ccproxy 3.0.0.dev0
0
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ccproxy import __version__
from ccproxy.errors import CcproxyError

VERBS: Mapping[str, str] = {
    "start": "run the daemon in the foreground",
    "init": "write a commented ccproxy.yaml to start from",
    "run": "run a program with its requests going through ccproxy",
    "logs": "print the log",
    "status": "show what is running, and the pipeline of hooks",
    "config": "check the configuration, show what is in force, print its JSON schema",
    "flows": "list and show recorded requests",
    "transform": "translate a request, or a recorded answer, from one wire format to another",
    "reload": "have the daemon read its configuration again",
    "listener": "serve the proxy's sockets (systemd or `ccproxy start` starts this)",
    "sidecar": "serve the sidecar's socket (systemd or `ccproxy start` starts this)",
    "mcp": "serve the MCP server's socket (systemd or `ccproxy start` starts this)",
    "version": "print the version",
}
"""Verb → its help, which is the first line of the docstring of ``ccproxy.cli.<verb>``."""

INTERRUPTED = 130
PIPE_CLOSED = 141


class VerbParser(argparse.ArgumentParser):
    """Parses one verb's arguments; imports the verb's module when it has to."""

    module_name: str | None = None

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self.module_name is not None:
            module = importlib.import_module(self.module_name)
            self.module_name = None
            module.add_arguments(self)
            self.set_defaults(run=module.run)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; the verbs' own arguments are added when one is chosen."""
    parser = VerbParser(prog="ccproxy", description="Stands between LLM tools and LLM providers.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"ccproxy {__version__}")
    _add_common(parser, config=None, verbose=False)
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        assert isinstance(verb, VerbParser)
        verb.module_name = f"ccproxy.cli.{name}"
        _add_common(verb, config=argparse.SUPPRESS, verbose=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as ended:  # argparse has said why
        return ended.code if isinstance(ended.code, int) else 1
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more when it ends; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except CcproxyError as error:
        _explain(error, str(error), verbose=args.verbose)
        return 1
    except Exception as error:  # the error edge of the command line: a defect of ours, told without a traceback
        _explain(error, f"defect: {type(error).__name__} in {_place(error)}; -v shows where", verbose=args.verbose)
        return 1
    return status


def _add_common(parser: argparse.ArgumentParser, *, config: object, verbose: object) -> None:
    parser.add_argument("--config", metavar="PATH", default=config, help="folder that holds ccproxy.yaml")
    parser.add_argument("-v", "--verbose", action=argparse.BooleanOptionalAction, default=verbose, help="say more")


def _explain(error: Exception, message: str, *, verbose: bool) -> None:
    if verbose:
        traceback.print_exception(error)
    for line in message.splitlines() or [type(error).__name__]:
        print(f"ccproxy: {line}", file=sys.stderr)


def _place(error: Exception) -> str:
    """``file:line`` where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
