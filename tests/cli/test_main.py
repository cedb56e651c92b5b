"""The frame: verbs from a table, exit statuses, errors for people."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli import VERBS, build_parser, main


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"):
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_module_that_says_the_same(verb: str) -> None:
    module = importlib.import_module(f"ccproxy.cli.{verb}")
    assert module.__doc__ is not None
    assert module.__doc__.splitlines()[0] == VERBS[verb]
    assert callable(module.run)
    assert callable(module.add_arguments)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: ccproxy {verb}")
    assert "--config PATH" in shown


def test_every_module_of_the_command_line_is_a_verb() -> None:
    folder = Path(importlib.import_module("ccproxy.cli").__path__[0])
    modules = {file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")}
    assert modules == set(VERBS)


def test_help_lists_the_verbs_and_imports_none_of_them() -> None:
    code = (
        "import sys; from ccproxy.cli import main; main(['--help']);"
        "print([m for m in sys.modules if m.startswith('ccproxy.cli.')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert all(verb in shown for verb in VERBS)
    assert shown.endswith("[]\n")


@pytest.mark.parametrize(
    ("argv", "status"),
    [([], 2), (["nonsense"], 2), (["status", "--nonsense"], 2), (["--version"], 0), (["version"], 0), (["stat"], 2)],
)
def test_wrong_usage_is_2(argv: list[str], status: int) -> None:
    assert main(argv) == status


@pytest.mark.parametrize("argv", [["--config", "/x", "-v", "version"], ["version", "--config", "/x", "-v"]])
def test_what_is_common_may_stand_before_or_after_the_verb(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    assert (args.config, args.verbose) == ("/x", True)


def test_what_stands_before_the_verb_is_not_lost_after_it() -> None:
    args = build_parser().parse_args(["--config", "/x", "-v", "version", "--no-verbose"])
    assert (args.config, args.verbose) == ("/x", False)


def test_an_error_is_told_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ccproxy.yaml").write_text("ccproxy:\n  port: many\n  log_level: LOUD\n")
    assert main(["--config", str(tmp_path), "status"]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ccproxy: ")]
    assert len(lines) == 2
    assert lines[0].startswith(f"ccproxy: {tmp_path}/ccproxy.yaml:2: port: ")
    assert main(["-v", "--config", str(tmp_path), "status"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_names_its_place_and_not_its_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # `version` prints to it
    assert main(["version"]) == 1
    said = capsys.readouterr().err
    assert "defect: AttributeError in " in said
    assert "Traceback" not in said


def test_ctrl_c_is_130() -> None:
    command = [sys.executable, "-m", "ccproxy", "run", "--", "sh", "-c", "kill -INT $$"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 130


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    log = tmp_path / "ccproxy" / "ccproxy.log"
    log.parent.mkdir()
    log.write_text("line\n" * 200_000)
    command = f"{sys.executable} -m ccproxy logs | head -n 1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=30)
    assert ended.stdout == "line\n141\n"
    assert ended.stderr == ""


def test_both_modules_run() -> None:
    for module in ("ccproxy", "ccproxy.cli"):
        command = [sys.executable, "-m", module, "version"]
        assert subprocess.run(command, capture_output=True, check=True, timeout=30).stdout.startswith(b"ccproxy ")
