"""The events as they come, for whoever watches from a shell."""

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import close_old_connections

from events.chunks import first_id_at
from events.errors import in_one_line, is_database_away
from events.models import Event

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(seconds=75)
"""How long before its commit, and so before it is seen, an event may be made: no transaction outlives 60 s."""

Wanted = Mapping[str, object]  # of Event's columns: the values that they must have


def newest(wanted: Wanted, count: int) -> list[Event]:
    """Return so many of the newest, the oldest of them first."""
    return list(Event.objects.filter(**wanted).order_by("-id")[:count])[::-1]


def follow(wanted: Wanted, *, shown: int, every: float) -> Iterator[Event]:
    """Yield the newest, `shown` of them, then each that comes, looking every so many seconds, for ever.

    Ids do not come in the order in which they are committed. So each look goes back as far as a transaction may be
    old, and passes over what it has yielded: none is missed, and none told twice;
    where the database was away for longer, what came meanwhile may be missed.
    """
    seen = set(_recent(wanted))
    for event in newest(wanted, shown):
        seen.add(event.id)
        yield event
    while True:
        time.sleep(every)
        close_old_connections()
        try:
            recent = _recent(wanted)
            new = list(Event.objects.filter(pk__in=[id_ for id_ in recent if id_ not in seen]).order_by("id"))
        except DatabaseError as error:
            if not is_database_away(error):
                raise
            logger.warning("database away: %s", in_one_line(error))  # what comes meanwhile is seen at the next look
            continue
        yield from new
        seen = set(recent)


def _recent(wanted: Wanted) -> list[UUID]:
    oldest = datetime.now(UTC) - LOOK_BACK
    return list(Event.objects.filter(**wanted, id__gte=first_id_at(oldest)).values_list("id", flat=True))
