"""Programs that a test starts: an empty environment, a home of their own, an end that is certain."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATH = "/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Home:
    """A client's own home, and the folder in it that the client works in."""

    folder: Path

    @classmethod
    def at(cls, folder: Path, files: Mapping[str, str]) -> Home:
        """Make one that holds these files (path under the home → text)."""
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (folder / "work").mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @property
    def work(self) -> Path:
        return self.folder / "work"


def run(argv: Sequence[str | Path], home: Home, path: Path, environ: Mapping[str, str], timeout_s: float) -> Outcome:
    """Run a client to its end with just these variables, HOME and PATH.

    One that is not done in time is killed with everything it started; AssertionError then tells what it had printed.
    """
    out, err = home.folder / "stdout", home.folder / "stderr"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            list(map(str, argv)),
            cwd=home.work,
            env={"HOME": str(home.folder), "PATH": f"{path}:{SYSTEM_PATH}", **environ},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    outcome = Outcome(-1 if code is None else code, out.read_text(), err.read_text())
    name = Path(str(argv[0])).name
    assert code is not None, f"{name} was not done after {timeout_s} s\n{outcome.output}\n{outcome.errors}"
    return outcome
