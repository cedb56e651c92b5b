"""``inspector.mitmproxy.flow_detail``: what mitmdump prints of each flow, as lines of the log.

1 is a line for each request and its answer, 2 adds headers, 3 and 4 add bodies. What a flow shows holds no credential
of ours, and the log is scrubbed like any other.
"""

from __future__ import annotations

import io
import logging
from typing import IO, cast

from mitmproxy.addons.dumper import Dumper
from mitmproxy.master import Master

log = logging.getLogger(__name__)


class LogLines(io.TextIOBase):
    """A text file whose lines are log messages."""

    def __init__(self) -> None:
        self.rest = ""

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line.strip():
                log.info("%s", line)
        return len(text)


def log_flows(master: Master, detail: int) -> None:
    """Log every flow that ends. Call once the addon that completes flows is there; 0 costs nothing."""
    if detail:
        master.addons.add(Dumper(cast(IO[str], LogLines())))
        master.options.update(flow_detail=detail)
