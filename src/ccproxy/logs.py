"""Where log lines go, and how they look.

Under systemd: the journal, with the instance's identifier. Otherwise standard error, for which nobody has to wait, and
one file, which several processes append to: one line is one ``write``, rotated by size, mode 0600. A line is

    2026-11-21 04:55:12 ccproxy.control.process        INFO     configuration read again

The libraries' own loggers are floored (``hpack`` and ``httpcore`` log header values at DEBUG), control characters are
shown as ``\\x1b``, a line break continues indented, and a scrubber, once there is one, sees each line before it is
written.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ccproxy import systemd
from ccproxy.outlet import Outlet

LINE = "%(asctime)s %(name)-30s %(levelname)-8s %(message)s"
TIME = "%Y-%m-%d %H:%M:%S"
JOURNAL_LINE = "%(name)s: %(message)s"
"""The journal has the time, the level and the process already."""
ROTATE_AT_BYTES = 10 * 1024 * 1024
KEPT = 3
"""Older files, ``ccproxy.log.1`` being the youngest."""
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

type Scrub = Callable[[bytes], bytes]


class LogFormat(logging.Formatter):
    """A record as safe text: nothing in it can move a terminal's cursor or begin a line of its own."""

    def __init__(self, line: str) -> None:
        super().__init__(line, TIME)
        self.scrub: Scrub | None = None

    def format(self, record: logging.LogRecord) -> str:
        try:
            text = super().format(record)
        except Exception:  # an error edge: whatever is wrong with a message, who logs it goes on
            record.msg, record.args = f"a message that cannot be formatted: {record.msg!r}", ()
            text = super().format(record)
        text = text.replace("\n", "\n    ")
        text = CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
        if self.scrub is not None:
            text = self.scrub(text.encode("utf-8", "backslashreplace")).decode("utf-8", "replace")
        return text


class StandardError(logging.Handler):
    """Writes to standard error, and never waits for its reader."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        self._outlet.write(self.format(record).encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        self._outlet.close()
        super().close()


class LogFile(logging.Handler):
    """Appends to a file that other processes append to and rotate, too."""

    def __init__(self, path: Path, rotate_at: int = ROTATE_AT_BYTES, kept: int = KEPT) -> None:
        super().__init__()
        self.lost = 0
        """Lines that could not be written: a full disk, a folder that became read-only."""
        self._path = path
        self._rotate_at = rotate_at
        self._kept = kept
        self._fd = -1

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fd = self._current()
            os.write(fd, self.format(record).encode("utf-8", "backslashreplace") + b"\n")
            if os.fstat(fd).st_size >= self._rotate_at:
                self._rotate(fd)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()

    def _current(self) -> int:
        """A descriptor of the file that is at the path now; another process may have moved ours away."""
        if self._fd >= 0 and not _is_at(self._fd, self._path):
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o600)
        return self._fd

    def _rotate(self, fd: int) -> None:
        """Move the file away, once, whoever of the writers sees its size first."""
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if not _is_at(fd, self._path):
                return
            for number in range(self._kept - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    self._numbered(number).replace(self._numbered(number + 1))
            self._path.replace(self._numbered(1))
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def set_up(
    *,
    level: str,
    path: Path | None,
    identifier: str,
    use_journal: bool,
    verbose: bool,
    environ: Mapping[str, str],
    outlet: Outlet | None = None,
) -> str:
    """Send this process's log records to the journal, or to standard error and the file at ``path``.

    ``outlet`` is standard error if the caller has a loop that empties it; else a thread does when there is need.
    Returns where they went: ``journal:IDENTIFIER``, the file's path, or ``stderr``. A file that cannot be opened is
    said on standard error, and is no reason not to start.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    set_level("DEBUG" if verbose else level)
    if use_journal or systemd.stderr_is_journal(environ):
        _add(root, systemd.journal_handler(identifier), JOURNAL_LINE)
        return f"journal:{identifier}"
    _add(root, StandardError(outlet or _outlet_with_thread()), LINE)
    if path is None:
        return "stderr"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _add(root, LogFile(path), LINE)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError
    except OSError as error:
        logging.getLogger(__name__).warning("cannot write the log file %s: %s", path, error.strerror or "not writable")
    return str(path)


def set_level(level: str) -> None:
    """ccproxy's own records from ``level`` up; those of libraries from WARNING up, unless their own level says else."""
    number = logging.getLevelNamesMapping()[level]
    logging.getLogger("ccproxy").setLevel(number)
    logging.getLogger().setLevel(max(number, logging.WARNING))


def scrub_with(scrub: Scrub) -> None:
    """Pass every line that this process logs from now on through ``scrub``."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, LogFormat):
            handler.formatter.scrub = scrub


def _outlet_with_thread() -> Outlet:
    def drain() -> None:
        with contextlib.suppress(RuntimeError):  # no thread is to be had: the next line tries again
            threading.Thread(target=outlet.drain, name="standard error", daemon=True).start()

    outlet = Outlet(on_wait=drain)
    return outlet


def _add(root: logging.Logger, handler: logging.Handler, line: str) -> None:
    handler.setFormatter(LogFormat(line))
    root.addHandler(handler)


def _is_at(fd: int, path: Path) -> bool:
    """Whether the open file is the one at ``path``."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)
