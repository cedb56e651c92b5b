from __future__ import annotations

import logging
import multiprocessing
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy import logs
from tests.support.need import need


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    names = (None, "ccproxy", "mitmproxy")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = logging.getLogger().handlers[:]
    logging.getLogger().handlers.clear()
    yield
    for handler in logging.getLogger().handlers:
        handler.close()
    logging.getLogger().handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def set_up(path: Path | None, **more: object) -> str:
    given: dict[str, object] = {
        "level": "INFO", "path": path, "identifier": "ccproxy", "use_journal": False, "verbose": False, "environ": {},
    }  # fmt: skip
    return logs.set_up(**given | more)  # type: ignore[arg-type]


def test_a_record_is_one_line_in_the_file_and_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state" / "ccproxy.log"
    assert set_up(path) == str(path)
    logging.getLogger("ccproxy.listener").info("listening on %s", "127.0.0.1:4000")
    line = path.read_text()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ccproxy\.listener {14} INFO     listening on 127\.0\.0\.1:4000\n", line
    )
    assert capfd.readouterr().err == line
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_captured_text_can_neither_forge_a_line_nor_move_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "log"
    set_up(path)
    logging.getLogger("ccproxy").warning("path %s", "/x\r\n2026-01-01 00:00:00 root CRITICAL owned\x1b[2J\x9b1m\u202e")
    first, second = path.read_text().splitlines()
    assert first.endswith("path /x\\r")
    assert second == "    2026-01-01 00:00:00 root CRITICAL owned\\x1b[2J\\x9b1m\\u202e"


def test_a_message_that_cannot_be_formatted_fails_nobody_and_shows_no_arguments(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The standard library would print the arguments, which no scrubber has seen."""
    set_up(tmp_path / "log")
    message = "%d bytes of %s"
    logging.getLogger("some.library").warning(message, "s3cret")
    line = (tmp_path / "log").read_text()
    assert line.endswith("WARNING  a message that cannot be formatted: '%d bytes of %s'\n")
    assert capfd.readouterr().err == line


def test_every_line_passes_the_scrubber_tracebacks_included(tmp_path: Path) -> None:
    path = tmp_path / "log"
    set_up(path)
    logs.scrub_with(lambda data: data.replace(b"s3cret", b"[redacted]"))
    try:
        raise RuntimeError("the key s3cret was refused")
    except RuntimeError:
        logging.getLogger("ccproxy").exception("with %s", "s3cret")
    text = path.read_text()
    assert "s3cret" not in text
    assert "with [redacted]" in text
    assert "RuntimeError: the key [redacted] was refused" in text


def test_levels_are_ours_and_libraries_are_floored(tmp_path: Path) -> None:
    """hpack and httpcore log header values at DEBUG."""
    path = tmp_path / "log"
    set_up(path, level="DEBUG")
    for name in ("ccproxy.a", "hpack", "httpcore", "mitmproxy"):
        logging.getLogger(name).debug("detail of %s", name)
    assert [line.split()[2] for line in path.read_text().splitlines()] == ["ccproxy.a"]
    logs.set_level("ERROR")
    logging.getLogger("ccproxy.a").warning("not now")
    logging.getLogger("hpack").error("but this")
    assert path.read_text().splitlines()[1:][0].endswith("but this")


def test_a_new_level_leaves_a_librarys_own_alone() -> None:
    """The listener sets mitmproxy's: at INFO it would log every connection."""
    logging.getLogger("mitmproxy").setLevel("ERROR")
    logs.set_level("DEBUG")
    assert logging.getLogger("mitmproxy").level == logging.ERROR


def test_verbose_means_debug(tmp_path: Path) -> None:
    set_up(tmp_path / "log", verbose=True)
    logging.getLogger("ccproxy").debug("detail")
    assert "detail" in (tmp_path / "log").read_text()


def test_it_is_appended_not_truncated(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for word in ("first", "second"):
        set_up(path)
        logging.getLogger("ccproxy").warning(word)
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["first", "second"]


def test_set_up_again_leaves_one_handler_of_each(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    set_up(tmp_path / "log")
    set_up(None)
    logging.getLogger("ccproxy").warning("once")
    assert capfd.readouterr().err.count("once") == 1
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("how", [{"use_journal": True}, {"journal_stream": True}])
def test_under_systemd_it_is_the_journal_alone(tmp_path: Path, how: dict[str, bool]) -> None:
    stderr = os.fstat(2)
    environ = {"JOURNAL_STREAM": f"{stderr.st_dev}:{stderr.st_ino}"} if "journal_stream" in how else {}
    where = set_up(tmp_path / "log", use_journal=how.get("use_journal", False), environ=environ, identifier="ccproxy-x")
    assert where == "journal:ccproxy-x"
    assert len(logging.getLogger().handlers) == 1
    assert not (tmp_path / "log").exists()


def test_no_file_means_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert set_up(None) == "stderr"
    logging.getLogger("ccproxy").warning("here")
    assert "here" in capfd.readouterr().err


def write_lines(path: Path, writer: int, count: int) -> None:
    handler = logs.LogFile(path, rotate_at=20_000, kept=50)
    handler.setFormatter(logs.LogFormat("%(message)s"))
    for number in range(count):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, f"{writer}-{number} {'.' * 50}", (), None))
    assert handler.lost == 0
    handler.close()


def test_several_writers_and_rotations_lose_and_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_lines, args=(path, writer, 1000)) for writer in range(3)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(60)
        assert each.exitcode == 0
    files = list(tmp_path.glob("log*"))
    assert len(files) > 5
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{writer}-{number} {'.' * 50}" for writer in range(3) for number in range(1000))
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_a_file_that_two_see_full_is_moved_once(tmp_path: Path) -> None:
    one, other = (logs.LogFile(tmp_path / "log", rotate_at=1, kept=9) for _ in range(2))

    class Interrupted(logging.Formatter):
        """The other writes, and rotates, when this one has opened the file and not yet written."""

        def format(self, record: logging.LogRecord) -> str:
            other.handle(record)
            return "mine"

    one.setFormatter(Interrupted())
    one.handle(logging.LogRecord("x", logging.INFO, "", 0, "the other's", (), None))
    assert (one.lost, other.lost) == (0, 0)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"log.1": "the other's\nmine\n"}
    one.close()
    other.close()


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    handler = logs.LogFile(tmp_path / "log", rotate_at=1, kept=2)
    for word in ("one", "two", "three", "four"):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, word, (), None))
    handler.close()
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"log.1": "four\n", "log.2": "three\n"}


def test_a_full_disk_costs_lines_not_the_caller() -> None:
    need(Path("/dev/full").exists(), "there is no /dev/full")
    handler = logs.LogFile(Path("/dev/full"))
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "lost", (), None))
    assert handler.lost == 1
    handler.close()


def test_a_folder_that_cannot_be_written_is_said_and_no_reason_not_to_start(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    set_up(tmp_path / "file" / "ccproxy.log")
    logging.getLogger("ccproxy").warning("going on")
    said = capfd.readouterr().err
    assert "cannot write the log file" in said
    assert "going on" in said


def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep\n")
    (tmp_path / "log").symlink_to(tmp_path / "precious")
    handler = logs.LogFile(tmp_path / "log")
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "no", (), None))
    assert handler.lost == 1
    assert (tmp_path / "precious").read_text() == "keep\n"
