"""The translation's memory between two runs: the table ``kept`` of the store.

What a provider wants back in the conversation's next turn (``lightllm.memory``) must outlive the listener. It is read
once at start, and written by the flow writer's thread as it changes::

    memory = load(instance.store_path, limits, now)
    …
    writer.keep(*memory.take_changes())

It holds what models thought, so it is as private as the flows are: same file, same age, and ``flows clear --all``.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from ccproxy.errors import StoreError
from ccproxy.flows.retention import Limits
from ccproxy.flows.schema import open_reader
from ccproxy.lightllm.memory import BYTES_LIMIT, Kept, Memory, dump_kept, load_kept

type Name = tuple[str, str]
"""Provider and key."""

SHARE: Final = 4
"""The memory takes at most this part of ``flows.max_bytes``: flows are what the store is for."""
USED_ANEW_S: Final = 3600.0
"""An entry that is used is noted so once in this time."""
KEY_LIMIT: Final = 1024
"""Longest key, in characters, that is remembered."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a pair, which is no text to SQLite."""

log = logging.getLogger(__name__)


class StoredMemory(Memory):
    """A memory that knows what of it is to be stored."""

    __slots__ = ("used",)

    def __init__(self, limit: int = BYTES_LIMIT) -> None:
        super().__init__(limit)
        self.used: set[Name] = set()
        """What was recalled since the last ``take_changes``."""

    def remember(self, provider: str, key: str, kept: Kept) -> None:
        if len(key) <= KEY_LIMIT and not _SURROGATE.search(key):  # providers choose the ids of their calls
            super().remember(provider, key, kept)

    def recall(self, provider: str, key: str) -> Kept | None:
        if (kept := super().recall(provider, key)) is not None:
            self.used.add((provider, key))
        return kept

    def take_changes(self) -> tuple[dict[Name, Kept], set[Name]]:
        """What was added, and what was used, since the last time."""
        changes = self.changed, self.used
        self.changed, self.used = {}, set()
        return changes

    def clear(self) -> None:
        """Forget everything."""
        self.__init__(self._limit)  # type: ignore[misc]


def limit_of(limits: Limits) -> int:
    """Most bytes of the memory."""
    return min(BYTES_LIMIT, limits.max_bytes // SHARE) if limits.max_bytes else BYTES_LIMIT


def load(path: Path, limits: Limits, now: float) -> StoredMemory:
    """What is in the store; empty, with a line in the log, if it cannot be read."""
    memory = StoredMemory(limit_of(limits))
    try:
        for provider, key, data in _rows(path, limits, now):
            memory.remember(provider, key, load_kept(data))
    except (sqlite3.Error, StoreError, ValueError) as error:
        log.warning("what providers want back of earlier turns could not be read: %s", error)
    memory.take_changes()
    return memory


def _rows(path: Path, limits: Limits, now: float) -> list[tuple[str, str, bytes]]:
    """Those that were used last at the end."""
    db = open_reader(path)
    if db is None:
        return []
    with closing(db):
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone() is None:
            return []  # made by an older ccproxy, which nothing was written to since
        oldest = now - limits.max_age_s if limits.max_age_s else 0.0
        query = "SELECT provider, key, data FROM kept WHERE used_at >= ? ORDER BY used_at"
        return db.execute(query, (oldest,)).fetchall()


def write(db: sqlite3.Connection, entries: Mapping[Name, Kept | None], now: float) -> None:
    """Store entries; None says that one was used. In the caller's transaction."""
    db.executemany(
        "INSERT OR REPLACE INTO kept (provider, key, data, used_at) VALUES (?, ?, ?, ?)",
        [(*name, dump_kept(kept), now) for name, kept in entries.items() if kept is not None],
    )
    db.executemany(
        "UPDATE kept SET used_at = ? WHERE provider = ? AND key = ? AND used_at < ?",
        [(now, *name, now - USED_ANEW_S) for name, kept in entries.items() if kept is None],
    )


def prune(db: sqlite3.Connection, limits: Limits, now: float) -> None:
    """Delete what is too old, and what was used the longest ago beyond the limit. ``db`` is in autocommit mode."""
    if limits.max_age_s:
        db.execute("DELETE FROM kept WHERE used_at < ?", (now - limits.max_age_s,))
    (size,) = db.execute("SELECT coalesce(sum(length(data)), 0) FROM kept").fetchone()
    if (excess := size - limit_of(limits)) <= 0:
        return
    gone: list[tuple[int]] = []
    for number, length in db.execute("SELECT rowid, length(data) FROM kept ORDER BY used_at"):
        if excess <= 0:
            break
        gone.append((number,))
        excess -= length
    db.execute("BEGIN IMMEDIATE")
    db.executemany("DELETE FROM kept WHERE rowid = ?", gone)
    db.execute("COMMIT")
