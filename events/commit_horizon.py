"""Up to which moment all that was written can be read: for what must be exact as of then, without a snapshot.

Whoever writes a time commits after it, in a transaction that began before it (now(), clock_timestamp()). So once no
transaction is open that began before a moment, every row with an earlier time is there to be seen, and none with an
earlier time can still appear. All processes sign in as one role: of others' transactions PostgreSQL would not tell.
"""

import logging
import time
from collections.abc import Iterator
from datetime import datetime

from events.policy import default_limits
from events.sql import fetch

logger = logging.getLogger(__name__)

LOOK = 0.25  # seconds between two looks whether a moment is settled
MARGIN = 1.0  # seconds between the beginning of a transaction and when pg_stat_activity tells of it, at the very most

# Whoever else may have a transaction open, for a FROM.
OTHERS = """pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""


def now() -> datetime:
    """Return the time of PostgreSQL's clock, which is that of all that is written."""
    moment: datetime = fetch("SELECT clock_timestamp()", {})[0][0]
    return moment


def longest_transaction() -> float:
    """Return the seconds after which an open transaction is no writer of ours, but a pg_dump, say.

    None of ours lives for 60 (docs/limits.md), or, with a long lease, for that of a handler.
    """
    return max(65.0, default_limits().transaction + MARGIN)


def is_settled(moment: datetime) -> bool:
    """Tell whether all with a time before this moment is committed: at the latest longest_transaction() after it."""
    parameters = {"moment": moment, "margin": MARGIN, "longest": longest_transaction()}
    return bool(fetch(_IS_SETTLED, parameters)[0][0])


def until_settled(moment: datetime) -> Iterator[None]:
    """Yield every LOOK seconds until a moment that has just been is settled.

    That takes longest_transaction() at most, by the clock of this process: where PostgreSQL's has stepped back, the
    moment would else be waited for until it comes again.
    """
    last = time.monotonic() + longest_transaction() + MARGIN
    while not is_settled(moment):
        if time.monotonic() > last:
            logger.warning("PostgreSQL's clock has stepped back: %s is taken for settled", moment)
            return
        yield
        time.sleep(LOOK)


_IS_SETTLED = f"""
SELECT clock_timestamp() > %(moment)s::timestamptz + make_interval(secs => %(margin)s) AND NOT EXISTS (
    SELECT 1 FROM {OTHERS}
      AND xact_start < %(moment)s::timestamptz
      AND xact_start > clock_timestamp() - make_interval(secs => %(longest)s))
"""
