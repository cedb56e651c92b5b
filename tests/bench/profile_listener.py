"""Where the listener spends its time: ``python -m tests.bench.profile_listener [--only WORD] [--seconds N]``.

Runs one listener under cProfile, with sockets as an activator gives them, sends one case of the benchmark and prints
the functions of all its threads by own and by cumulative time, start included. cProfile doubles the cost of calls, so
compare shares, not seconds; for true shares sample a running daemon from outside:

    uvx py-spy record --pid PID --duration 10 --rate 500 --format raw --output stacks.txt
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import pstats
import socket
import sys
import tempfile
from pathlib import Path

from tests.bench.contenders import provider
from tests.bench.daemon import Ports, configuration, environment
from tests.bench.load import drive
from tests.bench.process import START_S, free_ports, running, tail
from tests.bench.traffic import Case, cases

# The sockets go to where LISTEN_FDS says that they are: 3 and 4, by way of numbers that nobody has.
_MAIN = """
import cProfile, fcntl, os, sys
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in {fds!r}]
for place, fd in enumerate(high, 3):
    os.dup2(fd, place)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
sys.argv = ["ccproxy", "listener"]
from ccproxy.cli import main
profile = cProfile.Profile()
try:
    profile.runcall(main)
finally:
    profile.dump_stats({stats!r})
"""


def profile(folder: Path, case: Case, seconds: float) -> pstats.Stats:
    """One listener, ``seconds`` of one case."""
    ports = Ports(*free_ports(4))
    env = environment(folder)
    (folder / "runtime").mkdir(mode=0o700)
    stats, log = folder / "stats", folder / "listener.log"
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(provider(folder))
        (folder / "ccproxy.yaml").write_text(configuration(ports, upstream))
        sockets = [stack.enter_context(socket.socket()), stack.enter_context(socket.socket(socket.AF_UNIX))]
        sockets[0].bind(("127.0.0.1", ports.proxy))
        sockets[1].bind(str(folder / "runtime" / "control"))
        for sock in sockets:
            sock.listen(512)
        env |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": "proxy:control"}
        fds = [sock.fileno() for sock in sockets]
        argv = [sys.executable, "-c", _MAIN.format(stats=str(stats), fds=fds)]
        stack.enter_context(running(argv, log, env, fds))
        warm = asyncio.run(drive(ports.proxy, Case("json", 1024, 1, True), seconds=START_S, most=50))
        measured = asyncio.run(drive(ports.proxy, case, seconds=seconds, most=10**9))
    for error in [*warm.errors, *measured.errors][:3]:
        print(error, file=sys.stderr)
    print(f"{case.name}: {len(measured.latencies)} requests under the profiler\n")
    if not stats.exists():
        raise SystemExit(tail(log))
    return pstats.Stats(str(stats))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="the first case with WORD in its name"
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--lines", type=int, default=40)
    arguments = parser.parse_args()
    case = next(case for case in cases() if all(word in case.name for word in arguments.only))
    with tempfile.TemporaryDirectory(prefix="ccproxy-profile-") as folder:
        stats = profile(Path(folder), case, arguments.seconds)
    for order in ("tottime", "cumulative"):
        stats.sort_stats(order).print_stats(arguments.lines)


if __name__ == "__main__":
    main()
