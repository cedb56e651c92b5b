"""Writes flow records to the store, on a thread of its own, and never in the way of a request.

    writer = FlowWriter(instance.store_path, redactor, Limits.of(config))
    writer.put(record)          # returns at once, whatever the state of the disk
    writer.close()              # writes what waits

What cannot be written, because the queue or the disk is full, the folder read-only, the file damaged or locked, is
*lost*: counted, and logged once a minute. The next record is tried again with a fresh connection.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ccproxy.errors import StoreError
from ccproxy.flows import kept
from ccproxy.flows.pack import Packed, Packer
from ccproxy.flows.record import FlowRecord
from ccproxy.flows.redact import Redactor
from ccproxy.flows.retention import Limits, prune
from ccproxy.flows.schema import INSERT_BODY, INSERT_FLOW, PARTS_PER_FLOW, open_writer, store_error
from ccproxy.lightllm.memory import Kept

BATCH_COUNT = 32
BATCH_BYTES = 8 * 1024 * 1024
LINGER_S = 0.05
"""How long a record waits for others to share its transaction."""
PRUNE_EVERY_S = 60.0
PRUNE_EVERY = 200
"""Records."""
COMPLAIN_EVERY_S = 60.0
RECORD_BYTES = 4096
"""What a record takes in memory beside its bodies, roughly."""
KEPT_COUNT = 4096
"""Entries of the translation's memory that may wait."""

log = logging.getLogger(__name__)

type OnLoss = Callable[[int, str], None]
"""Called with the number of flows lost so far and why, at most once a minute, on any thread."""


class FlowWriter:
    """The writing end of one store in one process. Other processes may write to the same store."""

    def __init__(
        self,
        path: Path,
        redactor: Redactor,
        limits: Limits | None = None,
        on_loss: OnLoss | None = None,
        *,
        clock: Callable[[], float] = time.time,
        linger_s: float = LINGER_S,
        busy_timeout_s: float = 5.0,
    ) -> None:
        self.limits = limits or Limits()
        """May be replaced at any time; a reload does."""
        self._path = path
        self._packer = Packer(redactor)
        self._on_loss = on_loss
        self._clock = clock
        self._linger_s = linger_s
        self._busy_timeout_s = busy_timeout_s
        self._changed = threading.Condition()
        self._queue: deque[tuple[FlowRecord, int]] = deque()
        self._queued_bytes = 0
        self._kept: dict[kept.Name, Kept | None] = {}
        self._busy = False
        self._closing = False
        self._hurry = False
        self._lost = 0
        self._complained = (0, float("-inf"))
        self._db: sqlite3.Connection | None = None
        self._opened_inode = 0
        self._unpruned = PRUNE_EVERY
        self._pruned_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="flow writer", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Flows that could not be written since this writer was made."""
        return self._lost

    @property
    def waiting(self) -> int:
        """Flows in the queue."""
        return len(self._queue)

    def put(self, record: FlowRecord) -> None:
        """Have a finished record written. Never blocks, never raises; the record must not be changed any more."""
        size = RECORD_BYTES + _body_bytes(record)
        with self._changed:
            limits = self.limits
            full = len(self._queue) >= limits.queue_count or self._queued_bytes + size > limits.queue_bytes
            if full or self._closing:
                self._lost += 1
                return
            self._queue.append((record, size))
            self._queued_bytes += size
            if len(self._queue) == 1 or len(self._queue) == BATCH_COUNT:
                self._changed.notify_all()

    def keep(self, changed: Mapping[kept.Name, Kept], used: Iterable[kept.Name] = ()) -> None:
        """Have entries of the translation's memory written, and noted which were used. Never blocks, never raises."""
        with self._changed:
            waiting = self._kept
            for name in used:
                waiting.setdefault(name)
            waiting.update(changed)
            while len(waiting) > KEPT_COUNT:
                del waiting[next(iter(waiting))]
            if waiting and not self._queue:
                self._changed.notify_all()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything put so far is written or lost; False if that takes longer."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not (self._queue or self._kept or self._busy), timeout_s)
            finally:
                self._hurry = False

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what waits and end the thread; False if that takes longer, then the rest is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            batch, entries = self._take()
            try:
                if batch or entries:
                    self._write(batch, entries)
                self._prune_if_due()
                self._report()
            except Exception:  # the edge of the thread: recording goes on with the next batch
                log.exception("the flow writer failed")
                self._disconnect()
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                if self._closing and not self._queue and not self._kept:
                    break
        self._disconnect()

    def _take(self) -> tuple[list[FlowRecord], dict[kept.Name, Kept | None]]:
        """Wait for something to write; what shares one transaction, or nothing when it is time for something else."""
        batch: list[FlowRecord] = []
        size = 0
        with self._changed:
            if not self._queue and not self._kept and not self._closing and self._pruned_at > float("-inf"):
                self._changed.wait(PRUNE_EVERY_S)
            if self._queue or self._kept:
                self._changed.wait_for(self._pressed, self._linger_s)
            self._busy = True
            while self._queue and len(batch) < BATCH_COUNT and size < BATCH_BYTES:
                record, record_size = self._queue.popleft()
                batch.append(record)
                size += record_size
            self._queued_bytes -= size
            entries, self._kept = self._kept, {}
        return batch, entries

    def _pressed(self) -> bool:
        return self._closing or self._hurry or len(self._queue) >= BATCH_COUNT or self._queued_bytes >= BATCH_BYTES

    def _write(self, batch: list[FlowRecord], entries: dict[kept.Name, Kept | None]) -> None:
        packed: list[Packed] = []
        for record in batch:
            try:
                packed.append(self._packer.pack(record, self.limits.body_limit_bytes))
            except Exception as error:  # the edge of the thread: one strange record must not end the recording
                self._lose(1, f"a flow could not be prepared: {type(error).__name__}")
                log.debug("flow %s could not be prepared", record.id, exc_info=error)
        if not packed and not entries:
            return
        try:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            written = sum(self._insert(db, one) for one in packed)
            kept.write(db, entries, self._clock())
            db.execute("COMMIT")
        except (sqlite3.Error, OSError, StoreError) as error:
            self._disconnect()
            self._lose(len(packed), str(store_error(self._path, error)))
        else:
            self._unpruned += written

    def _insert(self, db: sqlite3.Connection, packed: Packed) -> bool:
        try:
            number = db.execute(INSERT_FLOW, packed.row).lastrowid
        except sqlite3.IntegrityError:
            self._lose(1, "a flow with the same id is in the store already")
            return False
        assert number is not None, "an INSERT sets it"
        for part, data in packed.bodies:
            db.execute(INSERT_BODY, (number * PARTS_PER_FLOW + part, data))
        return True

    def _prune_if_due(self) -> None:
        now = self._clock()
        if self._unpruned < PRUNE_EVERY and now - self._pruned_at < PRUNE_EVERY_S:
            return
        self._unpruned, self._pruned_at = 0, now
        try:
            if self._db is not None or self._path.exists():
                kept.prune(self._connection(), self.limits, now)
                prune(self._connection(), self.limits, now)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._disconnect()
            self._lose(0, str(store_error(self._path, error)))

    def _connection(self) -> sqlite3.Connection:
        if self._db is not None and self._inode() != self._opened_inode:
            self._disconnect()  # somebody moved the file away: what is written now would go with it
        if self._db is None:
            self._db = open_writer(self._path, busy_timeout_s=self._busy_timeout_s)
            self._opened_inode = self._inode()
        return self._db

    def _inode(self) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return 0

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _lose(self, count: int, reason: str) -> None:
        with self._changed:
            self._lost += count
        self._complain(reason)

    def _report(self) -> None:
        if self._lost > self._complained[0]:
            self._complain("more flows at once than could be written")

    def _complain(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._complained[1] < COMPLAIN_EVERY_S:
            return
        self._complained = (self._lost, now)
        are = " is" if self._lost == 1 else "s are"
        log.error("%s; requests go on, %d flow%s not recorded", reason, self._lost, are)
        if self._on_loss is not None:
            self._on_loss(self._lost, reason)


def _body_bytes(record: FlowRecord) -> int:
    bodies = {
        id(message.body): len(message.body.data)
        for message in (record.request, record.forwarded, record.response, record.answered)
        if message is not None
    }
    return sum(bodies.values())
