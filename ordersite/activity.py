"""What PostgreSQL says about the sessions of our processes."""

from dataclasses import dataclass

from events.sql import fetch

RELAY_SILENCE = 10  # seconds; at rest a relay asks PostgreSQL every 10 ms
GRPC_SILENCE = 20  # seconds; a gRPC server asks every 5 s, and gives an answer 3 s (ordersite/grpc/server.py)


@dataclass(frozen=True)
class Activity:
    """Relays at work; whether a gRPC server is; the age of the oldest open transaction, in seconds, and of the oldest
    snapshot, in transactions that began since: while it is held, vacuum cleans up nothing that came after; the seconds
    for which the longest of the commits that wait for a synchronous standby has waited.
    """

    relays: int
    grpc: bool
    oldest_transaction: float
    oldest_snapshot: int
    commit_wait: float


def activity() -> Activity:
    """Ask PostgreSQL. A role sees the activity of its own sessions, which are all of ours."""
    return Activity(*fetch(_ACTIVITY, {"relay": RELAY_SILENCE, "grpc": GRPC_SILENCE})[0])


# Not after now either: a clock that stepped back leaves silent sessions whose last word lies in the future.
_ACTIVITY = """
SELECT count(*) FILTER (WHERE application_name = 'ordersite relay'
                          AND state_change BETWEEN clock_timestamp() - make_interval(secs => %(relay)s)
                              AND clock_timestamp() + make_interval(secs => %(relay)s)),
       count(*) FILTER (WHERE application_name = 'ordersite grpc'
                          AND state_change BETWEEN clock_timestamp() - make_interval(secs => %(grpc)s)
                              AND clock_timestamp() + make_interval(secs => %(grpc)s)) > 0,
       coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8,
       coalesce(max(age(backend_xmin)), 0)::bigint,
       coalesce(max(extract(epoch FROM clock_timestamp() - query_start))
                FILTER (WHERE wait_event = 'SyncRep'), 0)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
