"""The independent mock provider, npm ``@copilotkit/aimock``, as a process; its answers are in ``fixtures``."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.program import SYSTEM_PATH
from tests.clients.toolbox import HERE, Toolbox

CANARY = "CANARY-4b1d"
"""What the file holds that TOOLTEST has read; ``TOOL-DONE`` is said only if it comes back as the tool's result."""
_READY = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
_START_S = 20.0
_OWN_KEY = "the-journal-is-behind-the-same-door"


@dataclass(frozen=True, slots=True)
class Mock:
    """A running mock."""

    port: int

    def journal(self) -> list[dict[str, Any]]:
        """Every request it had since the journal was last cleared, as it understood them."""
        entries: list[dict[str, Any]] = json.loads(self._ask("GET", "/__aimock/journal"))
        return entries

    def clear(self) -> None:
        """Empty the journal."""
        self._ask("POST", "/__aimock/reset/journal")

    def _ask(self, method: str, path: str) -> bytes:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, headers={"x-api-key": _OWN_KEY})
            response = connection.getresponse()
            body = response.read()
        assert response.status == 200, body
        return body


@contextlib.contextmanager
def running(toolbox: Toolbox, folder: Path, keys: Sequence[str]) -> Iterator[Mock]:
    """Start it on a free port. With ``keys`` it refuses (401) every request that carries none of them."""
    argv = [toolbox.bin / "node", toolbox.node / "node_modules/@copilotkit/aimock/dist/cli.js"]
    options = [
        "--port",
        "0",
        "--fixtures",
        HERE / "fixtures",
        "--latency",
        "2",
        "--chunk-size",
        "12",
        "--validate-on-load",
    ]
    environ = {"PATH": SYSTEM_PATH, "HOME": str(folder)}
    if keys:
        environ["AIMOCK_API_KEYS"] = ",".join([_OWN_KEY, *keys])
    with subprocess.Popen(
        list(map(str, [*argv, *options])),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        late = threading.Timer(_START_S, process.kill)
        late.start()
        try:
            port = _port(process)
            late.cancel()
            threading.Thread(target=_drain, args=(process, folder / "mock.log"), name="mock log", daemon=True).start()
            yield Mock(port)
        finally:
            late.cancel()
            process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    """Read its output up to the line that names the port."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        if found := _READY.search(line):
            return int(found[1])
        said.append(line)
    raise AssertionError(f"the mock did not start:\n{''.join(said)}")


def _drain(process: subprocess.Popen[str], log: Path) -> None:
    """Keep its pipe from filling up."""
    assert process.stdout is not None
    with log.open("w") as out:
        out.writelines(process.stdout)
