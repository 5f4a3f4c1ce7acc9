"""A machine that sleeps or stands still in mid-run: calls in flight are tried again, and no patience is used up."""

from __future__ import annotations

import pytest

from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.retry import Attempt, Enter, Pause, Policy
from rftj_cli.running.traffic import Ticket, Traffic

PAUSE = 330.0  # seconds


class Machine:
    """Its monotonic clock and its wall clock."""

    def __init__(self) -> None:
        self.now, self.wall = 0.0, 1e9

    def go(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def sleep(self, *, stopped: bool) -> None:
        """The wall clock goes on; the monotonic one only in a process that is stopped."""
        self.wall += PAUSE
        self.now += PAUSE * stopped


def begun(machine: Machine) -> Traffic:
    traffic = Traffic(clock=lambda: machine.now, wall=lambda: machine.wall)
    pilot = traffic.admit(1)
    assert isinstance(pilot, Ticket)
    machine.go(1)
    traffic.beat()
    traffic.told(pilot, Reply("pass"))
    return traffic


def lost() -> CallError:
    return CallError("timeout", "no answer in 30 s", retry=True)


@pytest.mark.parametrize("stopped", [False, True])
def test_what_was_in_flight_in_a_pause_is_no_fault(stopped: bool) -> None:
    machine = Machine()
    traffic = begun(machine)
    tickets: list[Ticket] = []
    while len(tickets) < 20:
        machine.go(0.1)
        traffic.beat()
        if isinstance(found := traffic.admit(1), Ticket):
            tickets.append(found)
    machine.sleep(stopped=stopped)
    errors = [lost() for _ in tickets]
    for ticket, error in zip(tickets, errors, strict=True):
        machine.go(5)  # the connections are found dead one by one
        traffic.told(ticket, error)
        traffic.beat()
    assert all(error.paused and error.excused for error in errors)
    assert traffic.over is None and isinstance(traffic.admit(1), Ticket)
    assert not any("no answer" in entry["why"] for entry in traffic.history)


def test_a_call_that_began_after_the_pause_has_its_own_faults() -> None:
    machine = Machine()
    traffic = begun(machine)
    machine.sleep(stopped=True)
    traffic.beat()
    machine.go(1)
    ticket, error = traffic.admit(1), lost()
    assert isinstance(ticket, Ticket)
    traffic.told(ticket, error)
    assert not error.paused


def test_a_long_call_is_no_pause_to_a_thread_that_waits_for_it() -> None:
    machine = Machine()
    traffic = Traffic(clock=lambda: machine.now, wall=lambda: machine.wall)
    ticket, error = traffic.admit(1), lost()
    assert isinstance(ticket, Ticket)
    machine.go(PAUSE)
    traffic.told(ticket, error)
    assert not error.paused


def test_the_deadline_of_a_call_starts_anew() -> None:
    now = [0.0]
    steps = Policy(attempts=2, deadline=60, clock=lambda: now[0], random=lambda: 0.0).steps()
    assert isinstance(next(steps), Enter)
    for _ in range(5):  # even several times
        assert isinstance(attempt := steps.send(None), Attempt) and attempt.seconds == 60
        now[0] += PAUSE
        error = lost()
        error.excused = error.paused = True
        assert isinstance(steps.send(error), Pause) and isinstance(steps.send(None), Enter)
    with pytest.raises(StopIteration):
        steps.send(None)
        steps.send(Reply("pass"))
