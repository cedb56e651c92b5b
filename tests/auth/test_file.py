"""Token files: read again when they change, never more than they may be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccproxy.auth.file import TokenFile
from ccproxy.auth.token import SourceFailure


async def token(file: TokenFile) -> str:
    return file.cached() or await file.read()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(" sk-1\n")
    path.chmod(0o600)
    return path


async def test_contents_are_stripped_and_kept_while_the_file_is_the_same(path: Path):
    file = TokenFile(path, 100)
    assert file.cached() is None
    assert await file.read() == "sk-1"
    assert file.cached() == "sk-1"


async def test_change_in_place_is_seen(path: Path):
    file = TokenFile(path, 100)
    await file.read()
    path.write_text("sk-22")
    assert file.cached() is None
    assert await token(file) == "sk-22"


async def test_replacement_of_the_same_size_and_time_is_seen(path: Path):
    file = TokenFile(path, 100)
    await file.read()
    old = path.stat()
    new = path.with_name("new")
    new.write_text(" sk-2\n")
    os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
    new.replace(path)
    assert await token(file) == "sk-2"


async def test_link_that_is_pointed_elsewhere_is_seen(path: Path):
    link, other = path.with_name("link"), path.with_name("other")
    other.write_text("sk-9")
    link.symlink_to(path)
    file = TokenFile(link, 100)
    assert await file.read() == "sk-1"
    link.unlink()
    link.symlink_to(other)
    assert await token(file) == "sk-9"


async def test_home_is_expanded(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(path.parent))
    assert await TokenFile(Path("~/key"), 100).read() == "sk-1"


async def test_missing_file_says_so_and_works_when_it_comes_back(path: Path):
    file = TokenFile(path, 100)
    await file.read()
    path.unlink()
    with pytest.raises(SourceFailure, match="cannot be read: No such file"):
        file.cached()
    path.write_text("sk-3")
    assert await token(file) == "sk-3"


@pytest.mark.parametrize(("text", "reason"), [("\n", "is empty"), ("x" * 101, r"larger than 100 bytes")])
async def test_unusable_contents_are_refused(path: Path, text: str, reason: str):
    path.write_text(text)
    with pytest.raises(SourceFailure, match=reason):
        await TokenFile(path, 100).read()


async def test_named_pipe_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceFailure, match="not a regular file"):
        await TokenFile(tmp_path / "pipe", 100).read()


async def test_folder_is_refused(tmp_path: Path):
    with pytest.raises(SourceFailure, match="not a regular file"):
        await TokenFile(tmp_path, 100).read()


async def test_file_that_everybody_can_read_is_warned_of_once(path: Path, caplog: pytest.LogCaptureFixture):
    path.chmod(0o644)
    file = TokenFile(path, 100)
    await file.read()
    await file.read()
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} holds a credential and every user of this machine can read it; run: chmod 600 {path}"
    ]
    assert "sk-1" not in caplog.text


async def test_private_file_is_not_warned_of(path: Path, caplog: pytest.LogCaptureFixture):
    await TokenFile(path, 100).read()
    assert not caplog.records
