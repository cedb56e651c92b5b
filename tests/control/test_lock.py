from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.lock import ATTEMPT_PAUSE_S, Lock, decode_running, describe_sockets, read_lock, signal_unit
from ccproxy.errors import CcproxyError


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return find_instance(None, {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})


def test_nobody_runs_where_there_is_no_lock(instance: Instance) -> None:
    assert read_lock(instance, "listener") is None


def test_the_holder_says_who_it_is(instance: Instance) -> None:
    with Lock.take(instance, "listener", sockets={"proxy": ["127.0.0.1:4000"]}, log="/var/log") as lock:
        running = read_lock(instance, "listener")
        assert running == lock.running
        assert running.pid == os.getpid()
        assert instance.lock_path("listener").stat().st_mode & 0o777 == 0o600
        assert instance.runtime_dir.stat().st_mode & 0o777 == 0o700
        assert read_lock(instance, "sidecar") is None
    assert read_lock(instance, "listener") is None


def test_a_second_one_is_refused_and_the_first_named(instance: Instance) -> None:
    with Lock.take(instance, "activator", sockets={}):
        with pytest.raises(CcproxyError, match=f"daemon of instance 'ccproxy' is running already: pid {os.getpid()}"):
            Lock.take(instance, "activator", sockets={})
        with Lock.take(instance, "listener", sockets={}):
            assert read_lock(instance, "listener") is not None
    with Lock.take(instance, "activator", sockets={}):
        assert read_lock(instance, "activator") is not None


def test_reading_does_not_keep_anybody_from_locking(instance: Instance) -> None:
    """A reader has the lock for an instant; here it has it for longer than one attempt."""
    Lock.take(instance, "mcp", sockets={}).release()
    with instance.lock_path("mcp").open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        releasing = threading.Timer(3 * ATTEMPT_PAUSE_S, fcntl.flock, (reader, fcntl.LOCK_UN))
        releasing.start()
        Lock.take(instance, "mcp", sockets={}).release()
        releasing.join()


def test_a_lock_that_nobody_explains_is_not_taken(instance: Instance) -> None:
    Lock.take(instance, "mcp", sockets={}).release()
    with instance.lock_path("mcp").open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        with pytest.raises(CcproxyError, match="running already: pid unknown"):
            Lock.take(instance, "mcp", sockets={})


def test_what_was_given_up_is_written_and_shorter_text_leaves_no_rest(instance: Instance) -> None:
    with Lock.take(instance, "activator", sockets={}) as lock:
        lock.mark_failed(["listener", "sidecar"])
        lock.mark_failed(["mcp"])
        running = read_lock(instance, "activator")
        assert running is not None
        assert running.failed == ("mcp",)


def test_a_holder_that_says_nothing_is_running_and_is_never_signalled(instance: Instance) -> None:
    """Signal 0 or a pid of 0 would go to our own process group."""
    with Lock.take(instance, "mcp", sockets={}):
        os.truncate(instance.lock_path("mcp"), 0)
        running = read_lock(instance, "mcp")
        assert running is not None
        assert running.pid == 0
        assert not signal_unit(instance, "mcp", signal.SIGKILL)


def test_a_lock_file_that_is_a_link_is_not_followed(instance: Instance, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep")
    instance.runtime_dir.mkdir(mode=0o700)
    instance.lock_path("mcp").symlink_to(target)
    with pytest.raises(CcproxyError, match="cannot be opened: Too many levels of symbolic links"):
        Lock.take(instance, "mcp", sockets={})
    assert target.read_text() == "keep"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"pid": "x"}', b'{"pid": 1, "sockets": []}'])
def test_a_strange_file_is_nobody(data: bytes) -> None:
    assert decode_running(data) is None


def test_sockets_are_described_by_address(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(str(tmp_path / "s"))
        assert describe_sockets({"proxy": [four, six], "control": [unix]}) == {
            "proxy": [f"127.0.0.1:{four.getsockname()[1]}", f"[::1]:{six.getsockname()[1]}"],
            "control": [str(tmp_path / "s")],
        }
