"""The activator's one loop: sockets of processes that are away, signals, notifications, output, pauses.

Nothing in it waits for anybody: not for who reads its standard error, to which it passes on that of the processes.

A socket is watched only while its process is away and not in a pause, so the loop sleeps while everything runs.

==================  ================================================================================================
signal              effect
==================  ================================================================================================
SIGTERM, SIGINT     passed on as SIGTERM; what has not ended in time is killed; then 0. A second one is passed on, too
SIGHUP              passed on: reload. What was given up is tried again. When it comes because the terminal has been
                    closed, it means SIGTERM
SIGCHLD             a process has ended
==================  ================================================================================================
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from ccproxy.activator.process import Process
from ccproxy.control.lock import Lock
from ccproxy.outlet import Outlet

STOP_MARGIN_S = 12.0
"""Beyond ``shutdown_timeout_s`` before SIGKILL: a process cancels what is left by itself within ten seconds."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

log = logging.getLogger("ccproxy.activator")

type Bound = Sequence[tuple[str, socket.socket]]


class Activator:
    """Runs until it is told to stop, or until a process without which it is of no use cannot be started."""

    def __init__(
        self,
        processes: Iterable[Process],
        *,
        lock: Lock,
        outlet: Outlet,
        bind: Callable[[str], Bound],
        environ: Mapping[str, str],
        shutdown_timeout_s: float,
        on_ready: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``bind(unit)`` makes a unit's sockets; ``on_ready()`` is called once, when every eager unit is READY.

        ``outlet`` is what the processes' output and the activator's log go to; the loop empties it.
        """
        self._processes = tuple(processes)
        self._lock = lock
        self._outlet = outlet
        self._watching_outlet = False
        self._bind = bind
        self._environ = environ
        self._patience_s = shutdown_timeout_s + STOP_MARGIN_S
        self._on_ready = on_ready
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._kill_at: float | None = None
        self._announced = False
        self._exit_status: int | None = None
        self._had_terminal = sys.stdin is not None and sys.stdin.isatty()

    def run(self) -> int:
        """The exit status."""
        # A signal interrupts `select` by a byte with its number in this pair, signal.set_wakeup_fd.
        ours, python = socket.socketpair()
        for end in (ours, python):
            end.setblocking(False)
        signal.set_wakeup_fd(python.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        self._selector.register(ours, selectors.EVENT_READ, partial(self._take_signals, ours))
        for process in self._processes:
            self._selector.register(process.notify, selectors.EVENT_READ, partial(self._take_notifications, process))
        try:
            for process in self._processes:
                process.sockets.extend(self._bind(process.unit.name))
            while self._exit_status is None:
                self._start_what_is_due()
                self._watch_outlet()
                for key, _ in self._selector.select(self._until_next()):
                    key.data()
            return self._exit_status
        finally:
            for process in self._processes:
                process.send(signal.SIGKILL)
                process.close()
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            ours.close()
            python.close()

    @property
    def _stopping(self) -> bool:
        return self._kill_at is not None

    def _until_next(self) -> float | None:
        """Seconds until something is due by time alone."""
        if self._kill_at is not None:
            return max(0.0, self._kill_at - self._clock())
        pauses = [process.unit.not_before for process in self._processes if process.unit.idle]
        later = [at - self._clock() for at in pauses if at > self._clock()]
        return max(0.0, min(later)) if later else None

    def _start_what_is_due(self) -> None:
        now = self._clock()
        if self._kill_at is not None:
            if now >= self._kill_at:
                log.warning("not ended in time: killed")
                for process in self._processes:
                    process.send(signal.SIGKILL)
                self._kill_at = now + STOP_MARGIN_S
            return
        for process in self._processes:
            if process.unit.wants_start(now, waiting=False):
                self._start(process)
            else:
                self._watch(process, wanted=process.unit.wants_start(now, waiting=True))

    def _watch(self, process: Process, *, wanted: bool) -> None:
        """Start, or stop, waiting for connections."""
        registered = self._selector.get_map()
        for _, each in process.sockets:
            if wanted and each not in registered:
                self._selector.register(each, selectors.EVENT_READ, partial(self._start_for_connection, process))
            elif not wanted and each in registered:
                self._selector.unregister(each)

    def _watch_outlet(self) -> None:
        """Wait for the reader of standard error while there is something for it."""
        if self._outlet.waiting and not self._watching_outlet:
            self._selector.register(self._outlet, selectors.EVENT_WRITE, self._outlet.flush)
        elif self._watching_outlet and not self._outlet.waiting:
            self._selector.unregister(self._outlet)
        self._watching_outlet = self._outlet.waiting

    def _start_for_connection(self, process: Process) -> None:
        if not self._stopping and process.unit.wants_start(self._clock(), waiting=True):
            self._start(process)

    def _start(self, process: Process) -> None:
        self._watch(process, wanted=False)
        process.start(self._environ, self._clock())
        self._selector.register(process.output, selectors.EVENT_READ, partial(self._take_output, process))
        log.debug("%s started: pid %s", process.unit.name, process.unit.pid)

    def _take_output(self, process: Process) -> None:
        if process.output >= 0 and not process.relay_output():
            self._selector.unregister(process.output)
            process.close_output()

    def _take_notifications(self, process: Process) -> None:
        if not process.read_notifications():
            return
        log.debug("%s is ready", process.unit.name)
        if process.unit.became_ready():
            process.send(signal.SIGHUP)
        if not self._announced and all(each.unit.ready for each in self._processes if each.unit.eager):
            self._announced = True
            self._on_ready()

    def _take_signals(self, pipe: socket.socket) -> None:
        for number in pipe.recv(4096):
            match number:
                case signal.SIGCHLD:
                    self._reap()
                case signal.SIGHUP if self._had_terminal and not _has_terminal():
                    self._stop()
                case signal.SIGHUP:
                    self._reload()
                case _:
                    self._stop()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for process in self._processes:
                if process.unit.pid == pid:
                    self._bury(process, status)

    def _bury(self, process: Process, status: int) -> None:
        """A process has ended: hear its last words, and see what comes next."""
        if process.read_notifications():
            process.unit.became_ready()
        self._take_output(process)
        if process.output >= 0:  # a child of it holds on to the pipe
            self._selector.unregister(process.output)
            process.close_output()
        unit = process.unit
        pid, was_ready = unit.pid, unit.ready
        unit.died(self._clock(), in_order=status == 0)
        if self._stopping:
            self._end_if_all_have()
        elif unit.failed:
            self._give_up(process)
        elif status != 0 or not was_ready:
            log.warning("%s (pid %s) %s; it is started again %s", unit.name, pid, _how(status), _when(unit.eager))

    def _give_up(self, process: Process) -> None:
        unit = process.unit
        self._watch(process, wanted=False)
        process.refuse()
        self._lock.mark_failed(each.unit.name for each in self._processes if each.unit.failed)
        log.error("%s cannot be started%s. It said last:\n%s", unit.name, _why(unit.status), process.last_words())
        if unit.eager and not self._announced:
            self._stop(exit_status=1)
        else:
            log.error("%s stays away until `ccproxy reload` or a restart; the others go on", unit.name)

    def _reload(self) -> None:
        for process in self._processes:
            if process.unit.ready:
                process.send(signal.SIGHUP)
            elif process.unit.pid is not None:
                process.unit.reload_at_ready = True
            elif process.unit.failed:
                self._revive(process)

    def _revive(self, process: Process) -> None:
        try:
            process.listen_again()
        except OSError as error:
            log.error("%s is not tried again, its port cannot be listened on: %s", process.unit.name, error.strerror)
            process.refuse()
            return
        process.unit.revive()
        self._lock.mark_failed(each.unit.name for each in self._processes if each.unit.failed)

    def _stop(self, exit_status: int = 0) -> None:
        if not self._stopping:
            log.info("stopping")
            self._stop_status = exit_status
            self._kill_at = self._clock() + self._patience_s
            for process in self._processes:
                self._watch(process, wanted=False)
                process.close_sockets()
        for process in self._processes:
            process.send(signal.SIGTERM)
        self._end_if_all_have()

    def _end_if_all_have(self) -> None:
        if all(process.unit.pid is None for process in self._processes):
            self._exit_status = self._stop_status

    _stop_status = 0


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.waitstatus_to_exitcode(status)}"


def _why(status: str) -> str:
    return f": {status}" if status else ""


def _when(eager: bool) -> str:
    return "at once" if eager else "at the next connection"
