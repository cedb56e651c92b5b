from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli import logs, main
from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.lock import Lock
from ccproxy.errors import CcproxyError
from tests.support.daemon import clean_environ


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    environ = clean_environ(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CCPROXY_CONFIG_DIR", raising=False)
    found = find_instance(None, environ)
    found.state_dir.mkdir()
    return found


LINES = [f"line {number}" for number in range(1, 1001)]


@pytest.mark.parametrize("count", [None, 0, 1, 2, 999, 1000, 2000])
def test_the_last_lines_are_printed_all_by_default(
    instance: Instance, capfdbinary: pytest.CaptureFixture[bytes], count: int | None
) -> None:
    instance.log_path.write_text("\n".join(LINES) + "\n")
    assert main(["logs", *(["-n", str(count)] if count is not None else [])]) == 0
    expected = LINES if count is None else LINES[-count:] if count else []
    assert capfdbinary.readouterr().out.decode().splitlines() == expected


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
@pytest.mark.parametrize(
    "text", ["", "\n", "a", "a\n", "a\nb", "a\nb\n", "\n\n\n", "one\ntwo\nthree\n", "x" * 99 + "\ny"]
)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_the_last_lines_are_found_whatever_the_blocks(
    text: str, count: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "BLOCK_BYTES", block)
    file = io.BytesIO(text.encode())
    logs.skip_to_last(file, count)
    expected = text.splitlines(keepends=True)
    assert file.read().decode() == "".join(expected[-count:] if count else [])


def test_no_log_is_an_error_that_says_where_to_look(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs"]) == 1
    said = capsys.readouterr().err
    assert str(instance.log_path) in said
    assert "journalctl --user -t ccproxy" in said


def test_no_log_file_configured_is_said(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    instance.config_dir.mkdir()
    instance.config_file.write_text("ccproxy: {log_file: null}")
    assert main(["logs"]) == 1
    assert "`log_file` is null" in capsys.readouterr().err


def test_what_runs_knows_best_where_it_logs(
    instance: Instance, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    instance.log_path.write_text("old\n")
    (tmp_path / "new.log").write_text("new\n")
    with Lock.take(instance, "listener", sockets={}, log=str(tmp_path / "new.log")):
        assert main(["logs"]) == 0
    assert capfdbinary.readouterr().out == b"new\n"


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journalctl that notes how it was called, and has one line."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho from the journal\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "asked"


def test_under_systemd_it_is_the_journal_of_this_instance(
    instance: Instance, journalctl: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Lock.take(instance, "mcp", sockets={}, log="journal:ccproxy-x"):
        assert main(["logs", "-n", "5", "-f"]) == 0
    assert journalctl.read_text() == "--user -t ccproxy-x -n 5 --follow\n"
    assert capfd.readouterr().out == "from the journal\n"


def test_a_stopped_service_has_its_log_in_the_journal(instance: Instance, journalctl: Path) -> None:
    assert logs.find_log(instance) == "journal:ccproxy"
    instance.log_path.touch()
    assert logs.find_log(instance) == str(instance.log_path)


def test_use_journal_is_believed(instance: Instance, tmp_path: Path) -> None:
    instance.config_dir.mkdir()
    instance.config_file.write_text("ccproxy: {use_journal: true, journal_identifier: mine}")
    instance.log_path.touch()
    assert logs.find_log(instance) == "journal:mine"


def test_a_machine_without_journalctl_is_told(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with (
        Lock.take(instance, "mcp", sockets={}, log="journal:ccproxy"),
        pytest.raises(CcproxyError, match="no journalctl"),
    ):
        logs.run(logs_args())


def logs_args() -> object:
    from ccproxy.cli import build_parser

    return build_parser().parse_args(["logs"])


def test_follow_prints_what_is_added_and_goes_on_after_a_rotation(instance: Instance) -> None:
    instance.log_path.write_text("one\ntwo\n")
    command = [sys.executable, "-m", "ccproxy", "logs", "-f", "-n", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "two\n"
        with instance.log_path.open("a") as log:
            log.write("three\n")
        assert following.stdout.readline() == "three\n"
        instance.log_path.rename(instance.log_path.with_name("ccproxy.log.1"))
        instance.log_path.write_text("four\n")
        assert following.stdout.readline() == "four\n"
        following.send_signal(2)
        assert following.wait(30) == 130


@pytest.mark.parametrize("lines", ["many", "-1", ""])
def test_lines_are_a_number(instance: Instance, lines: str) -> None:
    assert main(["logs", "-n", lines]) == 2
