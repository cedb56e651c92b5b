"""ccproxy as a user has it: ``ccproxy start`` with default hooks, the flow store on, and a key from the environment."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.process import BenchError, children, free_ports, running, tail, wait_listening
from tests.bench.traffic import SENTINEL, Case

ROLES = ("listener", "sidecar", "mcp")
PROGRAM = Path(sys.executable).parent / "ccproxy"
_ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one daemon of the benchmark listens."""

    proxy: int
    web: int
    sidecar: int
    mcp: int


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running activator."""

    child: subprocess.Popen[bytes]
    ports: Ports
    env: dict[str, str]
    log: Path

    @property
    def port(self) -> int:
        return self.ports.proxy

    def pid(self, role: str) -> int:
        """The process of a role that was activated."""
        found = {pid: argv for pid, argv in children(self.child.pid).items() if role in argv.split()}
        if len(found) != 1:
            raise BenchError(f"expected one {role} process, found {found}\n{tail(self.log)}")
        return next(iter(found))

    def touch(self) -> None:
        """One request to each of the three."""
        self.first_answer()
        self.ask(self.ports.sidecar, "GET", "/")
        tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        accept = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self.ask(self.ports.mcp, "POST", "/mcp", json.dumps(tools).encode(), accept)

    def first_answer(self) -> float:
        """Send a request now. Seconds to its answer."""
        case = Case("json", 1024, 1, True)
        head, _, body = case.request.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
        begun = time.monotonic()
        status, data = self.ask(self.port, "POST", "/v1/messages", body, dict(lines))
        took = time.monotonic() - begun
        if status != 200:
            raise BenchError(f"the daemon answered {status}: {data[:500]!r}\n{tail(self.log)}")
        return took

    def ask(
        self, port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One blocking request on a new connection: status and body."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)) as connection:
            try:
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                raise BenchError(f"{method} 127.0.0.1:{port}{path}: {error}\n{tail(self.log)}") from error

    def command_s(self, *argv: str) -> float:
        """Wall seconds of one ``ccproxy`` command."""
        begun = time.monotonic()
        done = subprocess.run(
            [PROGRAM, *argv],
            env=self.env,
            capture_output=True,
            timeout=_ANSWER_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        took = time.monotonic() - begun
        if done.returncode:
            raise BenchError(f"ccproxy {' '.join(argv)} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
        return took


@contextlib.contextmanager
def daemon(folder: Path, upstream: int) -> Iterator[Daemon]:
    """A fresh instance in ``folder``; nothing is activated yet."""
    folder.mkdir()
    ports = Ports(*free_ports(4))
    (folder / "ccproxy.yaml").write_text(configuration(ports, upstream))
    env = environment(folder)
    log = folder / "start.log"
    with running([str(PROGRAM), "start"], log, env) as child:
        for port in (ports.proxy, ports.sidecar, ports.mcp):
            wait_listening(port, child, log)
        yield Daemon(child, ports, env, log)


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the machine's own configuration."""
    places = {name: folder / name.lower() for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
    for place in places.values():
        place.mkdir(mode=0o700)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "CCPROXY_CONFIG_DIR": str(folder),
        "CCPROXY_BENCH_KEY": "the-real-key-of-the-benchmark",
        **{name: str(place) for name, place in places.items()},
    }


def configuration(ports: Ports, upstream: int) -> str:
    """The file of such an instance: one provider, everything else by default."""
    provider = SENTINEL.rpartition("-")[2]
    return json.dumps(  # JSON is YAML
        {
            "ccproxy": {
                "port": ports.proxy,
                "inspector": {"port": ports.web},
                "sidecar": {"port": ports.sidecar},
                "mcp": {"http": {"port": ports.mcp}},
                "providers": {
                    provider: {
                        "auth": {"type": "env", "env": "CCPROXY_BENCH_KEY", "header": "x-api-key"},
                        "base_url": f"http://127.0.0.1:{upstream}",
                        "path": "/v1/messages",
                        "type": "anthropic",
                    }
                },
            }
        },
        indent=2,
    )
