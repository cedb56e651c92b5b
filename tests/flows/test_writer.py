"""Recording never stands in the way of a request, whatever happens to the disk."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from ccproxy.flows.needles import forms
from ccproxy.flows.record import Message
from ccproxy.flows.store import FlowReader, FlowWriter, Limits
from tests.flows.records import body, no_space_beyond, record, redactor
from tests.support.unprivileged import unprivileged


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "flows.sqlite3"


@pytest.fixture
def open_writer(path):
    """Makes writers on one store and closes them."""
    made: list[FlowWriter] = []

    def make(limits: Limits | None = None, *secrets: str, at=path, **options: object) -> FlowWriter:
        made.append(FlowWriter(at, redactor(*secrets), limits, **options))
        return made[-1]

    yield make
    for writer in made:
        assert writer.close(20.0)


def test_what_is_put_is_read_back(path, open_writer):
    writer = open_writer()
    one = record("what is asked")
    writer.put(one)
    assert writer.flush()

    again = FlowReader(path).get(one.id)
    assert again.request.body.data == one.request.body.data
    assert again.forwarded.body is again.request.body
    assert (again.usage, again.hooks, again.attempts) == (one.usage, one.hooks, one.attempts)
    assert writer.lost == 0


def test_close_writes_what_waits(path):
    writer = FlowWriter(path, redactor(), linger_s=60.0)
    for _ in range(500):
        writer.put(record())

    assert writer.close(20.0)
    assert FlowReader(path).count() == 500


def test_after_close_a_record_is_lost_not_an_error(path):
    writer = FlowWriter(path, redactor())
    writer.close()
    writer.put(record())

    assert writer.lost == 1


def test_files_are_private(path, open_writer):
    old = os.umask(0)
    try:
        writer = open_writer()
        writer.put(record())
        assert writer.flush()
    finally:
        os.umask(old)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {
        "flows.sqlite3": 0o600,
        "flows.sqlite3-wal": 0o600,
        "flows.sqlite3-shm": 0o600,
    }


def test_a_file_that_others_may_read_is_tightened(path, open_writer):
    path.parent.mkdir()
    path.touch(0o644)
    writer = open_writer()
    writer.put(record())
    assert writer.flush()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_reaches_the_files(path, open_writer):
    canary = "canary/4f9a+61c2=e8d7"
    writer = open_writer(None, canary)
    for form in forms(canary):
        writer.put(record(form.decode(), error=form.decode(), response=Message((), body(form), status=401)))
    assert writer.flush()

    assert FlowReader(path).count() == len(forms(canary))
    for file in path.parent.iterdir():
        content = file.read_bytes()
        for form in forms(canary):
            assert form not in content


def test_a_full_queue_loses_and_does_not_wait(open_writer):
    release = threading.Event()
    asked = threading.Event()

    def secrets() -> frozenset[str]:
        asked.set()
        assert release.wait(20)
        return frozenset()

    writer = open_writer(Limits(queue_count=10), linger_s=0.0)
    writer._packer._redactor._secrets = secrets  # the thread stands still where it asks for the secrets
    writer.put(record())
    assert asked.wait(20)
    for _ in range(25):
        writer.put(record())

    assert (writer.waiting, writer.lost) == (10, 15)
    release.set()
    assert writer.flush()
    writer.put(record())
    assert writer.flush()
    assert writer.lost == 15


def test_the_queue_is_bounded_by_bytes_and_counts_shared_bodies_once(open_writer):
    one = record("x" * 100_000, response=None)
    writer = open_writer(Limits(queue_bytes=250_000), linger_s=60.0)
    for _ in range(3):
        writer.put(one)

    assert (writer.waiting, writer.lost) == (2, 1)


def test_a_strange_record_does_not_end_the_recording(path, open_writer):
    writer = open_writer()
    strange = record()
    strange.hooks = ["not a result"]
    for one in (strange, record(listener=b"reverse"), record()):
        writer.put(one)
    assert writer.flush()

    assert FlowReader(path).count() == 1
    assert writer.lost == 2


def test_the_same_id_twice_is_one_flow(path, open_writer):
    writer = open_writer()
    one = record()
    for put in (one, one, record()):
        writer.put(put)
    assert writer.flush()

    assert (FlowReader(path).count(), writer.lost) == (2, 1)


def test_a_read_only_folder_loses_until_it_is_writable(caplog):
    with unprivileged() as folder:
        folder.chmod(0o500)
        writer = FlowWriter(folder / "flows.sqlite3", redactor(), on_loss=lambda lost, why: told.append((lost, why)))
        told: list[tuple[int, str]] = []
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                writer.put(record())
                assert writer.flush()
        lost = writer.lost
        folder.chmod(0o700)
        writer.put(record())
        assert writer.flush()
        count = FlowReader(folder / "flows.sqlite3").count()
        writer.close()

    assert (lost, count) == (3, 1)
    assert [(n, "Permission denied" in why) for n, why in told] == [(1, True)], "one line a minute"
    assert len(caplog.records) == 1
    assert str(folder) in caplog.text


def test_a_full_disk_loses_until_there_is_room(path, open_writer, caplog):
    writer = open_writer()
    writer.put(record())
    assert writer.flush()
    with no_space_beyond(100_000):
        for _ in range(3):
            writer.put(record(os.urandom(200_000).hex()))
            assert writer.flush()
    assert writer.lost == 3
    writer.put(record())
    assert writer.flush()

    assert writer.lost == 3
    assert FlowReader(path).count() == 2
    assert "requests go on" in caplog.text


@pytest.mark.parametrize("content", [b"not a database, certainly not" * 100, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_file_is_left_alone_until_it_is_moved_away(path, open_writer, content, caplog):
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    writer = open_writer()
    writer.put(record())
    assert writer.flush()
    assert writer.lost == 1
    assert path.read_bytes() == content
    assert "move the file away" in caplog.text

    path.unlink()
    writer.put(record())
    assert writer.flush()
    assert FlowReader(path).count() == 1


def test_pages_that_go_bad_under_a_running_writer(path, open_writer):
    writer = open_writer()
    for _ in range(200):
        writer.put(record())
    assert writer.flush()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    for _ in range(3):
        writer.put(record())
        assert writer.flush()

    assert writer.lost >= 1


def test_a_file_moved_away_is_not_written_any_more(path, open_writer):
    writer = open_writer()
    writer.put(record())
    assert writer.flush()
    path.rename(path.with_name("old.sqlite3"))
    writer.put(record())
    assert writer.flush()

    assert FlowReader(path).count() == 1


def test_a_locked_store_loses_after_its_patience(path, open_writer):
    writer = open_writer(busy_timeout_s=0.05)
    writer.put(record())
    assert writer.flush()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        writer.put(record())
        assert writer.flush()
        assert writer.lost == 1
    finally:
        blocker.close()
    writer.put(record())
    assert writer.flush()

    assert FlowReader(path).count() == 2


def test_a_store_of_a_newer_version_is_not_touched(path, open_writer, caplog):
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    writer = open_writer()
    writer.put(record())
    assert writer.flush()

    assert writer.lost == 1
    assert "newer ccproxy" in caplog.text


WRITE_MANY = """
import sys
from pathlib import Path
from ccproxy.flows.store import FlowWriter
from tests.flows.records import record, redactor
writer = FlowWriter(Path(sys.argv[1]), redactor(), linger_s=0.0)
for number in range(100):
    writer.put(record(f"{sys.argv[2]}-{number}"))
    if number % 10 == 0:
        writer.flush()
assert writer.close(30)
sys.exit(writer.lost)
"""


def test_several_processes_write_at_once_from_the_very_first_record(path):
    processes = [subprocess.Popen([sys.executable, "-c", WRITE_MANY, str(path), str(n)]) for n in range(4)]
    deadline = time.monotonic() + 60
    reader = FlowReader(path)
    while any(process.poll() is None for process in processes):
        assert time.monotonic() < deadline
        reader.list(10)

    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert reader.count() == 400


def test_a_writer_that_is_killed_leaves_a_readable_store(path, open_writer):
    script = WRITE_MANY.replace("assert writer.close(30)", "import os; os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", script, str(path), "0"], timeout=60, check=False)

    count = FlowReader(path).count()
    assert count >= 91
    writer = open_writer()
    writer.put(record())
    assert writer.flush()
    assert FlowReader(path).count() == count + 1
