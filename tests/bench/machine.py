"""On what a benchmark ran: numbers without their machine say nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.bench.contenders import NGINX


def describe() -> dict[str, str]:
    """Short facts in the order in which they are printed."""
    cpu = re.search(r"^model name\s*: (.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "CPU": cpu[1] if cpu else platform.machine(),
        "memory": f"{int(memory[1]) / 1e6:.0f} GB" if memory else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "mitmproxy": version("mitmproxy"),
        "nginx": _nginx(),
        "ccproxy": version("ccproxy"),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def busy() -> bool:
    """Others use a good part of a core at the moment."""
    return os.getloadavg()[0] > 0.5


def _nginx() -> str:
    if NGINX is None:
        return "not installed"
    done = subprocess.run([NGINX, "-v"], capture_output=True, text=True, timeout=10, check=False)
    return done.stderr.strip().rpartition("/")[2]


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
