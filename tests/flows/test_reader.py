"""Reading works with and without a daemon, in folders that cannot be written, and is quick."""

from __future__ import annotations

import sqlite3
import time

import pytest

from ccproxy.errors import StoreError
from ccproxy.flows.record import Message
from ccproxy.flows.schema import COLUMNS, INSERT_FLOW, open_writer
from ccproxy.flows.store import FlowReader, FlowWriter, Limits
from tests.flows.records import body, record, redactor
from tests.support.unprivileged import unprivileged


def fill(path, *records):
    writer = FlowWriter(path, redactor(), Limits(max_age_s=0))
    for one in records:
        writer.put(one)
    assert writer.close(30.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flows.sqlite3"


def test_a_store_that_is_not_there_is_empty(path):
    reader = FlowReader(path)

    assert (reader.list(), reader.count(), reader.clear()) == ([], 0, 0)
    with pytest.raises(StoreError, match="no flow begins with 'abc'"):
        reader.get("abc")
    assert not path.exists()


def test_a_file_without_tables_is_empty(path):
    path.touch()

    assert FlowReader(path).list() == []


def test_newest_first_with_filters(path):
    fill(
        path,
        record(created_at=2.0, session_id="two"),
        record(created_at=1.0, session_id="one", jail="j"),
        record(created_at=3.0, session_id="three", jail="j"),
    )
    reader = FlowReader(path)

    def sessions(**wanted):
        return [row.session_id for row in reader.list(**wanted)]

    assert sessions() == ["three", "two", "one"]
    assert sessions(limit=2) == ["three", "two"]
    assert sessions(before=3.0) == ["two", "one"]
    assert sessions(jail="j") == ["three", "one"]
    assert sessions(jail="j", before=3.0) == ["one"]
    assert sessions(session_id="two") == ["two"]
    assert reader.count() == 3


def test_a_row_as_json_has_the_places_that_filters_for_mitmproxys_flows_use(path):
    fill(path, record())
    row = FlowReader(path).list()[0].to_json()

    assert row["request"]["host"] == "api.deepseek.com"
    assert row["request"]["method"] == "POST"
    assert row["response"] == {"status_code": 200}
    assert row["complete"] is True


def test_a_flow_is_found_by_a_unique_beginning_of_its_id(path):
    one, two = record(id="aaaa1111-0"), record(id="aaaa2222-0")
    fill(path, one, two, record(id="aaaa"))
    reader = FlowReader(path)

    assert reader.get("aaaa1").id == one.id
    assert reader.get("AAAA2222-0").id == two.id
    assert reader.get("aaaa").id == "aaaa", "a whole id wins over those that it begins"
    with pytest.raises(StoreError, match="more than one"):
        reader.get("aaa")
    for missing in ("b", "%", "_", "aaaa3", ""):
        with pytest.raises(StoreError):
            reader.get(missing)


def test_bodies_are_read_only_when_wanted(path):
    one = record(answered=Message((), body(b"other"), status=200))
    fill(path, one)

    assert FlowReader(path).get(one.id).answered.body.data == b"other"
    assert FlowReader(path).get(one.id, bodies=False).answered.body.data == b""
    assert FlowReader(path).get(one.id, bodies=False).answered.body.size == 5


def test_reading_beside_a_writer_sees_what_is_committed(path):
    writer = FlowWriter(path, redactor())
    writer.put(record())
    assert writer.flush()
    reader = FlowReader(path)
    assert reader.count() == 1
    writer.put(record())
    assert writer.flush()
    assert reader.count() == 2
    writer.close()


@pytest.mark.parametrize("closed", [True, False], ids=["after a clean stop", "beside a running writer"])
def test_a_folder_that_cannot_be_written_can_be_read(closed):
    with unprivileged() as folder:
        path = folder / "flows.sqlite3"
        writer = FlowWriter(path, redactor())
        one = record()
        writer.put(one)
        assert writer.flush()
        if closed:
            writer.close()
        folder.chmod(0o500)
        path.chmod(0o400)
        try:
            rows = FlowReader(path).list()
            got = FlowReader(path).get(one.id)
            with pytest.raises(StoreError, match="look at the owner and mode") if closed else pytest.raises(StoreError):
                FlowReader(path).clear()
        finally:
            folder.chmod(0o700)
            path.chmod(0o600)
            writer.close()

    assert [row.id for row in rows] == [one.id]
    assert got.request.body.data == one.request.body.data


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_store_is_an_error_for_people(path, content):
    path.write_bytes(content)
    reader = FlowReader(path)

    for call in (reader.list, reader.count, reader.clear, lambda: reader.get("a")):
        with pytest.raises(StoreError, match=str(path)):
            call()


def test_a_newer_store_is_an_error_for_people(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(StoreError, match="newer ccproxy"):
        FlowReader(path).list()


def test_a_path_with_odd_characters(tmp_path):
    path = tmp_path / "a?b#c %41" / "flows.sqlite3"
    fill(path, record())

    assert FlowReader(path).count() == 1


def test_ten_thousand_flows_are_listed_quickly(path):
    fill(path, record("x" * 500))
    (row,) = sqlite3.connect(path).execute(f"SELECT {', '.join(COLUMNS)} FROM flows").fetchall()
    db = open_writer(path)
    db.execute("BEGIN")
    db.executemany(INSERT_FLOW, ((f"id-{n}", float(n), *row[2:]) for n in range(10_000)))
    db.execute("COMMIT")
    db.close()
    reader = FlowReader(path)

    def took():
        start = time.perf_counter()
        assert len(reader.list(50)) == 50
        return time.perf_counter() - start

    assert min(took() for _ in range(5)) < 0.05
    assert len(reader.list(20_000)) == 10_001
