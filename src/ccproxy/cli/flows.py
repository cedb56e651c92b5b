"""list and show recorded requests

Reads the flow store itself, so it works while the daemon is down.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ccproxy.config.instance import Instance, find_instance
from ccproxy.errors import CcproxyError
from ccproxy.flows.reader import FlowReader, FlowRow
from ccproxy.flows.visible import one_line, visible

if TYPE_CHECKING:
    from ccproxy.flows.document import Part

ALL = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="flows_verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="list the newest flows, the latest last")
    listing.add_argument("--json", action="store_true", help="print a JSON array")
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="how many (50)")
    listing.add_argument("--jail", metavar="ID", help="only those of one jail")
    _add_jq(listing)
    show = verbs.add_parser("show", help="show one flow")
    show.add_argument("id", metavar="ID", help="the id, or as much of its beginning as is unique")
    show.add_argument("--json", action="store_true", help="print JSON, bodies included")
    parts = show.add_mutually_exclusive_group()
    for part, text in _PARTS.items():
        parts.add_argument(f"--{part}", dest="part", action="store_const", const=part, help=text)
    show.add_argument("--body", action="store_true", help="bodies from end to end; with a part, nothing but its body")
    show.add_argument("--raw", action="store_true", help="with --body and a part: its bytes as they are, for a file")
    clear = verbs.add_parser("clear", help="delete flows for good")
    clear.add_argument("ids", nargs="*", metavar="ID", help="flows to delete")
    clear.add_argument("--all", action="store_true", help="delete every flow")
    _add_jq(clear)


def run(args: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # captured text holds what a terminal in C locale has not
    instance = find_instance(args.config, os.environ)
    reader = FlowReader(instance.store_path)
    match args.flows_verb:
        case "list":
            return _list(args, instance, reader)
        case "show":
            return _show(args, reader)
        case _:
            return _clear(args, instance, reader)


_PARTS: dict[Part, str] = {
    "request": "only what the client asked",
    "forwarded": "only what was sent to the provider",
    "response": "only what the provider answered",
    "answered": "only what the client was answered",
}


def _add_jq(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jq",
        action="append",
        default=[],
        metavar="FILTER",
        help="jq filter over the array of flows; several are joined by |",
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("should be 1 or more")
    return number


def _list(args: argparse.Namespace, instance: Instance, reader: FlowReader) -> int:
    filters = [*_default_filters(instance, args.config), *args.jq]
    rows = reader.list(ALL if filters else args.limit, jail=args.jail)[::-1]
    chosen = _filter(filters, rows)[-args.limit :] if filters else _as_json(rows)
    if args.json:
        print(json.dumps(chosen, indent=2))
        return 0
    rows = _rows(chosen, rows)
    if not rows:
        print("No flows.")
        return 0
    for line in table(rows, time.time()):
        print(line)
    return 0


def table(rows: Sequence[FlowRow], now: float) -> list[str]:
    """A listing with its heading."""
    cells = [("ID", "METHOD", "CODE", "HOST", "PATH", "UA", "TIME")]
    cells += [
        (
            visible(row.id)[:8],
            one_line(row.method, 8),
            str(row.status or "-"),
            one_line(row.host, 40),
            one_line(row.path, 60),
            one_line(row.user_agent, 30),
            humanise(now - row.created_at),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def humanise(age_s: float) -> str:
    """How long ago: ``now``, ``5s ago``, ``3m ago``, ``2h ago``, ``9d ago``."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if age_s >= seconds:
            return f"{int(age_s // seconds)}{unit} ago"
    return "now"


def _show(args: argparse.Namespace, reader: FlowReader) -> int:
    from ccproxy.flows.report import body_text, report, report_part, to_json

    if args.raw and not (args.body and args.part):
        raise CcproxyError("--raw needs --body and one of --request, --forwarded, --response, --answered")
    record = reader.get(args.id)
    if args.part and record.answered is None:
        record.answered = record.response
    if args.part is None:
        print(json.dumps(to_json(record), indent=2) if args.json else report(record, whole=args.body))
        return 0
    if args.json:
        print(json.dumps(to_json(record)[args.part], indent=2))
        return 0
    message = getattr(record, args.part)
    if not args.body or message is None:
        print(report_part(record, args.part))
        return 0 if message is not None else 1
    if args.raw:
        sys.stdout.buffer.write(message.body.data)
    else:
        print(body_text(message.body))
    return 0


def _clear(args: argparse.Namespace, instance: Instance, reader: FlowReader) -> int:
    if args.all and not args.jq and not args.ids:
        _forget(instance, None)
        deleted = reader.clear()
    elif args.ids or args.jq:
        _forget(instance, [])  # of none: what waits is written first, so that it can be named
        ids = [reader.get(flow_id, bodies=False).id for flow_id in args.ids]
        if args.jq:
            filters = [*_default_filters(instance, args.config), *args.jq]
            ids += [_id(flow) for flow in _filter(filters, reader.list(ALL)[::-1])]
        _forget(instance, ids)
        deleted = reader.clear(ids)
    else:
        raise CcproxyError("name the flows to delete: by ID, by --jq FILTER, or --all")
    print(f"{deleted} flow{'' if deleted == 1 else 's'} deleted.")
    return 0


def _forget(instance: Instance, ids: list[str] | None) -> None:
    """Have a running listener write what waits, and take the flows out of its web UI."""
    from ccproxy.control.client import ControlClient
    from ccproxy.control.lock import read_lock
    from ccproxy.control.protocol import CLEAR

    if read_lock(instance, "listener") is not None:
        ControlClient(instance).post(CLEAR.partition(" ")[2], {} if ids is None else {"ids": ids})


def _filter(filters: Sequence[str], rows: Sequence[FlowRow]) -> list[Any]:
    from ccproxy.flows.query import select

    return select(filters, _as_json(rows))


def _as_json(rows: Sequence[FlowRow]) -> list[dict[str, Any]]:
    times = (datetime.fromtimestamp(row.created_at).astimezone().isoformat(timespec="milliseconds") for row in rows)
    return [row.to_json() | {"time": began} for row, began in zip(rows, times, strict=True)]


def _rows(chosen: Sequence[Any], rows: Sequence[FlowRow]) -> list[FlowRow]:
    """The flows that a filter chose."""
    known = {row.id: row for row in rows}
    try:
        return [known[_id(flow)] for flow in chosen]
    except KeyError:
        raise CcproxyError("the filter gives flows that there are not; see what it gives with --json") from None


def _id(flow: Any) -> str:
    if not isinstance(flow, dict) or not isinstance(flow.get("id"), str):
        raise CcproxyError("the filter gives something other than flows; see what it gives with --json")
    return str(flow["id"])


def _default_filters(instance: Instance, config_flag: str | None) -> Sequence[str]:
    """``flows.default_jq_filters``. The schema takes 0.2 s to import: only where the file has the key at all."""
    try:
        if b"default_jq_filters" not in instance.config_file.read_bytes():
            return ()
    except OSError:
        return ()
    from ccproxy.config.load import load

    return load(instance, os.environ).config.flows.default_jq_filters
