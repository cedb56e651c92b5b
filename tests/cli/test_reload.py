"""``ccproxy reload``, but for the daemon as a whole, which is in ``test_start``."""

from __future__ import annotations

import signal

import pytest

from ccproxy.cli import main
from tests.control.program import Program


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("CCPROXY_CONFIG_DIR", raising=False)
    return monkeypatch


def enter(program: Program, environment: pytest.MonkeyPatch) -> None:
    for name, value in program.env.items():
        environment.setenv(name, value)


def test_a_new_configuration_is_used_and_its_warnings_shown(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Program().listen().start() as program:
        program.told("READY=1")
        enter(program, environment)
        program.write_config("ccproxy: {log_level: DEBUG, hst: 1, mcp: {http: {port: 4999}}}")
        assert main(["reload"]) == 0
        shown = capsys.readouterr()
        assert shown.out == "The new configuration is in use.\n"
        assert "hst" in shown.err
        assert "mcp.http.port: the new value is used after a restart\n" in shown.err
        assert program.ask("level") == "DEBUG"


def test_a_bad_one_is_refused(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Program().listen().start() as program:
        program.told("READY=1")
        enter(program, environment)
        program.write_config("ccproxy: {port: many}")
        assert main(["reload"]) == 1
        shown = capsys.readouterr()
        assert "the old configuration stays" in shown.out
        assert "port: " in shown.err


def test_without_a_listener_the_others_are_told_by_signal(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Program("mcp").listen().start() as program:
        program.told("READY=1")
        enter(program, environment)
        assert main(["reload"]) == 0
        program.told("RELOADING=1")
        assert "The listener is not running" in capsys.readouterr().out


def test_nothing_is_started_for_it(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Program().listen() as program:
        enter(program, environment)
        assert main(["reload"]) == 1
        assert "is not running" in capsys.readouterr().err
        control = program.sockets[0][1]
        control.setblocking(False)
        with pytest.raises(BlockingIOError):
            control.accept()


def test_a_listener_that_hangs_is_not_waited_for_long(environment: pytest.MonkeyPatch) -> None:
    """It is stopped between taking its lock and answering: the client gives up by itself."""
    from ccproxy.control.client import ControlClient
    from ccproxy.errors import ControlError

    with Program().listen().start() as program:
        program.told("READY=1")
        program.send(signal.SIGSTOP)
        with pytest.raises(ControlError, match="did not answer within"):
            ControlClient(program.instance, timeout_s=0.1).reload()
        program.send(signal.SIGCONT)
