"""Commands that are slow, chatty, failing, hanging, or leave children behind."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ccproxy.auth.command import NOISE_LIMIT, child_environ, run_command
from ccproxy.auth.token import SourceFailure
from tests.auth.support import CANARY, alive, until

PATH = {"PATH": os.environ["PATH"]}


async def run(
    text: str, *, environ: Mapping[str, str] = PATH, timeout_s: float = 5, output_limit: int = 65536
) -> bytes:
    return await run_command(text, environ=environ, timeout_s=timeout_s, output_limit=output_limit)


def pid_in(file: Path) -> int:
    return int(file.read_text())


def written(file: Path) -> bool:
    return file.exists() and file.read_text().endswith("\n")


async def test_output_is_what_it_printed():
    assert await run("printf 'sk-1\\n'") == b"sk-1\n"


async def test_it_is_a_shell_command():
    assert await run('x=$(printf a); echo "$x" | tr a b') == b"b\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "exited with status 3; run it in a shell to see why"),
        ("no-such-program-here", "exited with status 127"),
        ("kill -9 $$", "was ended by signal 9"),
        (f"echo {CANARY} >&2; exit 4", f"status 4, having written {len(CANARY) + 1} bytes to stderr"),
    ],
)
async def test_failure_says_how(text: str, reason: str):
    with pytest.raises(SourceFailure) as caught:
        await run(text)
    assert reason in str(caught.value)
    assert CANARY not in str(caught.value)


async def test_stderr_of_a_command_that_succeeds_is_no_failure(caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    asyncio.get_running_loop().set_debug(True)  # asyncio then logs what it starts
    assert await run(f"echo warning {CANARY} >&2; echo t") == b"t\n"
    assert CANARY not in caplog.text


async def test_hanging_command_and_all_its_children_are_killed(tmp_path: Path):
    child = tmp_path / "child"
    started = time.monotonic()
    with pytest.raises(SourceFailure, match=r"did not end within 0.3 s \(auth.command_timeout_seconds\)"):
        await run(f"sh -c 'trap \"\" TERM; echo $$ > {child}; sleep 60 & wait' & wait", timeout_s=0.3)
    assert time.monotonic() - started < 3
    await until(lambda: not alive(pid_in(child)))


async def test_child_that_holds_the_output_does_not_hold_the_token(tmp_path: Path):
    child = tmp_path / "child"
    started = time.monotonic()
    assert await run(f"sleep 60 & echo $! > {child}; echo token") == b"token\n"
    assert time.monotonic() - started < 2
    await until(lambda: not alive(pid_in(child)))


async def test_agent_that_let_go_of_the_output_lives_on(tmp_path: Path):
    child = tmp_path / "child"
    assert await run(f"sleep 60 >/dev/null 2>&1 & echo $! > {child}; echo token") == b"token\n"
    try:
        assert alive(pid_in(child))
    finally:
        os.kill(pid_in(child), 9)


async def test_cancelling_kills_the_group(tmp_path: Path):
    child = tmp_path / "child"
    task = asyncio.create_task(run(f"sh -c 'echo $$ > {child}; sleep 60' & wait"))
    await until(lambda: written(child))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not alive(pid_in(child)))


async def test_cancelling_the_very_start_leaves_nobody_behind(tmp_path: Path):
    child = tmp_path / "child"
    task = asyncio.create_task(run(f"sleep 60 & echo $! > {child}; wait"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    while not written(child):  # holds the event loop, which has not heard yet that the shell runs
        time.sleep(0.005)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    await until(lambda: not alive(pid_in(child)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yes", r"more than 1000 bytes \(auth.output_limit_bytes\)"),
        ("yes >&2", rf"more than {NOISE_LIMIT} bytes to stderr"),
        ("head -c 1001 /dev/zero", r"more than 1000 bytes"),
    ],
)
async def test_chatty_command_is_stopped(text: str, reason: str):
    with pytest.raises(SourceFailure, match=reason):
        await run(text, output_limit=1000)


async def test_output_as_long_as_the_limit_is_fine():
    assert len(await run("head -c 1000 /dev/zero", output_limit=1000)) == 1000


async def test_standard_input_is_empty_and_session_is_its_own():
    printed = await run(f"cat; echo $$; {sys.executable} -c 'import os; print(os.getsid(0), os.getpgid(0))'")
    shell, session, group = map(int, printed.split())
    assert shell == session == group != os.getsid(0)


async def test_no_descriptor_is_inherited():
    leaked, other = os.pipe()
    os.set_inheritable(leaked, True)
    try:
        assert await run(f"[ -e /proc/self/fd/{leaked} ] && echo leaked || echo clean") == b"clean\n"
    finally:
        os.close(leaked)
        os.close(other)


async def test_environment_is_the_daemons_without_what_is_its_own():
    environ = {
        **PATH,
        "LISTEN_FDS": "1",
        "LISTEN_PID": "2",
        "LISTEN_FDNAMES": "proxy",
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "1",
        "SSLKEYLOGFILE": "/k",
        "CCPROXY_LISTENER_TOKEN": CANARY,
        "DEEPSEEK_API_KEY": "sk-deep",
    }
    seen = dict(line.split(b"=", 1) for line in (await run("env", environ=environ)).splitlines())
    assert seen[b"DEEPSEEK_API_KEY"] == b"sk-deep"
    assert not {b"LISTEN_FDS", b"LISTEN_PID", b"LISTEN_FDNAMES", b"NOTIFY_SOCKET", b"WATCHDOG_USEC"} & seen.keys()
    assert not {b"SSLKEYLOGFILE", b"CCPROXY_LISTENER_TOKEN"} & seen.keys()
    assert child_environ(environ).keys() == {"PATH", "DEEPSEEK_API_KEY"}


async def test_command_that_cannot_be_started_says_so():
    with pytest.raises(SourceFailure, match="could not be started: Argument list too long"):
        await run("true", environ={**PATH, "HUGE": "x" * 10_000_000})


async def test_fifty_runs_leave_no_descriptor_and_no_zombie():
    await run("true")
    before = len(os.listdir("/proc/self/fd"))
    results = await asyncio.gather(*(run("echo t") for _ in range(50)))
    assert results == [b"t\n"] * 50
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)
