"""Whether the database takes writes, and the broker messages."""

from concurrent.futures import Future

from events import broker
from events.operations.activity import activity
from events.operations.shared_look import SharedLook
from events.sql import fetch

WAIT = 2.3  # seconds for which an answer is waited for: callers are promised one within 2.5 s
BROKER_TIMEOUT = 1.0  # seconds to connect, and to answer
STANDBY = "The database is a standby in recovery, so it takes no writes."
READ_ONLY = "The database is read-only, so it takes no writes."
COMMITS_WAIT = "The database's commits wait for a synchronous standby."
COMMIT_LATE = 5  # seconds; a synchronous standby that is at work confirms a commit within milliseconds

_broker = SharedLook(lambda: broker.refusal(BROKER_TIMEOUT))


def begin_broker_look() -> "Future[str]":
    """Begin to ask the broker, unless that is under way."""
    return _broker.begin()


def broker_refusal(seconds: float = WAIT) -> str:
    """Return why the broker takes no messages, "" where it does, after so many seconds at most."""
    try:
        return begin_broker_look().result(seconds)
    except TimeoutError:
        return "TimeoutError: it does not answer"


def why_no_writes() -> str:
    """Return why the database takes no writes, "" where it does. Raises DatabaseError."""
    standby, read_only = fetch("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'", {})[0]
    if standby:
        return STANDBY
    if read_only:
        return READ_ONLY
    waited = activity().commit_wait
    return f"{COMMITS_WAIT} One has waited for {waited:,.0f} s." if waited > COMMIT_LATE else ""
