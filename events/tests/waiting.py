"""Waiting for a condition, the only way in which tests wait."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds from one look to the next: short at first, for what is about to happen; then a fiftieth of the time that has
# passed. A look costs the processor that the awaited work needs too: for one that costs much, give its own `pause`.
SHORTEST, LONGEST, SHARE = 0.01, 0.25, 1 / 50


def until(what: str, probe: Callable[[], T], *, seconds: float = 20, pause: float | None = None) -> T:
    """Return the first truthy answer of the probe; fail with what was awaited and what was last seen."""
    start = time.monotonic()
    while True:
        seen = probe()
        if seen:
            return seen
        waited = time.monotonic() - start
        if waited > seconds:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {seen!r}")
        time.sleep(pause or min(max(SHORTEST, waited * SHARE), LONGEST))
