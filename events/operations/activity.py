"""What PostgreSQL says about the sessions of our processes: their application_name is a site's name and a kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.sql import fetch

RELAY_SILENCE = 10  # seconds; at rest a relay asks PostgreSQL ten times a second
SERVICE_SILENCE = 20  # seconds; any other server is to ask every 5 s, and to give an answer 3 s


@dataclass(frozen=True)
class Activity:
    """Relays at work; the kinds of other processes that are; the age of the oldest open transaction, in seconds, and of
    the oldest snapshot, in transactions that began since: while it is held, vacuum cleans up nothing that came after;
    the seconds for which the longest of the commits that wait for a synchronous standby has waited.
    """

    relays: int
    kinds: Sequence[str]
    oldest_transaction: float
    oldest_snapshot: int
    commit_wait: float


def activity() -> Activity:
    """Ask PostgreSQL. A role sees the activity of its own sessions, which are all of ours."""
    return Activity(*fetch(_ACTIVITY, {"relay": RELAY_SILENCE, "service": SERVICE_SILENCE})[0])


# Not after now either: a clock that stepped back leaves silent sessions whose last word lies in the future.
_ACTIVITY = """
SELECT count(*) FILTER (WHERE kind = 'relay' AND silent <= %(relay)s),
       coalesce(array_agg(DISTINCT kind) FILTER (WHERE silent <= %(service)s), '{}'),
       coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8,
       coalesce(max(age(backend_xmin)), 0)::bigint,
       coalesce(max(extract(epoch FROM clock_timestamp() - query_start))
                FILTER (WHERE wait_event = 'SyncRep'), 0)::float8
FROM pg_stat_activity,
     LATERAL (SELECT split_part(application_name, ' ', 1) AS site, split_part(application_name, ' ', 2) AS part,
                     split_part(current_setting('application_name'), ' ', 1) AS ours) AS name,
     LATERAL (SELECT CASE WHEN site = ours THEN part ELSE '' END AS kind,
                     abs(extract(epoch FROM clock_timestamp() - state_change)) AS silent) AS of
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
