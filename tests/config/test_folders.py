"""Folders that are ours alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccproxy.config.folders import make_folders, make_private_folder
from ccproxy.errors import ConfigError
from tests.config.support import make_instance
from tests.support.need import need


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_new_folders_and_their_new_parents_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make_private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(old)
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_the_folders_of_an_instance_and_nothing_in_the_configuration(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    make_folders(instance)
    make_folders(instance)
    assert [mode(path) for path in (instance.data_dir, instance.state_dir, instance.runtime_dir)] == [0o700] * 3
    assert list(instance.config_dir.iterdir()) == []


def test_a_folder_that_others_can_read_is_tightened(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f").chmod(0o755)
    assert mode(make_private_folder(tmp_path / "f")) == 0o700


@pytest.mark.parametrize("wide", [0o770, 0o777, 0o1777])
def test_a_folder_that_others_could_fill_is_refused(tmp_path: Path, wide: int) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f").chmod(wide)
    with pytest.raises(ConfigError, match=r"/f: can be written by other users; .* chmod 700"):
        make_private_folder(tmp_path / "f")


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "f").symlink_to(target)
    with pytest.raises(ConfigError, match="/f: is a symbolic link; remove it"):
        make_private_folder(tmp_path / "f")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    need(os.getuid() == 0, "only root can give a folder away")
    (tmp_path / "f").mkdir(mode=0o700)
    os.chown(tmp_path / "f", 4711, 4711)
    with pytest.raises(ConfigError, match="/f: belongs to user 4711"):
        make_private_folder(tmp_path / "f")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ConfigError, match="/f: cannot be made: Not a directory"):
        make_private_folder(tmp_path / "f")
