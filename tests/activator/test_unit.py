"""The life of a process, with a clock on paper."""

from __future__ import annotations

import pytest

from ccproxy.activator.unit import GIVE_UP_AFTER, LONGEST_PAUSE_S, Unit, read_notification


def crash(unit: Unit, now: float, lived: float = 0.5) -> float:
    unit.started(4711, now)
    unit.died(now + lived, in_order=False)
    return now + lived


def test_it_waits_for_a_connection_unless_it_is_eager() -> None:
    assert not Unit("mcp").wants_start(0.0, waiting=False)
    assert Unit("mcp").wants_start(0.0, waiting=True)
    assert Unit("listener", eager=True).wants_start(0.0, waiting=False)


def test_it_is_not_started_twice() -> None:
    unit = Unit("listener", eager=True)
    unit.started(4711, 0.0)
    assert not unit.wants_start(1.0, waiting=True)


def test_after_the_first_crash_connections_are_served_at_once_then_it_slows_down() -> None:
    unit, now, pauses = Unit("mcp"), 0.0, []
    unit.started(1, now)
    unit.became_ready()
    unit.died(now, in_order=False)
    for _ in range(9):
        pauses.append(round(unit.not_before - now, 3))
        now = unit.not_before
        assert unit.wants_start(now, waiting=True)
        unit.started(1, now)
        unit.became_ready()
        unit.died(now, in_order=False)
    assert pauses == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert not unit.failed


def test_a_long_life_pays_the_debts() -> None:
    unit, now = Unit("mcp"), 0.0
    for _ in range(3):
        now = crash(unit, now)
    assert unit.not_before > now
    now = crash(unit, unit.not_before, lived=11.0)
    assert unit.not_before == now
    assert unit.early_deaths == 0


def test_it_is_given_up_after_five_early_deaths_in_a_row() -> None:
    unit, now = Unit("mcp"), 0.0
    for count in range(1, GIVE_UP_AFTER + 1):
        now = max(crash(unit, now), unit.not_before)
        assert unit.failed == (count == GIVE_UP_AFTER)
    assert not unit.wants_start(now + 1e6, waiting=True)
    unit.revive()
    assert unit.wants_start(now, waiting=True)


def test_one_that_served_in_between_is_not_given_up() -> None:
    unit, now = Unit("mcp"), 0.0
    for count in range(3 * GIVE_UP_AFTER):
        unit.started(1, now)
        if count % GIVE_UP_AFTER == 2:
            unit.became_ready()
        unit.died(now + 0.1, in_order=False)
        now = max(now + 0.1, unit.not_before)
    assert not unit.failed


def test_an_end_in_order_costs_nothing() -> None:
    unit = Unit("mcp")
    for _ in range(20):
        unit.started(1, 0.0)
        unit.became_ready()
        unit.died(0.1, in_order=True)
    assert unit.wants_start(0.1, waiting=True)


def test_a_refused_configuration_is_not_tried_again() -> None:
    unit = Unit("listener", eager=True)
    unit.started(1, 0.0)
    assert not read_notification(unit, b"ERRNO=22\nSTATUS=hooks: no")
    unit.died(0.2, in_order=False)
    assert unit.failed
    assert unit.status == "hooks: no"


def test_a_running_process_that_refuses_a_reload_is_not_given_up() -> None:
    unit = Unit("listener")
    unit.started(1, 0.0)
    assert read_notification(unit, b"READY=1\nSTATUS=ready")
    unit.became_ready()
    read_notification(unit, b"ERRNO=22")
    unit.died(60.0, in_order=False)
    assert not unit.failed


def test_a_reload_that_came_too_early_is_passed_on_once() -> None:
    unit = Unit("mcp")
    unit.started(1, 0.0)
    unit.reload_at_ready = True
    assert unit.became_ready()
    assert not unit.became_ready()


@pytest.mark.parametrize("datagram", [b"", b"\xff\xfe", b"READY", b"WATCHDOG=1\nX_Y=1"])
def test_strange_notifications_change_nothing(datagram: bytes) -> None:
    unit = Unit("mcp")
    unit.ready = True
    assert not read_notification(unit, datagram)
    assert unit == Unit("mcp", ready=True)
