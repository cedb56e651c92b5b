"""``ccproxy start`` as a whole, with the true listener, sidecar and MCP server behind it."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from ccproxy.activator.holder import find_holder
from tests.support.daemon import CCPROXY, Daemon, wait_for_line
from tests.support.exchange import Received, Send
from tests.support.need import need_linux, need_tool
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon() as running:
        yield running


def get(url: str) -> int:
    """The HTTP status."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_lines_of_the_banner_work(daemon: Daemon) -> None:
    need_tool("curl")
    wait_for_line(daemon.folder / "start.stderr", "\ncurl ", count=3)
    lines = [line for line in daemon.logs().splitlines() if line.startswith("curl ")]
    assert len(lines) == 3
    for line in lines:
        ended = subprocess.run([*shlex.split(line), "-sS"], capture_output=True, text=True, timeout=30, check=True)
        assert "hello" in json.dumps(json.loads(ended.stdout))


def test_only_the_listener_runs_until_somebody_connects(daemon: Daemon) -> None:
    assert daemon.running("listener")
    assert daemon.running("sidecar") is None
    assert "starts at the first connection" in daemon.cli("status").stdout
    assert daemon.cli("status", "--proxy", "--inspect", "--mcp").returncode == 0
    assert daemon.running("sidecar") is None


def test_the_others_are_started_by_a_connection(daemon: Daemon) -> None:
    assert get(f"http://127.0.0.1:{daemon.sidecar_port}/") >= 400
    assert get(f"http://127.0.0.1:{daemon.mcp_port}/") >= 400
    assert daemon.running("sidecar")
    assert daemon.running("mcp")


def test_killing_one_leaves_the_others_alone(daemon: Daemon) -> None:
    get(f"http://127.0.0.1:{daemon.sidecar_port}/")
    listener = daemon.pid("listener")
    killed = daemon.kill("sidecar")
    assert get(daemon.base + "/health") == 200
    assert daemon.pid("listener") == listener
    get(f"http://127.0.0.1:{daemon.sidecar_port}/")
    assert daemon.pid("sidecar") != killed


def test_a_listener_that_was_killed_answers_the_next_request(daemon: Daemon) -> None:
    killed = daemon.kill("listener")
    assert get(daemon.base + "/health") == 200
    assert daemon.pid("listener") != killed


def test_it_is_small(daemon: Daemon) -> None:
    need_linux()
    assert daemon.rss_bytes("activator") < 30e6


def test_a_second_one_names_the_first(daemon: Daemon) -> None:
    ended = daemon.cli("start")
    assert ended.returncode == 1
    assert f"the daemon of instance 'ccproxy' is running already: pid {daemon.pid('activator')}" in ended.stderr
    assert get(daemon.base + "/health") == 200


def test_a_reload_reaches_all_three(daemon: Daemon) -> None:
    for port in (daemon.sidecar_port, daemon.mcp_port):
        get(f"http://127.0.0.1:{port}/")
    before = daemon.logs().count("configuration read again")
    assert daemon.cli("reload").returncode == 0
    # Each line is in the log file and on standard error.
    log = daemon.instance.log_path
    wait_for_line(log, "configuration read again", count=before // 2 + 3)

    daemon.write_config("ccproxy: {port: many}")
    refused = daemon.cli("reload")
    assert refused.returncode == 1
    assert "port: " in refused.stderr
    assert "the old configuration stays" in refused.stdout
    daemon.write_config({})
    assert daemon.cli("reload").returncode == 0


def test_the_web_uis_token_is_in_no_log_and_no_argument(daemon: Daemon) -> None:
    url = json.loads(daemon.cli("status", "--json").stdout)["inspector"]["inspect_url"]
    token = url.partition("token=")[2]
    assert len(token) >= 16
    assert token not in daemon.logs()
    assert token not in daemon.cli("status").stdout
    arguments = subprocess.run(["ps", "axww"], capture_output=True, text=True, timeout=30, check=True).stdout
    assert token not in arguments


def test_its_folders_and_files_are_private(daemon: Daemon) -> None:
    for path in (daemon.instance.state_dir, daemon.instance.runtime_dir):
        for found in (path, *path.rglob("*")):
            assert found.lstat().st_mode & 0o077 == 0, found


@pytest.mark.parametrize(("attribute", "key"), [("port", "port"), ("web_port", "inspector.port"), ("mcp_port", "mcp")])
def test_a_taken_port_ends_it_and_names_who_has_it(attribute: str, key: str) -> None:
    need_linux()
    daemon = Daemon()
    with socket.create_server(("127.0.0.1", getattr(daemon, attribute))):
        ended = daemon.cli("start")
    daemon.__exit__()
    assert ended.returncode == 1
    assert re.search(rf"\(`{key}[^`]*`\) is in use by pid {os.getpid()} \(", ended.stderr)
    assert f"uid {os.geteuid()})" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_failed_readiness_probe_ends_it_at_once() -> None:
    async def hang_up(_: Received, send: Send) -> None:
        await send.abort()

    with Upstream.in_thread(hang_up) as probed:
        daemon = Daemon({"verify_readiness_on_startup": True, "readiness_probe_url": probed.origin})
        ended = daemon.cli("start")
        daemon.__exit__()
    assert ended.returncode == 1
    assert len(probed.requests) == 1
    assert f"readiness_probe_url: not ready: {probed.origin} does not answer" in ended.stderr


def test_the_configured_addresses_are_bound() -> None:
    need_linux()
    with Daemon({"mcp": {"http": {"host": "127.0.0.2"}}}) as daemon:
        assert find_holder("127.0.0.1", daemon.port)
        assert find_holder("127.0.0.1", daemon.sidecar_port)
        assert find_holder("127.0.0.2", daemon.mcp_port)
        assert find_holder("127.0.0.1", daemon.mcp_port) is None


def test_mcp_can_be_switched_off() -> None:
    with Daemon({"mcp": {"http": {"enabled": False}}}) as daemon:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", daemon.mcp_port), timeout=30)
        assert daemon.cli("status", "--mcp").returncode != 0
        assert get(daemon.base + "/health") == 200


def test_a_bad_configuration_is_told_with_all_its_problems() -> None:
    daemon = Daemon("ccproxy:\n  port: many\n  log_level: LOUD\n")
    ended = daemon.cli("start")
    daemon.__exit__()
    assert ended.returncode == 1
    assert [line.split(": ")[2] for line in ended.stderr.splitlines()] == ["port", "log_level"]


def test_a_runtime_folder_that_is_too_deep_is_explained() -> None:
    daemon = Daemon()
    deep = daemon.folder / ("x" * 90)
    deep.mkdir(mode=0o700)
    daemon.env["XDG_RUNTIME_DIR"] = str(deep)
    ended = daemon.cli("start")
    daemon.__exit__()
    assert ended.returncode == 1
    assert "set XDG_RUNTIME_DIR to a shorter folder" in ended.stderr


def test_nobody_has_to_read_the_banner() -> None:
    with Daemon() as daemon:
        assert daemon.stop() == 0
        reading, writing = os.pipe()
        os.close(reading)
        with subprocess.Popen([*CCPROXY, "start"], env=daemon.env, stdout=writing, stderr=subprocess.DEVNULL) as again:
            os.close(writing)
            daemon.wait_until_it_answers()
            assert again.poll() is None
            again.terminate()


def test_a_stop_is_clean() -> None:
    with Daemon() as other:
        assert other.stop(signal.SIGTERM) == 0
        assert not other.instance.control_path.exists()
        assert other.cli("status", "--proxy", "--inspect", "--mcp").returncode == 7
        assert other.start().stop(signal.SIGINT) == 0


def test_a_terminal_is_shown_the_web_uis_token() -> None:
    daemon = Daemon()
    try:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(CCPROXY[0], [*CCPROXY, "start"], daemon.env)
        with open(terminal, "rb", buffering=0) as screen:
            shown = b""
            while b"/mcp\r\n" not in shown:
                shown += screen.read(4096)
            token = (daemon.instance.runtime_dir / "listener" / "web-token").read_text()
            assert f"http://127.0.0.1:{daemon.web_port}/?token={token}".encode() in shown
            os.kill(pid, signal.SIGTERM)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        daemon.__exit__()


def test_by_systemd_a_request_before_the_listener_runs_is_answered() -> None:
    daemon = Daemon(via="systemd-socket-activate")
    try:
        daemon.start(wait=False)
        assert daemon.running("listener") is None
        assert get(daemon.base + "/health") == 200
        assert daemon.running("listener")
        assert get(f"http://127.0.0.1:{daemon.sidecar_port}/") >= 400
        assert get(f"http://127.0.0.1:{daemon.mcp_port}/") >= 400
        assert daemon.cli("reload").returncode == 0
        assert daemon.cli("status", "--proxy", "--mcp").returncode == 0
    finally:
        daemon.__exit__()
