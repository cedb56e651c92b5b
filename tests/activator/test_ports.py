from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.activator.holder import Holder, find_holder
from ccproxy.activator.plan import Bind
from ccproxy.activator.ports import bind_tcp, bind_unix, check_free, close_all, listen_again, refuse
from ccproxy.errors import CcproxyError
from tests.support.daemon import TIMEOUT_S
from tests.support.need import need, need_linux


def bind(host: str, port: int) -> Bind:
    return Bind(host, port, "port")


def test_a_bound_socket_listens_where_it_was_told_and_only_there() -> None:
    (listening,) = bind_tcp(bind("127.0.0.1", 0))
    with listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert listening.proto == socket.IPPROTO_TCP
        assert not listening.get_inheritable()
        socket.create_connection(listening.getsockname()).close()


def test_localhost_is_every_loopback_address() -> None:
    sockets = bind_tcp(bind("localhost", 0))
    assert {each.getsockname()[0] for each in sockets} <= {"127.0.0.1", "::1"}
    close_all(sockets)


def test_a_port_that_is_refused_stays_ours_until_it_is_listened_on_again() -> None:
    need_linux()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (ours,) = bind_tcp(bind("127.0.0.1", port))
    with ours:
        waiting = socket.create_connection(ours.getsockname(), timeout=TIMEOUT_S)
        with waiting, socket.create_connection(ours.getsockname(), timeout=TIMEOUT_S):
            ours.accept()[0].close()  # leaves a connection behind that is still known to the kernel (TIME_WAIT)
            for _ in range(2):
                refuse(ours)
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(ours.getsockname(), timeout=TIMEOUT_S)
                for reuse in (0, 1):
                    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
                        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                        thief.bind(ours.getsockname())
        listen_again(ours)
        with socket.create_connection(ours.getsockname(), timeout=TIMEOUT_S):
            ours.accept()[0].close()


def test_a_taken_port_names_its_holder_pid_and_uid() -> None:
    need_linux()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CcproxyError) as refused:
            check_free(bind("127.0.0.1", port))
        message = str(refused.value)
        assert f"127.0.0.1:{port} (`port`) is in use by pid {os.getpid()} (" in message
        assert f"uid {os.geteuid()})" in message
        assert "stop it, or set `port`" in message


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (Holder(uid=33, pid=None, program=""), "in use by another user's process (user www-data, uid 33)"),
        (Holder(uid=4242424, pid=7, program="nginx"), "in use by pid 7 (nginx; uid 4242424): stop it"),
        (Holder(uid=0, pid=1, program="systemd"), "list-sockets` say for which unit"),
        (None, "in use by another program: stop it"),
    ],
)
def test_what_is_known_of_the_holder_is_said(holder: Holder | None, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(CcproxyError) as refused:
        bind_tcp(bind("127.0.0.1", server.getsockname()[1]), lambda host, port: holder)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("host", "words"), [("192.0.2.1", "is not an address of this machine"), ("no.such.host.invalid", "cannot listen")]
)
def test_an_address_that_is_not_ours_is_refused(host: str, words: str) -> None:
    with pytest.raises(CcproxyError, match=words):
        bind_tcp(bind(host, 0))


def test_a_port_kept_for_root_is_explained() -> None:
    need(
        int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) > 80, "every user may bind port 80 here"
    )
    pid = os.fork()
    if pid == 0:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            bind_tcp(bind("127.0.0.1", 80))
        except CcproxyError as error:
            os._exit(0 if "ports below 1024" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("bound", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("::", "127.0.0.1"),
    ],
)
def test_the_holder_is_found_in_another_process(bound: str, asked: str) -> None:
    need_linux()
    code = (
        "import socket, sys; s = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ':' in sys.argv[1]"
        " else socket.AF_INET); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, bound]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        found = find_holder(asked, port)
        assert found is not None
        assert (found.pid, found.uid) == (other.pid, os.geteuid())
        assert found.program.startswith("python")
        assert find_holder("127.0.0.2", port) is None or bound in ("0.0.0.0", "::")
        other.communicate()
    assert find_holder(asked, port) is None


def test_another_users_process_has_a_uid_and_no_pid(tmp_path: Path) -> None:
    """Its /proc/PID/fd cannot be read."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 4711 1\n"
    )
    (tmp_path / "12").mkdir()
    assert find_holder("127.0.0.1", 4000, tmp_path) == Holder(uid=33, pid=None, program="")


def test_the_control_socket_is_for_us_alone_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "control"
    before = os.umask(0)
    try:
        bind_unix(path).close()
        with bind_unix(path) as listening:
            assert path.stat().st_mode & 0o777 == 0o600
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
            assert listening.accept()
    finally:
        os.umask(before)


def test_a_path_too_long_for_a_socket_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(CcproxyError, match="XDG_RUNTIME_DIR"):
        bind_unix(tmp_path / ("x" * 120))


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CcproxyError, match="cannot make the control socket"):
        bind_unix(tmp_path / "missing" / "control")
