"""What PostgreSQL says about the sessions of our processes."""

from dataclasses import dataclass

from events.sql import fetch

RELAY_SILENCE = 10  # seconds; at rest a relay asks PostgreSQL every 10 ms


@dataclass(frozen=True)
class Activity:
    """Relays at work; the age of the oldest open transaction, in seconds, and of the oldest snapshot, in transactions
    that began since: while it is held, vacuum cleans up nothing that came after.
    """

    relays: int
    oldest_transaction: float
    oldest_snapshot: int


def activity() -> Activity:
    """Ask PostgreSQL. A role sees the activity of its own sessions, which are all of ours."""
    return Activity(*fetch(_ACTIVITY, {"silence": RELAY_SILENCE})[0])


_ACTIVITY = """
SELECT count(*) FILTER (WHERE application_name = 'ordersite relay'
                          AND state_change > clock_timestamp() - make_interval(secs => %(silence)s)),
       coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8,
       coalesce(max(age(backend_xmin)), 0)::bigint
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
