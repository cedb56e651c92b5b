"""The start-up, reload and shutdown that ``ccproxy listener``, ``sidecar`` and ``mcp`` have in common.

A process package writes one coroutine::

    async def serve(
        sockets: Mapping[str, list[socket.socket]],   # by name ("proxy", "control" | "sidecar" | "mcp"), listening
        config: Config,
        instance: Instance,
        control: ProcessControl,
    ) -> None:
        ...                                 # start serving on sockets["…"]
        control.on_reload(use)              # use(new_config): may be async; raises CcproxyError to refuse it
        control.route("POST /clear", clear) # listener only: async (JSON object) -> JSON object
        control.describe(facts)             # listener only: () -> JSON object, shown by `status`
        control.ready()                     # READY=1; the control socket answers from here on
        await control.stopping.wait()       # SIGTERM or SIGINT came
        ...                                 # drain, at most config.shutdown_timeout_s, and return

and its verb calls ``run_process("sidecar", serve)``, which returns the exit status. ``serve`` runs inside
``asyncio.run`` and may import what is heavy. Signals belong to this module: an embedded server must not take them
(uvicorn: ``capture_signals``). When ``serve`` raises, the process ends with status 1; when it does not return within
``shutdown_timeout_s`` + 5 s of the stop signal, or at a second signal, it is cancelled.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, MutableMapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from ccproxy import __version__, logs, systemd
from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.hardening import follow_parent, forbid_core_dumps
from ccproxy.control.lock import Lock, describe_sockets, signal_unit
from ccproxy.control.protocol import RELOAD, STATUS, UNIT_SOCKETS, JsonObject, ReloadReply, Route, StatusReply, Unit
from ccproxy.errors import CcproxyError, ConfigError

if TYPE_CHECKING:
    from ccproxy.config.load import Loaded
    from ccproxy.config.model import Config

type Sockets = Mapping[str, list[socket.socket]]
type Use = Callable[[Config], Awaitable[None] | None]
"""Takes a new configuration into use; raises CcproxyError to keep the old one."""
type Serve = Callable[[Sockets, Config, Instance, ProcessControl], Awaitable[None]]

RESTART_KEYS = (
    "host",
    "port",
    "sidecar.port",
    "mcp.http.enabled",
    "mcp.http.host",
    "mcp.http.port",
    "inspector.port",
    "inspector.cert_dir",
    "inspector.tls_keylog",
    "inspector.mitmproxy.confdir",
    "inspector.mitmproxy.ssl_insecure",
    "inspector.mitmproxy.body_size_limit",
    "inspector.mitmproxy.web_host",
    "inspector.mitmproxy.web_password",
    "inspector.mitmproxy.web_open_browser",
    "inspector.mitmproxy.ignore_hosts",
    "inspector.mitmproxy.allow_hosts",
    "inspector.mitmproxy.termlog_verbosity",
    "inspector.mitmproxy.flow_detail",
    "upstream_ca_file",
    "limits.web_view_bytes",
    "log_file",
    "journal_identifier",
    "use_journal",
    "shutdown_timeout_s",
)
"""What a process is born with: a reload reports a new value and goes on with the old one."""
STOP_MARGIN_S = 5.0
"""Beyond ``shutdown_timeout_s``: what a process may take to end after its streams were drained or cut."""

log = logging.getLogger(__name__)


class ProcessControl:
    """What a running ``serve`` and the process around it say to each other."""

    def __init__(
        self,
        unit: Unit,
        instance: Instance,
        config: Config,
        notifier: systemd.Notifier,
        load: Callable[[], Loaded],
        *,
        verbose: bool = False,
    ) -> None:
        """``load()`` reads the configuration again; ``verbose``: the log level is not the configuration's."""
        self.unit = unit
        self.notifier = notifier
        self.stopping = asyncio.Event()
        """Set by the first SIGTERM or SIGINT."""
        self.routes: dict[str, Route] = {STATUS: self._answer_status, RELOAD: self._answer_reload}
        self.ready_event = asyncio.Event()
        self._instance = instance
        self._config = config
        self._load = load
        self._verbose = verbose
        self._uses: list[Use] = []
        self._taken: set[str] = set()
        """Of RESTART_KEYS, what a reload changes all the same."""
        self._facts: Callable[[], JsonObject] = dict
        self._state = "starting"
        self._started_at = time.time()
        self._one_reload = asyncio.Lock()
        self._next_reload: asyncio.Task[ReloadReply] | None = None
        """Waits for its turn; a burst of signals costs two reloads, not one each."""

    def ready(self) -> None:
        """Connections are served from now on. Tells systemd, or the activator, and opens the control socket."""
        self._state = "ready"
        self.notifier.ready(self._state)
        self.ready_event.set()

    def status(self, text: str) -> None:
        """One line for people: ``systemctl status`` and ``ccproxy status`` show it."""
        self._state = text
        self.notifier.status(text)

    def on_reload(self, use: Use, *, takes: Collection[str] = ()) -> None:
        """Have ``use(config)`` called with each new configuration that loads without an error.

        Several are called in the order given, and the first to raise CcproxyError ends the reload: check first, use
        afterwards. ``takes``: those of RESTART_KEYS that this process needs no restart for.
        """
        self._uses.append(use)
        self._taken.update(takes)

    def route(self, name: str, route: Route) -> None:
        """Answer ``name``, as in ``"POST /clear"``, on the control socket."""
        self.routes[name] = route

    def describe(self, facts: Callable[[], JsonObject]) -> None:
        """Add ``facts()`` to what ``GET /status`` answers."""
        self._facts = facts

    def scrub_logs(self, scrub: Callable[[bytes], bytes]) -> None:
        """Pass every log line through ``scrub`` before it is written (``Redactor.scrub``)."""
        logs.scrub_with(scrub)

    async def reload(self) -> ReloadReply:
        """Read the configuration again and use it. A bad one is refused: the old one stays, each problem is logged.

        Waits for ``ready``: before that there is nobody to give it to. All who ask while one runs share the next one.
        """
        await self.ready_event.wait()
        if self._next_reload is None:
            # Not create_task: under mitmproxy's eager task factory it would begin before it is assigned.
            self._next_reload = asyncio.Task(self._reload_in_turn(), name="reload")
        return await asyncio.shield(self._next_reload)  # it is not only for who asked first

    async def _reload_in_turn(self) -> ReloadReply:
        async with self._one_reload:
            self._next_reload = None  # who asks from here on may have changed what is being read
            self.notifier.reloading()
            reply = await self._try_reload()
            for problem in reply.problems:
                log.log(logging.WARNING if reply.applied else logging.ERROR, "configuration: %s", problem)
            if reply.applied:
                self._state = "ready"
                log.info("configuration read again")
            else:
                self._state = f"the new configuration was refused, the old one stays: {'; '.join(reply.problems)}"
                log.error("the new configuration was refused, the old one stays")
            self.notifier.ready(self._state)
            return reply

    async def _try_reload(self) -> ReloadReply:
        try:
            loaded = await asyncio.to_thread(self._load)
            for use in self._uses:
                pending = use(loaded.config)
                if inspect.isawaitable(pending):
                    await pending
        except ConfigError as error:
            return ReloadReply(applied=False, problems=tuple(map(str, error.problems)))
        except CcproxyError as error:
            return ReloadReply(applied=False, problems=(str(error),))
        except Exception as error:  # the edge of a reload: whatever went wrong, the process goes on as it was
            log.exception("reload failed")
            return ReloadReply(applied=False, problems=(f"{type(error).__name__}; the log says more",))
        if not self._verbose:
            logs.set_level(loaded.config.log_level)
        later = [key for key in changed_keys(self._config, loaded.config) if key not in self._taken]
        return ReloadReply(
            applied=True,
            problems=(*map(str, loaded.warnings), *(f"{key}: the new value is used after a restart" for key in later)),
        )

    async def _answer_reload(self, _: JsonObject) -> JsonObject:
        reply = await self.reload()
        if reply.applied:
            for unit in UNIT_SOCKETS:  # the other processes have no control socket: they reload on SIGHUP
                if unit != self.unit:
                    signal_unit(self._instance, unit, signal.SIGHUP)
        return reply.to_json()

    async def _answer_status(self, _: JsonObject) -> JsonObject:
        return StatusReply(
            unit=self.unit,
            pid=os.getpid(),
            version=__version__,
            started_at=self._started_at,
            state=self._state,
            facts=self._facts(),
        ).to_json()


def changed_keys(old: Config, new: Config) -> list[str]:
    """Those of RESTART_KEYS that differ."""
    return [key for key in RESTART_KEYS if attrgetter(key)(old) != attrgetter(key)(new)]


def run_process(
    unit: Unit,
    serve: Serve,
    *,
    config_flag: str | None = None,
    verbose: bool = False,
    environ: MutableMapping[str, str] = os.environ,
    sockets: Sockets | None = None,
) -> int:
    """Run one process of the instance until it is told to stop; the exit status.

    ``sockets`` are those of systemd or of the activator, unless given. Raises ConfigError, with every problem, and
    CcproxyError when it was started without sockets or when the instance already has this process.
    """
    from ccproxy.config.load import load  # noqa: PLC0415 - pydantic, which the clients of this package spare

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # one that comes before the handler waits for it
    follow_parent(environ)
    forbid_core_dumps()
    notifier = systemd.Notifier.take(environ)
    watchdog_s = systemd.watchdog_interval(environ, os.getpid())
    adopted = sockets if sockets is not None else systemd.listen_fds(environ, os.getpid())
    settings = dict(environ)
    try:
        instance = find_instance(config_flag, settings)
        loaded = load(instance, settings)
        required = UNIT_SOCKETS[unit][0]
        if required not in adopted:
            raise CcproxyError(
                f"`ccproxy {unit}` was given no socket named {required!r}: systemd starts it, or `ccproxy start` does. "
                "Run `ccproxy start`."
            )
        config = loaded.config
        destination = logs.set_up(
            level=config.log_level,
            path=config.log_file,
            identifier=config.journal_identifier or instance.name,
            use_journal=config.use_journal,
            verbose=verbose,
            environ=settings,
        )
        lock = Lock.take(instance, unit, sockets=describe_sockets(adopted), log=destination)
    except ConfigError as error:
        notifier.refused(errno.EINVAL, "; ".join(map(str, error.problems)))
        raise
    except CcproxyError as error:
        notifier.refused(errno.EBUSY, str(error))
        raise
    for warning in loaded.warnings:
        log.warning("configuration: %s", warning)
    with lock:
        control = ProcessControl(unit, instance, config, notifier, lambda: load(instance, settings), verbose=verbose)

        async def body() -> None:
            await serve(adopted, config, instance, control)

        patience_s = config.shutdown_timeout_s + STOP_MARGIN_S
        return asyncio.run(_supervise(body, control, adopted.get("control", ()), watchdog_s, patience_s))


async def _supervise(
    serve: Callable[[], Coroutine[object, object, None]],
    control: ProcessControl,
    control_sockets: Sequence[socket.socket],
    watchdog_s: float | None,
    patience_s: float,
) -> int:
    """``serve`` with its signals, its watchdog and its control socket around it."""
    loop = asyncio.get_running_loop()
    hurry = asyncio.Event()
    background: set[asyncio.Task[object]] = set()

    def stop() -> None:
        (hurry if control.stopping.is_set() else control.stopping).set()

    def reload() -> None:
        task: asyncio.Task[object] = loop.create_task(control.reload())
        background.add(task)
        task.add_done_callback(background.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    serving = asyncio.create_task(serve(), name=f"ccproxy {control.unit}")
    stopped = asyncio.create_task(control.stopping.wait())
    background.add(asyncio.create_task(_serve_control(control, control_sockets), name="control socket"))
    if watchdog_s is not None:
        background.add(asyncio.create_task(systemd.watchdog(control.notifier, watchdog_s)))
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        control.notifier.stopping()
        if control.stopping.is_set():
            log.info("stopping")
        if not serving.done():
            await _end(serving, patience_s, hurry)
        return _outcome(serving, control)
    finally:
        for task in (stopped, *background):
            task.cancel()
        ended = await asyncio.gather(stopped, *background, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                log.error("beside %s", control.unit, exc_info=error)


async def _serve_control(control: ProcessControl, listening: Sequence[socket.socket]) -> None:
    """Serve the control socket from READY until cancelled; what connects earlier waits in the socket."""
    if not listening:
        return
    from ccproxy.control.server import ControlServer  # noqa: PLC0415 - tornado, only where there is such a socket

    await control.ready_event.wait()
    server = ControlServer(control.routes)
    server.adopt(listening)
    try:
        await asyncio.Event().wait()
    finally:
        await server.close()


async def _end(serving: asyncio.Task[None], patience_s: float, hurry: asyncio.Event) -> None:
    """Wait until ``serve`` has drained; cancel it when patience ends or a second signal comes."""
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({serving, hurried}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not serving.done():
        log.warning("not drained in time: ending now")
        serving.cancel()
        await asyncio.wait({serving}, timeout=STOP_MARGIN_S)


def _outcome(serving: asyncio.Task[None], control: ProcessControl) -> int:
    """The exit status: 0 after a stop signal, 1 when ``serve`` failed or came back unasked."""
    if not serving.done() or serving.cancelled():
        return 0 if control.stopping.is_set() else 1
    error = serving.exception()
    match error:
        case None if control.stopping.is_set():
            return 0
        case None:
            log.critical("%s ended without being asked to", control.unit)
        case ConfigError():
            for problem in error.problems:
                log.critical("configuration: %s", problem)
            control.notifier.refused(errno.EINVAL, str(error))
        case CcproxyError():
            log.critical("%s", error)
        case _:
            log.critical("%s failed", control.unit, exc_info=error)
    return 1
