"""What a process logs, and where, as its configuration says it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ccproxy.control.lock import read_lock
from tests.control.program import Program

INFO = "ccproxy.control.process        INFO     stopping"
"""A line that a process writes when it is told to end."""


@contextmanager
def ended(config: str) -> Iterator[Program]:
    """A process with this configuration that has run and ended in order."""
    with Program(config=config).listen().start() as program:
        program.told("READY=1")
        program.send(signal.SIGTERM)
        assert program.wait() == 0
        yield program


@pytest.mark.parametrize(("level", "is_logged"), [("INFO", True), ("WARNING", False)])
def test_less_severe_messages_are_left_out(level: str, is_logged: bool) -> None:
    with ended(f"ccproxy: {{log_level: {level}}}") as program:
        log = program.instance.log_path
        assert (INFO in program.output()) == is_logged
        assert (log.exists() and INFO in log.read_text()) == is_logged


def test_the_configured_file_is_written() -> None:
    with ended("ccproxy: {log_file: elsewhere.log}") as program:
        assert INFO in (program.instance.state_dir / "elsewhere.log").read_text()
        assert not program.instance.log_path.exists()


def test_the_journal_alone_is_written_under_the_identifier() -> None:
    with Program(config="ccproxy: {use_journal: true, journal_identifier: mine}").listen().start() as program:
        program.told("READY=1")
        running = read_lock(program.instance, "listener")
        assert running is not None
        assert running.log == "journal:mine"
        program.send(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output() == ""
        assert not program.instance.log_path.exists()
