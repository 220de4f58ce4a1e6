"""Who holds an old snapshot: until it ends, vacuum cleans up nothing that came after, and all looks get slower.

A long query or transaction does (pg_dump is one), a prepared transaction that nobody ends, a replication slot, or a
standby that has PostgreSQL keep what its own queries still read (hot_standby_feedback).
"""

from dataclasses import dataclass

from events.sql import fetch

HELD_FOR = 60.0  # seconds: none of ours is held for as long
MANY = 10_000  # transactions: what counts where nobody tells for how long a snapshot is held


@dataclass(frozen=True)
class Holder:
    """The holder of the oldest snapshot. What PostgreSQL does not tell, or does not tell this role, is empty.

    `kind`: `session`, `prepared transaction`, `replication slot` or `standby`; `name`: the session's application_name,
    or what the others are called; `seconds`: since its transaction began, 0 where nobody knows; `transactions`: how
    many began since.
    """

    kind: str
    pid: int | None
    name: str
    user: str
    client: str
    state: str
    seconds: float
    transactions: int

    def __str__(self) -> str:
        who = [f"{self.kind} {self.name}".rstrip(), f"pid {self.pid}" if self.pid else ""]
        who += [f"user {self.user}" if self.user else "", f"from {self.client}" if self.client else "", self.state]
        since = f"for {self.seconds:,.0f} s, " if self.seconds else ""
        return f"{', '.join(filter(None, who))}, has held a snapshot {since}{self.transactions:,} transactions old"


def oldest_holder(*, held_for: float | None = None) -> Holder | None:
    """Return who holds the oldest snapshot of those held for so many seconds (HELD_FOR), or nobody knows how long.

    The latter, those of standbys and replication slots, count once MANY transactions began since. None without any.
    """
    rows = fetch(_OLDEST_HOLDER, {"held_for": HELD_FOR if held_for is None else held_for, "many": MANY})
    return Holder(*rows[0]) if rows else None


# Of all databases where it is the whole server's that is held back. A role without pg_read_all_stats is not told of
# others' sessions what kind they are, since when and from where, but that they hold a snapshot.
_OLDEST_HOLDER = """
SELECT * FROM (
    SELECT 'session' AS kind, pid, application_name AS name, usename::text AS user,
           coalesce(client_addr::text, '') AS client, coalesce(state, '') AS state,
           coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8 AS seconds,
           greatest(age(backend_xmin), age(backend_xid))::bigint AS transactions
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND (backend_type = 'client backend' OR (backend_type IS NULL AND usename IS NOT NULL))
    UNION ALL
    SELECT 'standby', pid, application_name, usename::text, coalesce(client_addr::text, ''), state, 0,
           age(backend_xmin)::bigint
    FROM pg_stat_replication
    UNION ALL
    SELECT 'replication slot', active_pid, slot_name::text, '', '',
           CASE WHEN active THEN 'active' ELSE 'inactive' END, 0, age(xmin)::bigint
    FROM pg_replication_slots
    UNION ALL
    SELECT 'prepared transaction', NULL, gid, owner::text, '', '',
           extract(epoch FROM clock_timestamp() - prepared)::float8, age(transaction)::bigint
    FROM pg_prepared_xacts WHERE database = current_database()
) AS holders
WHERE transactions IS NOT NULL AND (seconds >= %(held_for)s OR (seconds = 0 AND transactions >= %(many)s))
ORDER BY transactions DESC LIMIT 1
"""
