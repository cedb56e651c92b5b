"""`ccproxy config`: what is printed where, and the exit status."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from ccproxy.cli import config


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("LOG_LEVEL", "CCPROXY_PORT", "CCPROXY_CONFIG_DIR", "CCPROXY_LISTENER_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = tmp_path / "shop"
    made.mkdir()
    return made


def run(folder: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    args = parser.parse_args(words)
    args.config, args.verbose = str(folder), False
    return config.run(args)


def test_check_of_a_good_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ccproxy.yaml").write_text("ccproxy: {port: 4001}\n")
    assert run(folder, "check") == 0
    assert capsys.readouterr() == (f"{folder}/ccproxy.yaml: can be used\n", "")


def test_check_without_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "check") == 0
    assert capsys.readouterr() == (f"{folder}/ccproxy.yaml: not there, defaults are used\n", "")


def test_check_of_a_bad_file_names_all_errors(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ccproxy.yaml").write_text("ccproxy:\n  port: x\n  hosst: y\n  use_journal: z\n")
    assert run(folder, "check") == 1
    assert capsys.readouterr() == (
        "",
        f"{folder}/ccproxy.yaml:2: port: should be a whole number\n"
        f'warning: {folder}/ccproxy.yaml:3: hosst: is no key of this section, and ignored; did you mean "host"?\n'
        f"{folder}/ccproxy.yaml:4: use_journal: should be true or false\n",
    )


def test_strict_refuses_what_otherwise_warns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ccproxy.yaml").write_text("ccproxy:\n  prot: 1\n")
    problem = f'{folder}/ccproxy.yaml:2: prot: is no key of this section, and ignored; did you mean "port"?\n'
    assert run(folder, "check") == 0
    assert capsys.readouterr().err == f"warning: {problem}"
    assert run(folder, "check", "--strict") == 1
    assert capsys.readouterr() == ("", problem)


def test_offline_reads_no_other_file(folder: Path) -> None:
    (folder / "ccproxy.yaml").write_text("ccproxy: {upstream_ca_file: /nowhere}\n")
    assert run(folder, "check") == 1
    assert run(folder, "check", "--strict", "--offline") == 0


def test_show_prints_what_is_in_force(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ccproxy.yaml").write_text("ccproxy: {port: 4001, listener_token: hush, prot: 1}\n")
    monkeypatch.setenv("CCPROXY_HOST", "127.0.0.5")
    assert run(folder, "show") == 0
    shown = capsys.readouterr()
    assert "  port: 4001  # line 1\n" in shown.out
    assert "  host: 127.0.0.5  # CCPROXY_HOST\n" in shown.out
    assert "hush" not in shown.out + shown.err
    assert "prot" in shown.err

    assert run(folder, "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["config"]["port"] == 4001


def test_show_of_a_bad_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ccproxy.yaml").write_text("ccproxy: {port: x}\n")
    assert run(folder, "show") == 1
    assert capsys.readouterr() == ("", f"{folder}/ccproxy.yaml:1: port: should be a whole number\n")


def test_schema_is_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "ccproxy.yaml"


def test_a_folder_that_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("check",), ("show",)):
        assert run(folder / "other.yaml", *words) == 1
        assert capsys.readouterr().err == "--config: should be the folder that holds ccproxy.yaml\n"
