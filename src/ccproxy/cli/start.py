"""run the daemon in the foreground"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path

from ccproxy import __version__, logs
from ccproxy.activator.banner import banner
from ccproxy.activator.loop import Activator, Bound
from ccproxy.activator.plan import Plan, plan_in_child
from ccproxy.activator.ports import bind_tcp, bind_unix, check_free
from ccproxy.activator.process import Process
from ccproxy.activator.unit import Unit
from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.hardening import forbid_core_dumps
from ccproxy.control.lock import Lock, read_lock
from ccproxy.control.protocol import UNIT_SOCKETS, web_ui_url
from ccproxy.errors import CcproxyError
from ccproxy.outlet import Outlet
from ccproxy.systemd import Notifier, stderr_is_journal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: argparse.Namespace) -> int:
    """0 after SIGTERM or Ctrl-C; 1 when a port is taken, the instance runs already or the listener cannot start."""
    forbid_core_dumps()
    environ = dict(os.environ)
    notifier = Notifier.take(os.environ)
    environ.pop("NOTIFY_SOCKET", None)
    instance = find_instance(args.config, environ)
    plan = plan_in_child(lambda: _read_plan(instance, environ))
    if stderr_is_journal(environ):
        environ["CCPROXY_USE_JOURNAL"] = "true"  # a child's standard error is a pipe to here
    outlet = Outlet()
    destination = logs.set_up(
        level=plan.log_level,
        path=Path(plan.log_file) if plan.log_file else None,
        identifier=plan.identifier,
        use_journal=plan.use_journal,
        verbose=args.verbose,
        environ=environ,
        outlet=outlet,
    )
    addresses = {name: [f"{bind.host}:{bind.port}"] for name, bind in plan.tcp.items()}
    addresses["control"] = [str(instance.control_path)]
    with Lock.take(instance, "activator", sockets=addresses, log=destination) as lock:
        if running := read_lock(instance, "listener"):
            raise CcproxyError(f"the listener of instance {instance.name!r} is running already: pid {running.pid}")
        check_free(plan.web_ui)

        def bind(unit: str) -> Bound:
            return [bound for name in UNIT_SOCKETS_BY_NAME[unit] for bound in _bind(name, plan, instance)]

        def on_ready() -> None:
            notifier.ready("serving")
            _announce(plan, instance)

        command = [sys.executable, "-P", "-m", "ccproxy"]
        command += ["--config", args.config] if args.config is not None else []
        command += ["--verbose"] if args.verbose else []
        activator = Activator(
            [
                Process(
                    Unit(unit, eager=unit == "listener"),
                    [*command, unit],
                    instance.runtime_dir / f"notify-{unit}",
                    outlet.write,
                )
                for unit, names in UNIT_SOCKETS_BY_NAME.items()
                if names[0] in plan.tcp
            ],
            lock=lock,
            outlet=outlet,
            bind=bind,
            environ=environ,
            shutdown_timeout_s=plan.shutdown_timeout_s,
            on_ready=on_ready,
        )
        try:
            return activator.run()
        finally:
            notifier.stopping()
            instance.control_path.unlink(missing_ok=True)
            outlet.close()


UNIT_SOCKETS_BY_NAME: dict[str, tuple[str, ...]] = {str(unit): names for unit, names in UNIT_SOCKETS.items()}


def _read_plan(instance: Instance, environ: dict[str, str]) -> Plan:
    from ccproxy.config.load import load

    return Plan.of(load(instance, environ), instance.name)


def _bind(name: str, plan: Plan, instance: Instance) -> Bound:
    if name == "control":
        return [(name, bind_unix(instance.control_path))]
    return [(name, each) for each in bind_tcp(plan.tcp[name])]


def _announce(plan: Plan, instance: Instance) -> None:
    """Print the banner. The web UI's token is for a terminal only: anything else may be a log."""
    inspect_url = None
    if sys.stdout.isatty():
        bind = plan.web_ui
        inspect_url = web_ui_url(instance, bind.host, bind.port)
    with suppress(OSError):  # nobody reads our output: no reason to stop serving
        sys.stdout.write(banner(plan, __version__, inspect_url))
        sys.stdout.flush()
