"""Reads the token of ``auth: {type: file}``, again whenever the file has changed.

A request costs one ``stat``; the contents are read in a thread, and only when the file's identity, size or times
differ from those of the last read.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from pathlib import Path

from ccproxy.auth.token import SourceFailure, clean_token

type Stamp = tuple[int, int, int, int, int]

_log = logging.getLogger(__name__)

WORLD_READABLE = "%s holds a credential and every user of this machine can read it; run: chmod 600 %s"


class TokenFile:
    """A file that holds one token, and what was last read from it."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = Path(os.path.expanduser(path))  # noqa: PTH111  leaves ~ where there is no home; Path's raises
        self.limit = limit
        """Most bytes that the file may have."""
        self._stamp: Stamp | None = None
        self._token = ""
        self._warned = False

    def cached(self) -> str | None:
        """The token last read, if the file is still the same; costs microseconds. Raises SourceFailure without one.

        This stat is made on the event loop: it is a look into the kernel's cache, ten times cheaper than a thread.
        """
        try:
            found = os.stat(self.path)  # noqa: PTH116  the Path method costs as much again
        except OSError as error:
            self._stamp = None
            raise SourceFailure(f"cannot be read: {error.strerror}") from None
        return self._token if self._stamp == _stamp(found) else None

    async def read(self) -> str:
        """The token as the file has it now. Raises SourceFailure if it cannot be read, is too large or holds none."""
        self._stamp = None
        raw, found = await asyncio.to_thread(_read, self.path, self.limit)
        token = clean_token(raw)
        if found.st_mode & stat.S_IROTH and not self._warned:
            self._warned = True
            _log.warning(WORLD_READABLE, self.path, self.path)
        self._token, self._stamp = token, _stamp(found)
        return token


def _read(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    try:
        # Not blocking: opening a named pipe that nobody writes to would hold the thread for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise SourceFailure("is not a regular file")
            with os.fdopen(fd, "rb", closefd=False) as file:
                raw = file.read(limit + 1)
        finally:
            os.close(fd)
    except OSError as error:
        raise SourceFailure(f"cannot be read: {error.strerror}") from None
    if len(raw) > limit:
        raise SourceFailure(f"is larger than {limit} bytes (auth.output_limit_bytes); it must hold the bare token")
    return raw, found


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
