"""The dead letters by what went wrong: a bug is one group, however many letters it made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from events.sql import fetch
from events.subscriptions import dead_letter_queue


@dataclass(frozen=True)
class Group:
    """The dead letters of one handler whose errors are the same in kind: one type, from one place in the code."""

    consumer: str
    handler: str
    fingerprint: str
    count: int
    oldest: datetime  # when the first and the last of them died
    newest: datetime
    example: UUID  # the last that died
    error_type: str
    error_message: str

    @property
    def queue(self) -> str:
        """Return the name under which operators know the consumer's dead letters."""
        return dead_letter_queue(self.consumer)


def groups() -> Sequence[Group]:
    """Return the groups, the largest first."""
    return [Group(*row) for row in fetch(_GROUPS, {})]


# The texts are read for one letter of each group only: there may be many letters, and their texts are long.
_GROUPS = """
WITH grouped AS (
    SELECT consumer, handler, fingerprint, count(*) AS letters, min(handled_at) AS oldest, max(handled_at) AS newest,
           (array_agg(id ORDER BY handled_at DESC, id DESC))[1] AS example
    FROM events_delivery WHERE state = 'dead'
    GROUP BY consumer, handler, fingerprint
)
SELECT g.consumer, g.handler, g.fingerprint, g.letters, g.oldest, g.newest, g.example, d.error_type, d.error_message
FROM grouped g JOIN events_delivery d ON d.id = g.example
ORDER BY g.letters DESC, g.handler, g.fingerprint
"""
