"""How long deliveries gather."""

import pytest

from events.relaying.pacing import BUSY, LONGEST, Pace

TICK = 0.01  # seconds from one look of the relay to the next


class Clock:
    """Seconds, by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(rate: float, *, seconds: float = 10) -> list[float]:
    """Have deliveries come at this rate, looked for every 10 ms; return how long each waited."""
    clock = Clock()
    pace = Pace("sorting", clock)
    came: list[float] = []
    waited: list[float] = []
    while clock.now < seconds:
        clock.now += TICK
        came += [clock.now] * (int(clock.now * rate) - int((clock.now - TICK) * rate))
        if came and pace.next_claim() <= clock.now:
            pace.claimed(len(came))
            waited += [clock.now - since for since in came]
            came.clear()
    return waited


def test_where_few_come_each_goes_at_once() -> None:
    assert max(waits(5)) <= TICK


def test_the_more_come_the_longer_they_gather_up_to_the_longest() -> None:
    by_rate = [sum(found) / len(found) for found in map(waits, (5, 10, 20, 40, 80))]
    assert by_rate == sorted(by_rate)
    assert by_rate[1] < 0.03
    assert max(waits(1_000)) == pytest.approx(LONGEST, abs=2 * TICK)


def test_two_that_come_together_by_chance_delay_the_next_by_little() -> None:
    clock = Clock()
    pace = Pace("sorting", clock)
    for clock.now in (100.0, 100.01):
        pace.claimed(1)
    clock.now += TICK
    assert pace.next_claim() <= clock.now


def test_after_a_burst_nothing_waits_for_longer_than_the_longest() -> None:
    clock = Clock()
    pace = Pace("sorting", clock)
    for number in range(100):
        clock.now = number * 0.1
        pace.claimed(50)
    assert pace.next_claim() == pytest.approx(clock.now + LONGEST, abs=0.01)


def test_behind_messages_that_nobody_has_begun_more_gather() -> None:
    clock = Clock()
    pace = Pace("sorting", clock)
    clock.now = 100.0
    pace.claimed(1)
    assert pace.next_claim() < clock.now + TICK
    assert pace.next_claim(busy=True) == pytest.approx(clock.now + BUSY)
