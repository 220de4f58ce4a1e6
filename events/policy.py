"""The bounds of a delivery as plain values: time limits, attempts, back-off."""

import random
from dataclasses import dataclass, field

from events.conf import setting


@dataclass(frozen=True)
class Limits:
    """The time-outs of one handler, in seconds, derived from its lease.

    Each is shorter than the next, so that the inner one acts first: lock < transaction < soft < hard < lease. A
    worker that is frozen in a transaction loses it (and its row locks) before anybody else may hold the delivery.

    Work outside the database may take `longest` seconds, more than a lease, which is renewed meanwhile: a lost worker
    then still costs one lease only.
    """

    lease: int
    longest: int | None = None

    @property
    def hard(self) -> float:
        """Celery kills the pool process."""
        return self.longest or self.lease * 0.8

    @property
    def soft(self) -> float:
        """Celery raises SoftTimeLimitExceeded in the handler. Every I/O time-out is shorter than this."""
        return self.hard * 0.75

    @property
    def transaction(self) -> float:
        """PostgreSQL ends the transaction (17 and newer), or a statement or an idle one (older)."""
        return self.lease * 0.4

    @property
    def lock(self) -> float:
        """PostgreSQL gives up waiting for a row lock."""
        return self.lease * 0.2


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter, in seconds.

    Full jitter spreads the retries of many deliveries that failed together:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first: float
    longest: float

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after this many failures in a row (1 or more)."""
        ceiling = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return random.uniform(ceiling / 10, ceiling)  # noqa: S311 - no secret; never zero, so never a tight loop


def default_limits() -> Limits:
    """Return the limits of a handler that declares none."""
    return Limits(setting("LEASE"))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How the deliveries of one handler are run. What is not given is as settings.EVENTS has it.

    `batch`: how many deliveries may share a message; 1 for none.
    """

    limits: Limits = field(default_factory=default_limits)
    max_attempts: int = field(default_factory=lambda: setting("MAX_ATTEMPTS"))
    backoff: Backoff = field(default_factory=lambda: Backoff(setting("BACKOFF_FIRST"), setting("BACKOFF_LONGEST")))
    batch: int = field(default_factory=lambda: setting("BATCH"))

    def __post_init__(self) -> None:
        if not (self.max_attempts and self.batch):
            raise ValueError("max_attempts and batch are 1 at least; leave them out for the settings' own")
