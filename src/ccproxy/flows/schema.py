"""The store's file: its tables, its versions, and how it is opened.

::

    flows    one row a flow: what a listing shows, and `document`, the rest as JSON (flows.document)
    bodies   id = flow number * 8 + part number (flows.document.PARTS), data = one zstd frame
    kept     what translations need in a conversation's next turn (flows.kept)

SQLite in WAL mode: the listener writes while the CLI and the MCP server read. ``secure_delete`` overwrites what is
deleted, as prompts are private. ``user_version`` is the number of the last migration. The file is 0600 in a 0700
folder; SQLite gives its ``-wal`` and ``-shm`` files the mode of the file.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ccproxy.errors import StoreError

COLUMNS: Final = (
    "id",
    "created_at",
    "ended_at",
    "listener",
    "jail",
    "method",
    "status",
    "host",
    "path",
    "user_agent",
    "dialect",
    "operation",
    "model",
    "provider",
    "route",
    "session_id",
    "conversation_id",
    "input_tokens",
    "output_tokens",
    "complete",
    "error",
    "warnings",
    "size",
    "document",
)
"""Of ``flows``, without ``number``."""

PARTS_PER_FLOW: Final = 8

_MIGRATIONS: Final = (
    """
    CREATE TABLE flows (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        created_at REAL NOT NULL,
        ended_at REAL,
        listener TEXT NOT NULL,
        jail TEXT,
        method TEXT NOT NULL,
        status INTEGER NOT NULL,
        host TEXT NOT NULL,
        path TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        dialect TEXT,
        operation TEXT NOT NULL,
        model TEXT,
        provider TEXT,
        route TEXT NOT NULL,
        session_id TEXT,
        conversation_id TEXT,
        input_tokens INTEGER,
        output_tokens INTEGER,
        complete INTEGER,
        error TEXT,
        warnings INTEGER NOT NULL,
        size INTEGER NOT NULL,
        document TEXT NOT NULL
    );
    CREATE INDEX flows_created_at ON flows (created_at);
    CREATE INDEX flows_jail ON flows (jail, created_at) WHERE jail IS NOT NULL;
    CREATE TABLE bodies (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    """,
    """
    CREATE TABLE kept (
        provider TEXT NOT NULL,
        key TEXT NOT NULL,
        data BLOB NOT NULL,
        used_at REAL NOT NULL,
        UNIQUE (provider, key)
    );
    CREATE INDEX kept_used_at ON kept (used_at);
    """,
)
VERSION: Final = len(_MIGRATIONS)

_ADVICE: Final = {
    "malformed": "; move the file away and a new one is made",
    "not a database": "; move the file away and a new one is made",
    "is locked": " by another process",
    "readonly": "; look at the owner and mode of the file and its folder",
    "unable to open": "; look at the owner and mode of the file and its folder",
    "Permission denied": "; look at the owner and mode of the folder",
}

INSERT_FLOW: Final = f"INSERT INTO flows ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
INSERT_BODY: Final = "INSERT INTO bodies (id, data) VALUES (?, ?)"


def open_writer(path: Path, *, busy_timeout_s: float = 5.0) -> sqlite3.Connection:
    """A connection that may write; makes folder, file and tables where they are missing.

    In autocommit mode: transactions are the caller's. Raises StoreError, OSError or sqlite3.Error.
    """
    _make_private(path)
    db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        if _version(db) == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA journal_size_limit = 8388608")
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def open_reader(path: Path) -> sqlite3.Connection | None:
    """A connection that only reads; None if there is no store yet. Raises StoreError.

    Where the folder cannot be written, WAL's shared memory cannot be made: then the file is read as it is, without
    what the last writer left in the ``-wal`` file.
    """
    if not path.exists():
        return None
    reason: sqlite3.Error | None = None
    for mode in ("mode=ro", "immutable=1"):
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=5.0, isolation_level=None)
            version = _version(db)
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            reason = reason or error
            continue
        if version > VERSION:
            db.close()
            raise newer(path)
        if version == 0:
            db.close()
            return None
        return db
    assert reason is not None, "each round of the loop returns or fails"
    raise store_error(path, reason)


def store_error(path: Path, error: Exception) -> StoreError:
    """What is wrong with the store, and what to do."""
    if isinstance(error, StoreError):
        return error
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    advice = next((advice for sign, advice in _ADVICE.items() if sign in text), "")
    return StoreError(f"flow store {path}: {text}{advice}")


def newer(path: Path) -> StoreError:
    return StoreError(f"flow store {path} was made by a newer ccproxy; update, or move it away")


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    if _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _version(db)  # another process may have been first
        if version > VERSION:
            raise newer(path)
        for script in _MIGRATIONS[version:]:
            for statement in script.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has ended it already
            db.execute("ROLLBACK")
        raise


def _make_private(path: Path) -> None:
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
