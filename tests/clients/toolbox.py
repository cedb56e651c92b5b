"""The real clients, installed from the lock files beside this one into ``.work``, once per content of the lock.

npm packages (the command line clients, the JavaScript SDKs, the mock, Node itself) lie in ``.work/node``, two
generations of the Python SDKs in ``.work/python-current`` and ``.work/python-older``.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.need import need_tool

HERE = Path(__file__).parent
WORK = HERE / ".work"
GENERATIONS = ("current", "older")
_INSTALL_S = 540


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Where things are."""

    node: Path
    """The folder that holds ``node_modules``."""

    @property
    def bin(self) -> Path:
        """The folder for a client's PATH: ``node``, ``claude``, ``codex``, ``gemini``, ``opencode``, ``llmock``."""
        return self.node / "node_modules" / ".bin"

    def python(self, generation: str) -> Path:
        """The interpreter that has that generation of the Python SDKs."""
        return WORK / f"python-{generation}" / "bin" / "python"


def install() -> Toolbox:
    """Install what is not there yet (about a minute the first time, nothing afterwards)."""
    node = WORK / "node"
    with _Once(node, HERE / "package.json", HERE / "package-lock.json") as fresh:
        if fresh:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, node / name)
            # Not "npm ci": it wants every platform's optional package in the lock, whether the registry has it or not.
            _run([need_tool("npm"), "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], node)
    for script in (HERE / "sdk").glob("*.mjs"):
        shutil.copy(script, node / script.name)  # Node looks for modules beside the script
    uv = _uv()
    for generation in GENERATIONS:
        lock = HERE / "python" / f"{generation}.txt"
        folder = WORK / f"python-{generation}"
        with _Once(folder, lock) as fresh:
            if fresh:
                _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], HERE)
                target = ["--python", str(folder / "bin" / "python")]
                _run([uv, "pip", "sync", "--quiet", "--require-hashes", *target, str(lock)], HERE)
    return Toolbox(node)


def _uv() -> str:
    """The program, wherever the Makefile found or put it. A name on the PATH can be a shim that does not run."""
    for name in ("uv", str(HERE.parents[1] / ".venv-tools" / "bin" / "uv")):
        with contextlib.suppress(OSError):
            if subprocess.run([name, "--version"], check=False, capture_output=True, timeout=60).returncode == 0:
                return name
    return need_tool("uv")


class _Once:
    """A folder that is filled again when what it is made from has changed; whole or not at all."""

    def __init__(self, folder: Path, *sources: Path) -> None:
        self.folder = folder
        self.stamp = folder / ".installed"
        self.digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()

    def __enter__(self) -> bool:
        if self.stamp.is_file() and self.stamp.read_text() == self.digest:
            return False
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return True

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.stamp.write_text(self.digest)


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        argv,
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
