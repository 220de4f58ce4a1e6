from events.policy import Backoff, Limits


def test_each_time_out_is_shorter_than_the_one_around_it() -> None:
    limits = Limits(lease=30)
    assert limits.lock < limits.transaction < limits.soft < limits.hard < limits.lease


def test_back_off_doubles_up_to_its_longest_and_is_never_zero() -> None:
    backoff = Backoff(first=1, longest=10)
    for failures, ceiling in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10), (5000, 10)]:
        delays = [backoff.delay(failures) for _ in range(200)]
        assert ceiling / 10 <= min(delays)
        assert ceiling / 2 < max(delays) <= ceiling
