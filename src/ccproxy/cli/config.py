"""check the configuration, show what is in force, print its JSON schema"""

from __future__ import annotations

import argparse
import os
import sys

from ccproxy.errors import ConfigError, Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="config_verb", required=True, metavar="VERB")
    check = verbs.add_parser("check", help="say what is wrong with the configuration; exit 1 if it cannot be used")
    check.add_argument("--strict", action="store_true", help="make errors of warnings")
    check.add_argument("--offline", action="store_true", help="read no other file")
    show = verbs.add_parser("show", help="print the configuration in force, and what set each value")
    show.add_argument("--json", action="store_true", help="print JSON")
    verbs.add_parser("schema", help="print the JSON schema of ccproxy.yaml")


def run(args: argparse.Namespace) -> int:
    if args.config_verb == "schema":
        from ccproxy.config.schema import schema_text

        sys.stdout.write(schema_text())
        return 0
    return _check(args) if args.config_verb == "check" else _show(args)


def _check(args: argparse.Namespace) -> int:
    from ccproxy.config.instance import find_instance
    from ccproxy.config.load import load

    try:
        instance = find_instance(args.config, os.environ)
        loaded = load(instance, os.environ, strict=args.strict, offline=args.offline)
    except ConfigError as error:
        _print_problems(error.problems)
        return 1
    _print_problems(loaded.warnings)
    print(f"{loaded.source}: can be used" if loaded.source else f"{instance.config_file}: not there, defaults are used")
    return 0


def _show(args: argparse.Namespace) -> int:
    from ccproxy.config.instance import find_instance
    from ccproxy.config.load import load
    from ccproxy.config.show import as_json, as_yaml

    try:
        loaded = load(find_instance(args.config, os.environ), os.environ)
    except ConfigError as error:
        _print_problems(error.problems)
        return 1
    _print_problems(loaded.warnings)
    sys.stdout.write(as_json(loaded) if args.json else as_yaml(loaded))
    return 0


def _print_problems(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        print(f"warning: {problem}" if problem.severity == "warning" else problem, file=sys.stderr)
