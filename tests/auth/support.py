"""What the tests of credentials share: a configuration, a clock that stands still, commands that leave traces."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ccproxy.config.model import Config

CANARY = "sk-canary-5f0c9f"


class StillClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def config(auth: Mapping[str, object] | None, *, provider: str = "acme", **limits: object) -> Config:
    """One provider with this ``auth``; ``limits`` are keys of the ``auth`` section."""
    return Config.model_validate(
        {
            "providers": {provider: {"host": "api.acme.test", "type": "anthropic", "auth": auth}},
            "auth": limits,
        }
    )


def command(text: str, **keys: str) -> dict[str, str]:
    return {"type": "command", "command": text, **keys}


def counted(log: Path, text: str) -> str:
    """``text`` as a command that appends a line to ``log`` each time it runs."""
    return f"echo run >> {shlex.quote(str(log))}; {text}"


def runs(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


async def until(condition: object, timeout_s: float = 5.0) -> None:
    """Wait for something outside this process: looks every few milliseconds, fails after ``timeout_s``."""
    assert callable(condition)
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
