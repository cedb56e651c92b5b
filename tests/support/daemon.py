"""A whole ccproxy in folders of its own, run as a person runs it.

>>> with Daemon({"providers": {"echo": {"type": "echo"}}}) as daemon:                              # doctest: +SKIP
...     httpx.get(daemon.base + "/health")
...     daemon.cli("flows", "list").stdout
...     daemon.kill("sidecar")

``via="systemd-socket-activate"`` starts each process by that program instead of ``ccproxy start``: nothing runs until
the first connection. All folders are 0700 and go with the daemon; ports are free ones; the environment holds nothing
of the caller's but PATH and what makes coverage measure the processes. Everything is bounded by ``TIMEOUT_S``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.lock import Running, read_lock
from tests.support.need import need_tool

TIMEOUT_S = 30.0
PORTS = (("port",), ("inspector", "port"), ("sidecar", "port"), ("mcp", "http", "port"))
CCPROXY = (sys.executable, "-P", "-m", "ccproxy")

type Via = Literal["ccproxy start", "systemd-socket-activate"]


class Daemon:
    """Use as a context manager, or ``start`` and ``stop`` it."""

    def __init__(
        self,
        config: Mapping[str, Any] | str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        via: Via = "ccproxy start",
        umask: int = 0o022,
    ) -> None:
        """``config`` is what stands below ``ccproxy:``, or the text of a whole file; free ports are filled in."""
        self.folder = Path(tempfile.mkdtemp(prefix="ccp-"))
        """Short: the path of a Unix socket has a limit."""
        self.via = via
        self.env = clean_environ(self.folder) | dict(environ or {})
        self.instance: Instance = find_instance(None, self.env)
        self.port, self.web_port, self.sidecar_port, self.mcp_port = free_ports(len(PORTS))
        self.skipped_units: tuple[str, ...] = ()
        """Processes that ``systemd-socket-activate`` does not start: their ports stay free."""
        self._umask = umask
        self._processes: list[subprocess.Popen[bytes]] = []
        self.instance.config_dir.mkdir(parents=True)
        self.write_config(config or {})

    @property
    def base(self) -> str:
        """The proxy's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def write_config(self, config: Mapping[str, Any] | str) -> None:
        """Replace the configuration file; ``cli("reload")`` has it read."""
        if not isinstance(config, str):
            full: dict[str, Any] = json.loads(json.dumps(config))
            for keys, port in zip(PORTS, (self.port, self.web_port, self.sidecar_port, self.mcp_port), strict=True):
                section = full
                for key in keys[:-1]:
                    section = section.setdefault(key, {})
                section.setdefault(keys[-1], port)
            config = yaml.safe_dump({"ccproxy": full})
        self.instance.config_file.write_text(config)

    def start(self, *, wait: bool = True) -> Self:
        """Start it, and with ``wait`` come back when it answers."""
        if self.via == "ccproxy start":
            self._spawn([*CCPROXY, "start"], "start")
        else:
            self._start_by_systemd()
        if wait:
            self.wait_until_it_answers()
        return self

    def wait_until_it_answers(self) -> None:
        """Raise AssertionError with the log if it ends, or does not answer ``GET /health`` in time."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            ended = [process for process in self._processes if process.poll() is not None]
            try:
                with urllib.request.urlopen(self.base + "/health", timeout=TIMEOUT_S):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                assert not ended, f"ended with status {ended[0].returncode}\n{self.logs()}"
                time.sleep(0.05)  # nothing tells when a port is bound
        raise AssertionError(f"no answer on {self.base}\n{self.logs()}")

    def cli(self, *args: str, input: str | None = None, timeout: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """``ccproxy *args`` in this daemon's environment."""
        return subprocess.run(
            [*CCPROXY, *args], env=self.env, cwd=self.folder, input=input, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def logs(self) -> str:
        """All that was said: what went to standard error, and the log file (mostly the same lines)."""
        files = [*sorted(self.folder.glob("*.stderr")), self.instance.log_path]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def running(self, unit: str) -> Running | None:
        """Who runs as ``listener``, ``sidecar``, ``mcp`` or ``activator``, by its lock."""
        return read_lock(self.instance, unit)  # type: ignore[arg-type]

    def pid(self, unit: str) -> int:
        running = self.running(unit)
        assert running is not None, f"{unit} does not run\n{self.logs()}"
        return running.pid

    def kill(self, unit: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to one process; its pid."""
        pid = self.pid(unit)
        os.kill(pid, number)
        return pid

    def rss_bytes(self, unit: str) -> int:
        """Resident memory of one process, Linux only."""
        status = Path(f"/proc/{self.pid(unit)}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop everything; the exit status of ``ccproxy start``, or the greatest."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)
        status = 0
        for process in self._processes:
            try:
                status = max(status, process.wait(TIMEOUT_S))
            except subprocess.TimeoutExpired:
                self._kill_all()
                raise AssertionError(f"did not stop\n{self.logs()}") from None
        self._processes.clear()
        return status

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._kill_all()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, command: list[str], name: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.stderr").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=stderr if stderr is not None else log,
                umask=self._umask,
            )
        self._processes.append(process)
        return process

    def _start_by_systemd(self) -> None:
        program = need_tool("systemd-socket-activate")
        self.instance.runtime_dir.mkdir(mode=0o700, exist_ok=True)
        self.instance.control_path.unlink(missing_ok=True)
        passed = [f"--setenv={name}" for name in self.env]
        units = {
            "listener": (f"127.0.0.1:{self.port}", str(self.instance.control_path)),
            "sidecar": (f"127.0.0.1:{self.sidecar_port}",),
            "mcp": (f"127.0.0.1:{self.mcp_port}",),
        }
        names = {"listener": "proxy:control", "sidecar": "sidecar", "mcp": "mcp"}
        for unit, addresses in units.items():
            if unit in self.skipped_units:
                continue
            listen = [f"--listen={address}" for address in addresses]
            log = self.folder / f"{unit}.stderr"
            self._spawn([program, *listen, f"--fdname={names[unit]}", *passed, *CCPROXY, unit], unit)
            wait_for_line(log, "Listening on", count=len(addresses))

    def _kill_all(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for unit in ("listener", "sidecar", "mcp"):
            if running := self.running(unit):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGKILL)


def clean_environ(folder: Path) -> dict[str, str]:
    """An environment with folders below ``folder``, which are made."""
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LANG": "C.UTF-8"}
    environ |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    for kind in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"):
        path = folder / kind.partition("_")[0].lower()
        path.mkdir(mode=0o700, exist_ok=True)
        environ[f"XDG_{kind}"] = str(path)
    return environ


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]


def wait_for_line(path: Path, text: str, count: int = 1) -> None:
    """Come back when ``text`` has been written to the file ``count`` times."""
    for content in _watched(path):
        if content.count(text) >= count:
            return
    raise AssertionError(f"{text!r} did not appear in {path}:\n{path.read_text()}")


def _watched(path: Path) -> Iterator[str]:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        yield path.read_text(errors="replace")
        select.select((), (), (), 0.01)  # a file cannot be selected
