"""Private folders: ours alone, or an error that says whose they are.

In a folder that everybody may write (``/tmp``) somebody else can make ours first, or put a symbolic link in its
place. So a folder is opened without following links, and owner and mode are asked of what was opened.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ccproxy.config.instance import Instance
from ccproxy.errors import ConfigError, Problem


def make_private_folder(path: Path) -> Path:
    """Make ``path`` with mode 0700, or check that it is a folder of this user that nobody else can write.

    A folder of ours that others may read is tightened to 0700. Missing parents are made the same way. Raises
    ConfigError, naming the folder and what to do.
    """
    try:
        if not path.parent.exists():
            make_private_folder(path.parent)
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise _refused(path, "is a symbolic link; remove it") from None
        raise _refused(path, f"cannot be made: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise _refused(path, f"belongs to user {found.st_uid}; remove it, or name another folder")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _refused(path, "can be written by other users; look at what is in it, then: chmod 700")
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return path


def make_folders(instance: Instance) -> None:
    """Make the data, state and runtime folders. Raises ConfigError."""
    for folder in (instance.data_dir, instance.state_dir, instance.runtime_dir):
        make_private_folder(folder)


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(Problem("", why, file=str(path)))
