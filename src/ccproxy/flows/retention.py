"""Deletes flows: the oldest beyond the limits, or those that a person names. What is deleted is overwritten.

Work is done in short transactions, so that other writers wait little, and in bounded portions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ccproxy.flows.schema import PARTS_PER_FLOW

if TYPE_CHECKING:
    from ccproxy.config.model import Config

_ROWS = 200
"""Flows deleted in one transaction, at most."""
_BYTES = 16 * 1024 * 1024
"""The same in bytes: what is deleted passes through the WAL as zeros."""
_PORTIONS = 50
"""Transactions of one :func:`prune`; the next goes on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the store may hold, and what may wait for it. 0 sets no limit, where the configuration allows it."""

    max_age_s: float = 30 * 86400.0
    """Seconds since a flow began."""
    max_count: int = 10_000
    """Flows."""
    max_bytes: int = 1024**3
    """Bytes of the file that are in use."""
    body_limit_bytes: int = 4 * 1024**2
    """Bytes kept of each body."""
    queue_count: int = 2000
    """Flows that wait to be written."""
    queue_bytes: int = 32 * 1024**2
    """Bytes of their bodies."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """As configured."""
        flows = config.flows
        return cls(flows.max_age_s, flows.max_count, flows.max_bytes, flows.body_limit_bytes)


def prune(db: sqlite3.Connection, limits: Limits, now: float) -> int:
    """Delete the oldest flows until all limits hold, or a portion of work is done; how many were deleted.

    ``db`` is in autocommit mode.
    """
    deleted = 0
    for _ in range(_PORTIONS):
        rows = _too_old(db, limits, now) or _too_many(db, limits) or _too_large(db, limits)
        if not rows:
            break
        deleted += _delete(db, rows)
    if deleted:
        _give_back(db)
    return deleted


def delete(db: sqlite3.Connection, numbers: Sequence[int] | None) -> int:
    """Delete these flows, or all that are there now and the translation's memory; how many flows.

    Nothing of them is left in the file or its WAL.

    Raises sqlite3.OperationalError ("locked") if a reader keeps the WAL from being emptied.
    """
    deleted = 0
    if numbers is None:
        db.execute("DELETE FROM kept")
        (last,) = db.execute("SELECT coalesce(max(number), 0) FROM flows").fetchone()
        while rows := db.execute(
            "SELECT number, size FROM flows WHERE number <= ? ORDER BY number LIMIT ?", (last, _ROWS)
        ).fetchall():
            deleted += _delete(db, _portion(rows))
    else:
        for at in range(0, len(numbers), _ROWS):
            deleted += _delete(db, [(number, 0) for number in numbers[at : at + _ROWS]])
    db.execute("PRAGMA incremental_vacuum").fetchall()
    (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the flows are deleted, but the -wal file is locked by a reader: try again")
    return deleted


type _Rows = list[tuple[int, int]]
"""Number and size of flows, oldest first."""


def _too_old(db: sqlite3.Connection, limits: Limits, now: float) -> _Rows:
    if not limits.max_age_s:
        return []
    oldest = "SELECT number, size FROM flows WHERE created_at < ? ORDER BY created_at LIMIT ?"
    return _portion(db.execute(oldest, (now - limits.max_age_s, _ROWS)).fetchall())


def _too_many(db: sqlite3.Connection, limits: Limits) -> _Rows:
    if not limits.max_count:
        return []
    (count,) = db.execute("SELECT count(*) FROM flows").fetchone()
    return _oldest(db, min(count - limits.max_count, _ROWS)) if count > limits.max_count else []


def _too_large(db: sqlite3.Connection, limits: Limits) -> _Rows:
    if not limits.max_bytes:
        return []
    excess = used_bytes(db) - limits.max_bytes
    if excess <= 0:
        return []
    rows: _Rows = []
    for number, size in _oldest(db, _ROWS):
        rows.append((number, size))
        excess -= size
        if excess <= 0:
            break
    return rows


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _oldest(db: sqlite3.Connection, count: int) -> _Rows:
    return _portion(db.execute("SELECT number, size FROM flows ORDER BY created_at LIMIT ?", (count,)).fetchall())


def _portion(rows: _Rows) -> _Rows:
    """As many of the first rows as fit into one transaction."""
    total = 0
    for at, (_, size) in enumerate(rows):
        total += size
        if total > _BYTES:
            return rows[: at + 1]
    return rows


def _delete(db: sqlite3.Connection, rows: _Rows) -> int:
    db.execute("BEGIN IMMEDIATE")
    try:
        deleted = db.executemany("DELETE FROM flows WHERE number = ?", [(number,) for number, _ in rows]).rowcount
        db.executemany(
            "DELETE FROM bodies WHERE id BETWEEN ? AND ?",
            [(number * PARTS_PER_FLOW, number * PARTS_PER_FLOW + PARTS_PER_FLOW - 1) for number, _ in rows],
        )
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return deleted


def _give_back(db: sqlite3.Connection) -> None:
    """Shrink a file that is more than a quarter empty, and overwrite what the WAL still holds of deleted flows."""
    (pages,), (free,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count"))
    if free * 4 > pages:
        db.execute(f"PRAGMA incremental_vacuum({free // 2})").fetchall()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
