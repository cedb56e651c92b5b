"""The store stays within its limits, and what is deleted is gone."""

from __future__ import annotations

import os
import sqlite3
import time

import pytest

from ccproxy.flows import retention
from ccproxy.flows.retention import Limits, prune, used_bytes
from ccproxy.flows.schema import open_writer
from ccproxy.flows.store import FlowReader, FlowWriter
from tests.flows.records import record, redactor
from tests.support.daemon import Daemon

NOW = 1_700_000_000.0
HOUR = 3600.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flows.sqlite3"


def fill(path, *records, limits=None):
    writer = FlowWriter(path, redactor(), limits, clock=lambda: NOW)
    for one in records:
        writer.put(one)
    assert writer.close(30.0)


def texts(path):
    return [FlowReader(path).get(row.id).session_id for row in FlowReader(path).list(1000)]


def files(path):
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def pruned(path, limits):
    db = open_writer(path)
    try:
        return prune(db, limits, NOW)
    finally:
        db.close()


def test_age(path):
    fill(path, *(record(created_at=NOW - age, session_id=str(age)) for age in (5, 15, 25, 3)))

    assert pruned(path, Limits(max_age_s=10)) == 2
    assert texts(path) == ["3", "5"]
    assert pruned(path, Limits(max_age_s=0)) == 0


def test_count_keeps_the_newest_by_their_beginning(path):
    fill(path, *(record(created_at=NOW - age, session_id=str(age)) for age in (5, 1, 9, 3)))

    assert pruned(path, Limits(max_age_s=0, max_count=2)) == 2
    assert texts(path) == ["1", "3"]
    assert pruned(path, Limits(max_age_s=0, max_count=0)) == 0


def test_bytes(path):
    fill(path, *(record(os.urandom(20_000).hex(), created_at=NOW - age, session_id=str(age)) for age in range(20)))
    db = open_writer(path)
    try:
        before = used_bytes(db)
        prune(db, Limits(max_age_s=0, max_bytes=before // 2), NOW)
        assert before // 3 < used_bytes(db) <= before // 2
    finally:
        db.close()
    kept = texts(path)

    assert kept == [str(age) for age in range(len(kept))], "the oldest went"
    assert 5 < len(kept) < 11


def test_a_pass_is_bounded_and_the_next_goes_on(path, monkeypatch):
    fill(path, *(record(created_at=NOW - 100) for _ in range(50)))
    monkeypatch.setattr(retention, "_ROWS", 4)
    monkeypatch.setattr(retention, "_PORTIONS", 3)

    assert [pruned(path, Limits(max_age_s=10)) for _ in range(6)] == [12, 12, 12, 12, 2, 0]


def test_the_writer_prunes_by_itself(path):
    fill(path, *(record(created_at=NOW - age, session_id=str(age)) for age in range(30)), limits=Limits(max_count=7))
    fill(path, limits=Limits(max_count=7))

    assert texts(path) == [str(age) for age in range(7)]


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [("max_age_s", 2.5 * HOUR, ["0", "1", "2"]), ("max_count", 2, ["0", "1"]), ("max_bytes", 90_000, ["0"])],
)
def test_a_daemon_keeps_what_it_is_told_to(key, value, kept):
    daemon = Daemon({"flows": {key: value}})
    path = daemon.instance.store_path
    aged = ((hours, time.time() - hours * HOUR) for hours in range(5))
    fill(path, *(record(os.urandom(20_000).hex(), created_at=at, session_id=str(hours)) for hours, at in aged))
    assert len(texts(path)) == 5

    with daemon:
        assert daemon.stop() == 0
        assert texts(path) == kept


@pytest.mark.parametrize("how", ["clear all", "clear one", "retention"])
def test_what_is_deleted_is_in_no_file_even_while_a_writer_is_connected(path, how):
    canary = "PRIVATE-PROMPT-canary-4f9a61c2"
    writer = FlowWriter(path, redactor(), Limits(max_age_s=0), clock=lambda: NOW)
    private = [record(created_at=NOW - 100, session_id=canary, error=canary, model=f"{canary}{n}") for n in range(50)]
    large = [record(created_at=NOW - 99, session_id=canary, error=canary + "z" * 50_000) for _ in range(3)]
    kept = record(created_at=NOW)
    for one in (*private, *large, kept):
        writer.put(one)
    assert writer.flush()
    assert canary.encode() in files(path)

    match how:
        case "clear all":
            assert FlowReader(path).clear() == 54
        case "clear one":
            assert FlowReader(path).clear([one.id for one in (*private, *large)]) == 53
        case "retention":
            assert pruned(path, Limits(max_age_s=50)) == 53
    assert canary.encode() not in files(path)
    assert FlowReader(path).count() == (0 if how == "clear all" else 1)
    writer.put(record())
    assert writer.close()
    assert writer.lost == 0
    assert canary.encode() not in files(path)


def test_bodies_go_with_their_flow_and_the_file_shrinks(path):
    fill(path, *(record(os.urandom(100_000).hex()) for _ in range(20)))
    before = path.stat().st_size
    one = FlowReader(path).list(1)[0]

    assert FlowReader(path).clear([one.id]) == 1
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(DISTINCT id / 8) FROM bodies").fetchone() == (19,)
    db.close()
    assert FlowReader(path).clear() == 19
    assert path.stat().st_size < before / 20


def test_clear_says_when_a_reader_keeps_the_wal(path, monkeypatch):
    fill(path, record(), record())
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM flows").fetchone()
    db = open_writer(path, busy_timeout_s=0.05)
    try:
        with pytest.raises(sqlite3.OperationalError, match="try again"):
            retention.delete(db, None)
        reader.close()
        assert retention.delete(db, None) == 0
    finally:
        db.close()
