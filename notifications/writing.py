"""Writes mails down, before they are sent.

Nobody confirms an address, so a mail may go to a stranger. It holds no text that the account's owner has chosen, such
as their name: else anybody could have us send what they like to whom they like (docs/decisions/0026-registration.md).
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.template.loader import render_to_string
from psycopg.types.json import Jsonb

from events.handlers import ReceivedEvent
from events.sql import fetch
from events.types import EventData
from notifications.models import Notification
from notifications.people import Person
from values.names import in_one_line

T = TypeVar("T", bound=EventData)

SUBJECTS = {
    "welcome": "Welcome",
    "order_received": "We have received your order {number}",
    "order_confirmed": "Your order {number} is confirmed",
    "order_rejected": "We cannot deliver your order {number}",
    "order_cancelled": "Your order {number} is cancelled",
    "order_fulfilled": "Your order {number} is on its way",
    "sales_summary": "Sales of {day}",
}
COLUMNS = ("id", "event_id", "user_id", "recipient", "subject", "text", "html", "correlation_id")


def unsent(events: Sequence[ReceivedEvent[T]], template: str) -> Sequence[ReceivedEvent[T]]:
    """Return the events whose mails are still to be sent."""
    sent = Notification.objects.filter(
        event_id__in=[event.id for event in events], template=template, state=Notification.State.SENT
    )
    sent_ids = set(sent.values_list("event_id", flat=True))
    return [event for event in events if event.id not in sent_ids]


def write_mails(
    events: Sequence[ReceivedEvent[Any]], template: str, recipients: Mapping[UUID, Person]
) -> dict[UUID, Notification]:
    """Write down the mail about each event, and return by event those that are not sent.

    Where an earlier try wrote one it is written anew, so that an address or data that were mended count.
    """
    drafts = {event.id: _draft(event, template, recipients[event.id]) for event in events}
    rows = [{name: getattr(draft, name) for name in COLUMNS} for draft in drafts.values()]
    mails = Jsonb(rows, dumps=partial(json.dumps, default=str))
    ids: dict[UUID, UUID] = dict(fetch(_WRITE, {"template": template, "mails": mails}))
    for event_id, notification_id in ids.items():
        drafts[event_id].id = notification_id
    return {event_id: drafts[event_id] for event_id in ids}


# One statement for what would be an insert and a second look by the ORM. Where a row is there it keeps its id, and so
# the mail its Message-ID; one that was sent meanwhile is not returned.
_WRITE = """
INSERT INTO notifications_notification AS n (
    id, event_id, template, user_id, recipient, subject, text, html, correlation_id, state, created_at)
SELECT id, event_id, %(template)s, user_id, recipient, subject, text, html, correlation_id, 'pending', now()
FROM jsonb_to_recordset(%(mails)s) AS m (
    id uuid, event_id uuid, user_id uuid, recipient text, subject text, text text, html text, correlation_id text)
ORDER BY event_id
ON CONFLICT (event_id, template) DO UPDATE
SET user_id = EXCLUDED.user_id, recipient = EXCLUDED.recipient, subject = EXCLUDED.subject, text = EXCLUDED.text,
    html = EXCLUDED.html, correlation_id = EXCLUDED.correlation_id
WHERE n.state <> 'sent'
RETURNING event_id, id
"""


def _draft(event: ReceivedEvent[Any], template: str, recipient: Person) -> Notification:
    facts = _as_text(event.data.model_dump())
    return Notification(
        event_id=event.id,
        template=template,
        user_id=recipient.id,
        recipient=recipient.email,
        subject=SUBJECTS[template].format(**facts),
        text=render_to_string(f"notifications/{template}.txt", facts),
        html=render_to_string(f"notifications/{template}.html", facts),
        correlation_id=event.correlation_id,
    )


def _as_text(fact: Any) -> Any:
    """Return facts with each text in one line: names of products may be from before others were refused.

    Numbers become texts too, as templates would write them; there each is looked up in the language's formats first.
    """
    if isinstance(fact, dict):
        return {key: _as_text(value) for key, value in fact.items()}
    if isinstance(fact, list | tuple):
        return [_as_text(value) for value in fact]
    if isinstance(fact, str):
        return in_one_line(fact)
    if isinstance(fact, Decimal):
        return f"{fact:f}"
    return str(fact) if type(fact) is int else fact
