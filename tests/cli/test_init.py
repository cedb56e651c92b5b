"""`ccproxy init`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from ccproxy.cli import init
from ccproxy.config.instance import find_instance
from ccproxy.config.template import template_text
from tests.support.unprivileged import unprivileged


def run(folder: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    args = parser.parse_args(words)
    args.config, args.verbose = str(folder), False
    return init.run(args)


def test_it_writes_a_private_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / ".ccproxy"
    assert run(folder) == 0
    file = folder / "ccproxy.yaml"
    assert file.read_text() == template_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["ccproxy.yaml"]
    assert capsys.readouterr() == (f"Wrote {file}\n", "")


def test_it_keeps_a_file_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ccproxy.yaml"
    file.write_text("mine\n")
    assert run(tmp_path) == 0
    assert file.read_text() == "mine\n"
    assert [path.name for path in tmp_path.iterdir()] == ["ccproxy.yaml"]
    assert capsys.readouterr().out == f"Skipping {file} (already exists; --force replaces it)\n"


def test_force_replaces_it(tmp_path: Path) -> None:
    file = tmp_path / "ccproxy.yaml"
    file.write_text("mine\n")
    file.chmod(0o644)
    assert run(tmp_path, "--force") == 0
    assert file.read_text() == template_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_link_is_kept_even_if_it_leads_nowhere_and_its_target_never_written(tmp_path: Path) -> None:
    target = tmp_path / "store.yaml"
    target.write_text("of the store\n")
    for name, points_to in (("a", target), ("b", tmp_path / "nowhere")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ccproxy.yaml").symlink_to(points_to)
        assert run(folder) == 0
        assert (folder / "ccproxy.yaml").is_symlink()
        assert run(folder, "--force") == 0
        assert (folder / "ccproxy.yaml").read_text() == template_text()
    assert target.read_text() == "of the store\n"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file" / "c") == 1
    assert capsys.readouterr().err == f"{tmp_path}/file/c/ccproxy.yaml: cannot be written: Not a directory\n"


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_read_only_folder_keeps_what_it_has(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with unprivileged() as folder:
        file = find_instance(str(folder), os.environ).config_file
        file.write_text("mine\n")
        folder.chmod(0o500)
        assert run(folder, *words) == 1
        assert file.read_text() == "mine\n"
        assert list(folder.iterdir()) == [file]
    assert capsys.readouterr().err == f"{file}: cannot be written: Permission denied\n"


def test_what_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "x.yaml") == 1
    assert "--config: should be the folder" in capsys.readouterr().err
