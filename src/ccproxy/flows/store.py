"""The flow store: one SQLite file that the listener writes and the CLI and the MCP server read.

=============  =================================================================================
``writer``     :class:`FlowWriter`, a thread with a bounded queue; nothing it does can stop a request
``reader``     :class:`FlowReader`, lists, finds and deletes, with or without a running daemon
``pack``       record → row: decoding, redaction, compression
``document``   record ↔ JSON
``kept``       the translation's memory, from one run to the next
``schema``     tables, versions, how the file is opened
``retention``  what is deleted, and that it is really gone
=============  =================================================================================
"""

from ccproxy.flows.reader import FlowReader, FlowRow
from ccproxy.flows.retention import Limits
from ccproxy.flows.writer import FlowWriter

__all__ = ["FlowReader", "FlowRow", "FlowWriter", "Limits"]
