"""An activator over trivial processes, as a program: what ``ccproxy start`` is over the true ones.

Arguments: ``--eager`` for the listener to start at once. PORTS in the environment are those of proxy and sidecar.
"""

from __future__ import annotations

import os
import sys

from ccproxy import logs
from ccproxy.activator.loop import Activator, Bound
from ccproxy.activator.plan import Bind
from ccproxy.activator.ports import bind_tcp
from ccproxy.activator.process import Process
from ccproxy.activator.unit import Unit
from ccproxy.config.instance import find_instance
from ccproxy.control.lock import Lock
from ccproxy.outlet import Outlet
from tests.control import trivial


def main() -> int:
    instance = find_instance(None, os.environ)
    proxy, sidecar = map(int, os.environ["PORTS"].split())
    sockets = {"listener": ("proxy", proxy), "sidecar": ("sidecar", sidecar)}

    def bind(unit: str) -> Bound:
        name, port = sockets[unit]
        return [(name, each) for each in bind_tcp(Bind("127.0.0.1", port, name))]

    outlet = Outlet()
    logs.set_up(
        level="DEBUG",
        path=None,
        identifier=instance.name,
        use_journal=False,
        verbose=False,
        environ=os.environ,
        outlet=outlet,
    )
    with Lock.take(instance, "activator", sockets={"proxy": [str(proxy)], "sidecar": [str(sidecar)]}) as lock:
        activator = Activator(
            [
                Process(
                    Unit(unit, eager=unit == "listener" and "--eager" in sys.argv),
                    [sys.executable, "-P", trivial.__file__, unit],
                    instance.runtime_dir / f"notify-{unit}",
                    outlet.write,
                )
                for unit in sockets
            ],
            lock=lock,
            outlet=outlet,
            bind=bind,
            environ=dict(os.environ),
            shutdown_timeout_s=float(os.environ.get("SHUTDOWN_TIMEOUT_S", "10")),
            on_ready=lambda: print("announced", flush=True),
        )
        return activator.run()


if __name__ == "__main__":
    sys.exit(main())
