"""What a handler may raise, and what each kind of failure means for its delivery."""

import errno
import socket
from enum import Enum

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError


class EventsError(Exception):
    """The base of everything that the bus raises."""


class PermanentError(EventsError):
    """Raised by a handler: trying again cannot help. The delivery becomes a dead letter at once."""


class DependencyAway(EventsError):
    """Raised by a handler: what it needs is not there at the moment. The delivery waits; no attempt is counted."""


class Failure(Enum):
    """How a failed run is treated."""

    PERMANENT = "permanent"
    AWAY = "away"
    TIMED_OUT = "timed out"
    TRANSIENT = "transient"


# "This server will not do it now", whichever of Django's classes that is: connection exception, insufficient resources,
# operator intervention, and a write on a standby or a read-only server (an InternalError).
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_AWAY_SQLSTATES = ("08", "53", "57P", "25006")
_RETRY_SQLSTATES = ("40P01", "40001")  # deadlock detected, serialization failure
_STALE_PLAN = ("0A000", "RevalidateCachedQuery")  # SQLSTATE, and PostgreSQL's function: its message is translated


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE behind a Django database error, None where the server never answered with one."""
    return getattr(error.__cause__, "sqlstate", None)


def is_deadlock(error: BaseException) -> bool:
    """Tell whether the transaction may simply be run again (40P01, 40001)."""
    return isinstance(error, OperationalError) and sqlstate(error) in _RETRY_SQLSTATES


def is_database_away(error: BaseException | None) -> bool:
    """Tell whether the database could not be reached, or will not do this now. Its connection is not to be kept.

    A prepared statement whose result has another type since a migration counts too ("cached plan must not change result
    type"): the next connection prepares it anew.

    An InterfaceError of Django's own says that the connection was lost within a transaction. psycopg's says that
    somebody used a closed cursor or the like, which is a bug of theirs.
    """
    if not isinstance(error, DatabaseError):
        return False
    if isinstance(error, InterfaceError):
        return error.__cause__ is None
    state = sqlstate(error)
    if state is None:
        return isinstance(error, OperationalError)
    if state.startswith(_AWAY_SQLSTATES):
        return True
    diagnosis = getattr(error.__cause__, "diag", None)
    return (state, getattr(diagnosis, "source_function", None)) == _STALE_PLAN


def in_one_line(error: BaseException | None) -> str:
    """Return the error's class and message as one line: libpq's messages have several."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def classify(error: BaseException) -> Failure:
    """Return how a delivery whose handler raised `error` is treated. What nobody classified is transient."""
    if isinstance(error, PermanentError):
        return Failure.PERMANENT
    if isinstance(error, SoftTimeLimitExceeded):
        return Failure.TIMED_OUT
    if isinstance(error, DependencyAway) or _is_unreachable(error) or is_database_away(error):
        return Failure.AWAY
    return Failure.TRANSIENT


def _is_unreachable(error: BaseException) -> bool:
    """Tell whether a host refused, was not found, was not reached, or did not answer in time."""
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    return isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
