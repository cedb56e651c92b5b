"""One process's life, decided without a clock or a process: when to start it, when again, when to give it up.

::

            connection waits, or eager                 READY
    idle ───────────────────────────────▶ starting ───────────▶ ready
     ▲                                       │                    │
     └────── pause: 0, 0.1, 0.2 … 5 s ◀──────┴──── dies ──────────┘
                                             │
                                             └─ refused its configuration, or 5 times in a row
                                                died within 10 s and before READY ──▶ failed

The first death costs no pause: the connections that wait are served at once. A process that lived for 10 s has paid
its debts. ``failed`` is left by ``revive`` (a reload: the configuration may be better now).

>>> unit = Unit("mcp"); unit.wants_start(now=0.0, waiting=True)
True
>>> unit.started(4711, now=0.0); unit.died(now=0.5, in_order=False); unit.failed, unit.not_before
(False, 0.5)
"""

from __future__ import annotations

from dataclasses import dataclass

GIVE_UP_AFTER = 5
"""Deaths in a row, each before READY and within EARLY_S."""
EARLY_S = 10.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


@dataclass(slots=True)
class Unit:
    """Times are those of a monotonic clock, in seconds."""

    name: str
    eager: bool = False
    """Started without a connection: the listener, whose web UI is expected after a start."""
    pid: int | None = None
    ready: bool = False
    status: str = ""
    """What it said last of itself."""
    failed: bool = False
    refused: bool = False
    """It said that it would refuse its configuration again."""
    reload_at_ready: bool = False
    """A reload came before it could take one."""
    not_before: float = 0.0
    """It is not started earlier than this."""
    early_deaths: int = 0
    short_lives: int = 0
    _started_at: float = 0.0

    @property
    def idle(self) -> bool:
        """Neither running nor given up."""
        return self.pid is None and not self.failed

    def wants_start(self, now: float, *, waiting: bool) -> bool:
        """Whether it is to be started now; ``waiting``: a connection waits."""
        return self.idle and (waiting or self.eager) and now >= self.not_before

    def started(self, pid: int, now: float) -> None:
        self.pid = pid
        self.ready = False
        self.refused = False
        self.status = ""
        self._started_at = now

    def became_ready(self) -> bool:
        """It serves. Returns whether a reload waits for it."""
        self.ready = True
        self.early_deaths = 0
        reload, self.reload_at_ready = self.reload_at_ready, False
        return reload

    def died(self, now: float, *, in_order: bool) -> None:
        """It has ended; ``in_order``: with status 0, because somebody told it to."""
        early = now - self._started_at < EARLY_S
        self.pid = None
        self.reload_at_ready = False  # the next one reads the new configuration anyway
        if in_order:
            self.short_lives = 0
        else:
            self.short_lives = self.short_lives + 1 if early else 1
            self.early_deaths = self.early_deaths + 1 if early and not self.ready else 0
        pause = 0.0 if self.short_lives <= 1 else min(FIRST_PAUSE_S * 2 ** (self.short_lives - 2), LONGEST_PAUSE_S)
        self.not_before = now + pause
        self.failed = self.refused or self.early_deaths >= GIVE_UP_AFTER
        self.ready = False

    def revive(self) -> None:
        """Try again what was given up."""
        self.failed = False
        self.refused = False
        self.early_deaths = self.short_lives = 0
        self.not_before = 0.0


def read_notification(unit: Unit, datagram: bytes) -> bool:
    """Take in one sd_notify(3) datagram; whether it was the first READY of this process."""
    first_ready = False
    for line in datagram.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        match key:
            case "READY":
                first_ready = not unit.ready
            case "STATUS":
                unit.status = value
            case "ERRNO":
                unit.refused = not unit.ready
            case _:
                pass
    return first_ready
