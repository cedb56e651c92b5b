from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli import main
from ccproxy.cli.run import split_command
from tests.support.daemon import CCPROXY, clean_environ

SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if 'BASE' in k}))"


def run(tmp_path: Path, *command: str, config: str = "") -> subprocess.CompletedProcess[str]:
    environ = clean_environ(tmp_path)
    folder = tmp_path / "config" / "ccproxy"
    folder.mkdir(exist_ok=True)
    (folder / "ccproxy.yaml").write_text(config)
    return subprocess.run(
        [*CCPROXY, "run", *command], env=environ, capture_output=True, text=True, timeout=30, check=False
    )


def test_the_program_finds_the_proxy_by_its_base_urls(tmp_path: Path) -> None:
    ended = run(tmp_path, "--", sys.executable, "-c", SHOW, config="ccproxy: {port: 4444}")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:4444",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:4444",
        "OPENAI_BASE_URL": "http://127.0.0.1:4444/v1",
        "OPENAI_API_BASE": "http://127.0.0.1:4444/v1",
    }


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_programs_end_is_ours(tmp_path: Path, script: str, status: int) -> None:
    assert run(tmp_path, "sh", "-c", script).returncode == status


@pytest.mark.parametrize("program", ["no-such-program-here", "/etc/hostname", "/"])
def test_what_cannot_be_run_is_1(tmp_path: Path, program: str) -> None:
    ended = run(tmp_path, program)
    assert ended.returncode == 1
    assert f"cannot run '{program}'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("argv", [[], ["--"], ["-h"], ["--capture"]])
def test_without_a_program_it_prints_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *argv]) == 0
    assert "usage: ccproxy run [--capture] [--] COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["--capture"], ["--inspect"], ["-i"]])
def test_the_jail_is_not_built_yet(tmp_path: Path, flags: list[str]) -> None:
    ended = run(tmp_path, *flags, "--", "touch", str(tmp_path / "ran"))
    assert ended.returncode == 1
    assert "not built yet" in ended.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("rest", "capture", "command"),
    [
        (["claude", "-p", "hi"], False, ["claude", "-p", "hi"]),
        (["--", "claude", "--inspect", "--", "x"], False, ["claude", "--inspect", "--", "x"]),
        (["claude", "--inspect", "x"], True, ["claude", "x"]),
        (["codex", "-i", "image.png"], False, ["codex", "-i", "image.png"]),
        (["npm", "run", "--", "--capture"], False, ["npm", "run", "--", "--capture"]),
        (["--inspect", "--", "claude", "--capture"], True, ["claude", "--capture"]),
        ([], False, []),
        (["--"], False, []),
    ],
)
def test_flags_are_ours_until_a_double_dash(rest: list[str], capture: bool, command: list[str]) -> None:
    assert split_command(rest) == (capture, command)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_program(tmp_path: Path, number: signal.Signals) -> None:
    script = f"trap 'echo got; exit 9' {number.value}; echo ready; while :; do sleep 0.1; done"
    environ = clean_environ(tmp_path)
    command = [*CCPROXY, "run", "--", "sh", "-c", script]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        assert running.stdout.readline() == "got\n"
        assert running.wait(30) == 9


def test_ctrl_c_at_the_terminal_reaches_the_program_once(tmp_path: Path) -> None:
    """The terminal sends it to the program as well as to us; it must not get it a second time."""
    script = (
        "import signal, time\n"
        "count = []\n"
        "signal.signal(signal.SIGINT, lambda *_: count.append(1))\n"
        "print('ready', flush=True)\n"
        "while not count: time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "print('count', len(count), flush=True)\n"
    )
    environ = clean_environ(tmp_path)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(CCPROXY[0], [*CCPROXY, "run", "--", sys.executable, "-c", script], environ)
    with open(terminal, "r+b", buffering=0) as keyboard:
        shown = b""
        while b"ready" not in shown:
            shown += keyboard.read(4096)
        keyboard.write(b"\x03")
        while b"count" not in shown or not shown.endswith(b"\n"):
            shown += keyboard.read(4096)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"count 1" in shown
