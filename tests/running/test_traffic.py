"""The limiter and the breaker, on a simulated clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from traffic_simulation import Simulation

from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.running.traffic import MOST_HISTORY, Ticket, Traffic


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ticket(traffic: Traffic, tokens: float = 500.0) -> Ticket:
    found = traffic.admit(tokens)
    assert isinstance(found, Ticket)
    return found


def begun(clock: Clock, **settings: object) -> Traffic:
    """A traffic whose pilot has come back after a second."""
    traffic = Traffic(clock=clock, **settings)  # type: ignore[arg-type]
    pilot = ticket(traffic)
    clock.now += 1.0
    traffic.told(pilot, Reply("pass"))
    return traffic


def test_the_first_call_goes_alone() -> None:
    clock = Clock()
    traffic = Traffic(clock=clock)
    pilot = ticket(traffic)
    assert isinstance(traffic.admit(1), float)
    clock.now += 0.2
    traffic.told(pilot, Reply("pass"))
    assert traffic.answered
    ticket(traffic)


@pytest.mark.parametrize(("latency", "workers"), [(0.2, 256), (1.0, 256), (10.0, 64)])
def test_a_service_without_a_quota_is_used_to_the_full(latency: float, workers: int) -> None:
    simulation = Simulation(latency=latency, workers=workers, calls=10_000)
    seconds = simulation.run()
    assert 10_000 / workers * latency / seconds > 0.9
    assert simulation.refused == 0


@pytest.mark.parametrize("calls", [600, 5000])
@pytest.mark.parametrize("burst", [0.2, 1.0, 5.0])
@pytest.mark.parametrize(("latency", "refusal"), [(0.02, 0.002), (0.2, 0.005), (0.2, 0.02), (2.0, 0.05)])
def test_a_quota_is_found_with_little_waste(calls: int, burst: float, latency: float, refusal: float) -> None:
    simulation = Simulation(50, burst, latency, refusal, workers=200, calls=calls)
    seconds = simulation.run()
    # A bucket that holds 5 s of sending hides its quota until it is empty; then much is on its way.
    assert simulation.wasted < (0.03 if calls == 5000 or burst < 5 else 0.08)
    if calls == 5000:
        assert calls / 50 / seconds > 0.9, "the quota is used"


def test_a_given_rate_is_never_passed_and_wastes_nothing() -> None:
    simulation = Simulation(50, calls=3000, settings={"rpm": 2900})
    seconds = simulation.run()
    assert simulation.refused == 0
    assert 3000 / seconds < 2900 / 60 * 1.01
    assert 3000 / seconds > 2900 / 60 * 0.95


def test_tokens_a_minute_hold_back_as_requests_do() -> None:
    simulation = Simulation(calls=1000, settings={"tpm": 60 * 500 * 20})  # 20 calls of 500 tokens a second
    assert 1000 / simulation.run() == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize("latency", [0.2, 5.0])
@pytest.mark.parametrize("usage", [500, 880, 1500])
def test_tokens_a_minute_are_held_where_replies_take_more_than_expected(latency: float, usage: int) -> None:
    """500 are expected of each. (105,840 and 179,400 in a minute at 60,000 before.) Until the first replies are back, for
    `latency` seconds, nobody knows."""
    simulation = Simulation(calls=400, latency=latency, usage=usage, settings={"tpm": 60_000})
    simulation.run()
    times = simulation.served
    most = max(sum(start <= one < start + 60 for one in times) for start in times) * usage
    assert most <= 60_000 + 1000 * latency * (usage / 500 - 1) + 3 * usage
    assert sum(60 <= one < 180 for one in times) * usage > 0.9 * 2 * 60_000, "and used"


def test_a_quota_by_fixed_minutes_is_used_in_each_of_them() -> None:
    simulation = Simulation(50, latency=0.5, calls=6000, window=60)
    assert simulation.run() < 200
    assert simulation.wasted < 0.03


def test_faults_that_are_no_throttling_do_not_slow_down() -> None:
    simulation = Simulation(calls=5000, workers=256, faults=0.3)
    ideal = 5000 / 0.7 / 256 * 0.2
    assert simulation.run() < 1.4 * ideal, "slow start grows by what comes back"
    assert "throttled" not in {entry["why"] for entry in simulation.traffic.history}


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_a_service_that_throttles_at_any_rate_does_not_bring_the_run_to_a_halt(share: float) -> None:
    simulation = Simulation(calls=5000, noise=share)
    assert simulation.run() < 2.5 * 5000 / 64 * 0.2
    assert "throttled at any rate" in {entry["why"] for entry in simulation.traffic.history}


def test_a_quota_is_found_behind_throttling_at_any_rate() -> None:
    simulation = Simulation(50, calls=5000, noise=0.1)
    assert 5000 / 50 / simulation.run() > 0.7
    assert simulation.wasted < 0.15


def test_what_one_command_found_the_next_begins_with() -> None:
    first = Simulation(50, calls=2000)
    first.run()
    second = Simulation(50, calls=600, settings={"known": first.traffic.found()})
    seconds = second.run()
    assert second.refused < 10
    assert 600 / seconds > 40


def test_the_history_of_the_rate_is_kept_and_stays_short() -> None:
    simulation = Simulation(20, burst=0.2, calls=20_000)
    simulation.run()
    history = simulation.traffic.history
    assert 10 < len(history) <= MOST_HISTORY
    assert history[0]["why"] == "start"
    assert [entry["at"] for entry in history] == sorted(entry["at"] for entry in history)


def test_retry_after_holds_back_everybody_where_all_are_refused() -> None:
    clock = Clock()
    traffic = begun(clock)
    tickets = [ticket(traffic) for _ in range(4)]
    busy = CallError("throttled", "busy", retry=True, retry_after=7)
    for refused in tickets[:3]:
        traffic.told(refused, busy)
    clock.now += 1
    ticket(traffic)
    traffic.told(tickets[3], busy)
    assert traffic.admit(1) == pytest.approx(7, abs=0.1)


def served(simulation: Simulation, start: float, end: float) -> float:
    """Replies a second between two times."""
    return sum(start <= one < end for one in simulation.served) / (end - start)


@pytest.mark.parametrize(("latency", "workers"), [(0.05, 64), (0.2, 64), (1.0, 256)])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_after_a_spell_of_refusals_the_services_rate_is_regained(
    latency: float, workers: int, retry_after: float | None
) -> None:
    """Within 20 s of its end, and the next command does not know of it. (375 s for 2,000 calls that take 2.5 s before.)"""
    full = workers / latency
    simulation = Simulation(
        latency=latency, workers=workers, calls=int(30 * full), spells=((5, 35),), retry_after=retry_after
    )
    simulation.run()
    assert served(simulation, 54, 56) > 0.9 * full
    following = Simulation(
        latency=latency, workers=workers, calls=int(5 * full), settings={"known": simulation.traffic.found()}
    )
    assert following.run() < 9


def test_after_two_spells_and_behind_a_quota_too() -> None:
    simulation = Simulation(calls=15_000, spells=((5, 20), (25, 40)))
    simulation.run()
    assert served(simulation, 55, 60) > 0.9 * 64 / 0.2
    simulation = Simulation(50, calls=4000, spells=((20, 50),))
    simulation.run()
    assert served(simulation, 65, 70) > 0.8 * 50
    assert simulation.wasted < 0.03


def test_a_limit_that_was_raised_is_found() -> None:
    simulation = Simulation(calls=10_000, settings={"known": {"requests_a_minute": 600.0}})  # a thirty-second part
    assert simulation.run() < 31.25 + 30


@pytest.mark.parametrize("workers", [64, 256])
def test_single_refusals_that_ask_to_wait_hold_back_their_own_call(workers: int) -> None:
    """(109 s against 28 s before.)"""
    without = Simulation(calls=5000, noise=0.1, workers=workers)
    asked = Simulation(calls=5000, noise=0.1, workers=workers, retry_after=1.0)
    assert asked.run() < 1.5 * without.run()


def test_who_asks_to_wait_for_a_day_ends_the_run() -> None:
    traffic = begun(Clock())
    traffic.told(ticket(traffic), CallError("throttled", "daily quota", retry=True, retry_after=86400))
    assert traffic.over is not None and "daily quota" in traffic.over


def fault() -> CallError:
    return CallError("call", "connection refused", retry=True)


def fail(traffic: Traffic, clock: Clock, times: int) -> None:
    for _ in range(times):
        clock.now += 0.05
        traffic.told(ticket(traffic), fault())


def test_ten_faults_in_a_row_open_the_breaker_and_one_success_closes_it() -> None:
    clock = Clock()
    traffic = begun(clock)
    fail(traffic, clock, 10)
    assert isinstance(traffic.admit(1), float)
    clock.now += 1.1
    probe = ticket(traffic)
    assert isinstance(traffic.admit(1), float), "one probe at a time"
    traffic.told(probe, Reply("pass"))
    ticket(traffic)
    clock.now += 1
    ticket(traffic)
    assert [entry["why"] for entry in traffic.history][-1] == "answers again"


def test_one_call_that_fails_again_and_again_is_one_fault() -> None:
    clock = Clock()
    traffic = begun(clock)
    for _ in range(50):
        clock.now += 0.05
        found = traffic.admit(1, "always empty")
        assert isinstance(found, Ticket)
        traffic.told(found, fault())
    ticket(traffic)
    ticket(traffic)


def test_where_an_answered_request_is_known_it_is_the_probe_and_tells_a_dead_service_from_bad_samples() -> None:
    clock = Clock()
    traffic = begun(clock)
    traffic.vouched = True
    fail(traffic, clock, 10)
    assert isinstance(traffic.admit(1), float) and traffic.wants_probe
    probe = traffic.admit(1, probe=True)
    assert isinstance(probe, Ticket) and not traffic.wants_probe
    traffic.told(probe, Reply("pass"))
    fail(traffic, clock, 19)
    assert not traffic.wants_probe, "the samples are at fault: the next suspicion takes twice as many"
    fail(traffic, clock, 1)
    assert traffic.wants_probe
    probe = traffic.admit(1, probe=True)
    assert isinstance(probe, Ticket)
    traffic.told(probe, fault())
    assert isinstance(traffic.admit(1), float) and not traffic.wants_probe, "it is down, and probed again in a while"
    clock.now += 1.1
    assert traffic.wants_probe


def test_until_somebody_answers_more_samples_are_tried_after_each_fault_and_each_ten_seconds() -> None:
    clock = Clock()
    traffic = Traffic(clock=clock)
    first = ticket(traffic)
    assert isinstance(traffic.admit(1), float)
    clock.now += 10
    ticket(traffic)
    assert isinstance(traffic.admit(1), float)
    traffic.told(first, fault())
    ticket(traffic)
    clock.now += 100
    assert traffic.scouts == 5


def test_probes_come_more_and_more_rarely_and_silence_ends_the_run() -> None:
    clock = Clock()
    traffic = begun(clock, patience=100)
    fail(traffic, clock, 10)
    probes = []
    while traffic.over is None:
        found = traffic.admit(1)
        if isinstance(found, Ticket):
            probes.append(clock.now)
            clock.now += 0.01
            traffic.told(found, fault())
        else:
            clock.now += found
    gaps = [later - sooner for sooner, later in pairwise(probes)]
    assert gaps[:3] == pytest.approx([2, 4, 8], abs=0.2)
    assert max(gaps) <= 31
    assert "connection refused" in traffic.over
    assert 100 < clock.now < 140


def test_throttling_never_opens_the_breaker() -> None:
    clock = Clock()
    traffic = begun(clock)
    for _ in range(50):
        while not isinstance(found := traffic.admit(1), Ticket):
            clock.now += found
        traffic.told(found, CallError("throttled", "busy", retry=True))
    assert {entry["why"] for entry in traffic.history} == {"start", "throttled"}
