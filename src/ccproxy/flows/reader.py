"""Reads the flow store: by the CLI and the MCP server, with or without a running daemon.

    reader = FlowReader(instance.store_path)
    for row in reader.list(limit=10): print(row.id[:8], row.method, row.status, row.host)
    record = reader.get("3f2a91c0")

Every call opens the file and closes it again, so that nobody holds the WAL. A store that is not there yet is empty.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ccproxy.errors import StoreError
from ccproxy.flows.document import PARTS, Part, decode
from ccproxy.flows.record import FlowRecord
from ccproxy.flows.retention import delete
from ccproxy.flows.schema import PARTS_PER_FLOW, open_reader, open_writer, store_error


class FlowRow(NamedTuple):
    """What a listing shows of one flow. Texts are cut at 500 characters."""

    id: str
    created_at: float
    ended_at: float | None
    listener: str
    jail: str | None
    method: str
    status: int
    """What the client was answered; 0: nothing."""
    host: str
    """Where the request went, with port if the URL names one; where it came to if it went nowhere."""
    path: str
    """With query."""
    user_agent: str
    dialect: str | None
    operation: str
    model: str | None
    provider: str | None
    route: str
    session_id: str | None
    conversation_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    complete: int | None
    error: str | None
    warnings: int
    """How many."""
    size: int
    """Bytes in the store."""

    def to_json(self) -> dict[str, Any]:
        """For jq and MCP: the fields, with ``request`` and ``response`` as in mitmproxy's flows."""
        found: dict[str, Any] = self._asdict()
        found["complete"] = None if self.complete is None else bool(self.complete)
        found["request"] = {"method": self.method, "host": self.host, "path": self.path, "user_agent": self.user_agent}
        found["response"] = {"status_code": self.status} if self.status else None
        return found


_ROW = ", ".join(FlowRow._fields)


class FlowReader:
    """The reading end of a store. Raises StoreError when the file is there and cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def list(
        self,
        limit: int = 50,
        *,
        before: float | None = None,
        jail: str | None = None,
        session_id: str | None = None,
    ) -> list[FlowRow]:
        """The newest flows, newest first: those that began ``before`` a time, of one jail, of one session."""
        wanted = {"created_at < ?": before, "jail = ?": jail, "session_id = ?": session_id}
        given = {condition: value for condition, value in wanted.items() if value is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        query = f"SELECT {_ROW} FROM flows{where} ORDER BY created_at DESC, number DESC LIMIT ?"  # noqa: S608
        return self._read(
            lambda db: list(map(FlowRow._make, db.execute(query, (*given.values(), limit)))),
            [],
        )

    def count(self) -> int:
        """How many flows there are."""
        return self._read(lambda db: int(db.execute("SELECT count(*) FROM flows").fetchone()[0]), 0)

    def get(self, flow_id: str, *, bodies: bool = True) -> FlowRecord:
        """The flow with this id, or with an id that begins so. StoreError if there is none, or more than one.

        ``bodies=False`` leaves their data empty.
        """

        def read(db: sqlite3.Connection) -> FlowRecord:
            number, document = self._find(db, flow_id)
            return decode(json.loads(document), lambda part: _load(db, number, part) if bodies else b"")

        record = self._read(read, None)
        if record is None:
            raise _unknown(flow_id)
        return record

    def clear(self, ids: Sequence[str] | None = None) -> int:
        """Delete these flows (full ids), or all and the translation's memory; how many flows.

        Nothing of them is left in the file.
        """
        if not self._path.exists():
            return 0
        try:
            with closing(open_writer(self._path)) as db:
                return delete(db, None if ids is None else _numbers(db, ids))
        except (sqlite3.Error, OSError) as error:
            raise store_error(self._path, error) from error

    def _read[T](self, read: Callable[[sqlite3.Connection], T], empty: T) -> T:
        db = open_reader(self._path)
        if db is None:
            return empty
        try:
            with closing(db):
                return read(db)
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def _find(self, db: sqlite3.Connection, flow_id: str) -> tuple[int, str]:
        prefix = flow_id.strip().lower()
        if not prefix:
            raise StoreError("name a flow by the beginning of its id")
        query = "SELECT number, document, id FROM flows WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"
        rows = db.execute(query, (prefix, prefix + "\U0010ffff")).fetchall()
        if not rows:
            raise _unknown(flow_id)
        if len(rows) > 1 and rows[0][2] != prefix:
            raise StoreError(f"more than one flow begins with {flow_id!r}; give more of the id")
        return int(rows[0][0]), str(rows[0][1])


def _unknown(flow_id: str) -> StoreError:
    return StoreError(f"no flow begins with {flow_id!r}; `ccproxy flows list` shows what there is")


def _numbers(db: sqlite3.Connection, ids: Sequence[str]) -> list[int]:
    found: list[int] = []
    for flow_id in ids:
        found += [number for (number,) in db.execute("SELECT number FROM flows WHERE id = ?", (flow_id,))]
    return found


def _load(db: sqlite3.Connection, number: int, part: Part) -> bytes:
    query = "SELECT data FROM bodies WHERE id = ?"
    row = db.execute(query, (number * PARTS_PER_FLOW + PARTS.index(part),)).fetchone()
    if row is None:
        return b""
    import zstandard  # noqa: PLC0415 - a listing needs no body

    return zstandard.ZstdDecompressor().decompress(row[0])
