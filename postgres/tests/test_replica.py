"""How far behind a replica is. With a real one: tests/journeys/test_with_a_replica.py."""

import time

from postgres.replica import Lag


def test_what_was_found_grows_old_while_another_thread_looks() -> None:
    lag = Lag()
    lag._has = time.monotonic() - 100
    with lag._lock:
        assert lag.seconds() >= 100
