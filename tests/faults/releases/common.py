"""What both releases have: the first version of the event, and the ledger of what was handled."""

import os
from typing import Any
from uuid import UUID

from django.db import connection

from events.handlers import ReceivedEvent
from events.subscriptions import Consumer
from events.types import EventData, register
from ordersite import subscriptions as site

LEDGER = """CREATE TABLE releases_ledger (
    id bigint GENERATED ALWAYS AS IDENTITY, handler text, event_id uuid, subject uuid, sequence bigint, release text)"""
CONSUMERS = {**site.CONSUMERS, "releases": Consumer(dead_holds=True)}
COMPENSATIONS = site.COMPENSATIONS


@register
class ThingDoneV1(EventData):
    """Something was done."""

    type = "releases.thing_done.v1"
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


def note(handler: str, event: ReceivedEvent[Any]) -> None:
    """Write the event into the ledger, in the transaction that is open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO releases_ledger (handler, event_id, subject, sequence, release) VALUES (%s, %s, %s, %s, %s)",
            [handler, event.id, event.subject, event.sequence, os.environ["DJANGO_SETTINGS_MODULE"]],
        )
