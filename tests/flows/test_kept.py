"""The translation's memory, kept from one run of the listener to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.flows import schema
from ccproxy.flows.kept import USED_ANEW_S, StoredMemory, limit_of, load, prune, write
from ccproxy.flows.reader import FlowReader
from ccproxy.flows.record import FlowRecord
from ccproxy.flows.redact import Redactor
from ccproxy.flows.retention import Limits
from ccproxy.flows.schema import open_writer
from ccproxy.flows.writer import FlowWriter
from ccproxy.lightllm.memory import BYTES_LIMIT, Kept, call_key
from ccproxy.lightllm.prompt import Thought

KEPT = Kept((Thought("so \ud800 it is", "c2ln", id="rs_1"), Thought("", "cmVk", redacted=True)), "b3du")
KEY = call_key("call_1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.sqlite3"


def writer_of(path: Path, now: float = 1000.0) -> FlowWriter:
    return FlowWriter(path, Redactor(frozenset), clock=lambda: now)


def test_what_is_kept_is_there_again(path: Path) -> None:
    memory = StoredMemory()
    memory.remember("gemini", KEY, KEPT)
    writer = writer_of(path)
    writer.keep(*memory.take_changes())
    assert writer.close()
    assert path.stat().st_mode & 0o777 == 0o600
    again = load(path, Limits(), 1001.0)
    assert again.recall("gemini", KEY) == KEPT
    assert again.recall("anthropic", KEY) is None
    assert again.changed == {}, "what was read need not be written"


def test_it_goes_with_the_flows_of_the_same_moment(path: Path) -> None:
    writer = writer_of(path)
    writer.keep({("a", KEY): KEPT})
    writer.put(FlowRecord(id="1", created_at=1000.0))
    assert writer.flush()
    assert load(path, Limits(), 1000.0).recall("a", KEY) == KEPT
    assert FlowReader(path).count() == 1
    assert writer.close()


def test_the_last_one_counts(path: Path) -> None:
    writer = writer_of(path)
    for signature in ("one", "two"):
        writer.keep({("a", KEY): Kept((), signature)})
        assert writer.flush()
    assert writer.close()
    assert load(path, Limits(), 1000.0).recall("a", KEY) == Kept((), "two")


@pytest.mark.parametrize(("used", "there"), [(False, False), (True, True)])
def test_what_is_used_grows_no_older(path: Path, used: bool, there: bool) -> None:
    limits = Limits(max_age_s=2 * USED_ANEW_S)
    with open_writer(path) as db:
        write(db, {("a", KEY): KEPT}, 0.0)
    memory = load(path, limits, 1.5 * USED_ANEW_S)
    if used:
        memory.recall("a", KEY)
    writer = writer_of(path, 1.5 * USED_ANEW_S)
    writer.keep(*memory.take_changes())
    assert writer.close()
    with open_writer(path) as db:
        prune(db, limits, 3 * USED_ANEW_S)
    assert (load(path, limits, 3 * USED_ANEW_S).recall("a", KEY) is not None) is there


def test_it_is_bounded(path: Path) -> None:
    limits = Limits(max_bytes=40_000)
    assert (limit_of(limits), limit_of(Limits(max_bytes=0))) == (10_000, BYTES_LIMIT)
    with open_writer(path) as db:
        for number in range(8):
            write(db, {("a", call_key(str(number))): Kept((), "x" * 3000)}, float(number))
        prune(db, limits, 10.0)
    memory = load(path, limits, 10.0)
    found = [number for number in range(8) if memory.recall("a", call_key(str(number)))]
    assert found == [5, 6, 7], "the newest, as many as there is room for"


@pytest.mark.parametrize("key", ["call:" + "x" * 2000, "call:\ud800"])
def test_a_strange_key_is_not_kept(path: Path, key: str) -> None:
    memory = StoredMemory()
    memory.remember("a", key, KEPT)
    assert memory.take_changes() == ({}, set())


def test_clearing_all_flows_clears_it(path: Path) -> None:
    with open_writer(path) as db:
        write(db, {("a", KEY): Kept((), "very-private")}, 1000.0)
    reader = FlowReader(path)
    reader.clear([])
    assert load(path, Limits(), 1000.0).recall("a", KEY) is not None
    reader.clear()
    assert load(path, Limits(), 1000.0).recall("a", KEY) is None
    assert b"very-private" not in path.read_bytes()


def test_a_store_of_before_gains_the_table(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "_MIGRATIONS", schema._MIGRATIONS[:1])
        before.setattr(schema, "VERSION", 1)
        db = open_writer(path)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        db.close()
    assert load(path, Limits(), 1000.0).recall("a", KEY) is None
    writer = writer_of(path)
    writer.keep({("a", KEY): KEPT})
    assert writer.close()
    assert load(path, Limits(), 1000.0).recall("a", KEY) == KEPT


@pytest.mark.parametrize("damage", ["file", "row"])
def test_a_damaged_store_ends_nothing(path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    if damage == "file":
        path.write_bytes(b"no database" * 1000)
    else:
        with open_writer(path) as db:
            db.execute("INSERT INTO kept VALUES ('a', 'b', x'00', 1000)")
    memory = load(path, Limits(), 1000.0)
    assert memory.recall("a", "b") is None
    assert "could not be read" in caplog.text


def test_what_waits_is_bounded(path: Path) -> None:
    writer = writer_of(Path("/proc/no/such/folder/flows.sqlite3"))
    for number in range(10_000):
        writer.keep({("a", str(number)): KEPT})
    assert len(writer._kept) <= 4096
    assert writer.close()


def test_a_forgotten_memory_is_empty() -> None:
    memory = StoredMemory(500)
    memory.remember("a", KEY, Kept((), "x"))
    memory.clear()
    assert memory.recall("a", KEY) is None
    assert memory.take_changes() == ({}, set())
    memory.remember("a", KEY, Kept((), "x" * 500))
    assert memory.recall("a", KEY) is None, "its limit is still the same"
