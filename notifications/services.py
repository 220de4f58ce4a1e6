"""Writing a mail down, and sending it.

Nobody confirms an address, so a mail may go to a stranger. It holds no text that the account's owner has chosen, such
as their name: else anybody could have us send what they like to whom they like (docs/decisions/0026-registration.md).
"""

import logging
import smtplib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from psycopg.types.json import Jsonb

from events import tracing
from events.correlation import correlated
from events.errors import DependencyAway, PermanentError
from events.handlers import ReceivedEvent
from events.sql import ASYNCHRONOUSLY, execute, fetch
from events.types import EventData
from notifications.models import Notification
from notifications.people import people
from values.emails import in_ascii
from values.names import in_one_line

logger = logging.getLogger(__name__)
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
TO_THE_SHOP = ("sales_summary",)  # mails to whom the settings name, not to a customer


@dataclass(frozen=True)
class Recipient:
    """Whom a mail is for; `user_id` is None where that is no account."""

    user_id: UUID | None
    email: str


# What a span says of the mail server, by OpenTelemetry's conventions.
_SERVER: dict[str, str | int] = {
    "network.protocol.name": "smtp",
    "server.address": settings.EMAIL_HOST,
    "server.port": settings.EMAIL_PORT,
}


class NoRecipient(PermanentError):
    """The account that the mail is for is gone, or the settings name nobody any more."""


class Refused(PermanentError):
    """The mail server refuses this mail for good."""


class Interrupted(Exception):
    """The mail may have left or not; it is sent again, with the same Message-ID."""


def notify(events: Sequence[ReceivedEvent[T]], template: str) -> Iterator[ReceivedEvent[T]]:
    """Send the mail of this template about each event, once, and yield the events whose mails have left.

    The rows are committed first, and a row that says `sent` is not sent again. A crash after the mail left and before
    the row says so sends it again, with the same Message-ID. Raises DependencyAway while the mail server, or who knows
    the person, is away, and PermanentError where trying again cannot help: at the first that fails, when those before
    it are sent and yielded.
    """
    left: list[ReceivedEvent[T]] = []
    try:
        for event in _send_each(events, template):
            _mark(event, template, waits=event is events[-1])
            left.append(event)
    except Exception:
        if left:
            _mark(left[-1], template, waits=True)
        yield from left
        raise
    yield from left


def _mark(event: ReceivedEvent[Any], template: str, waits: bool) -> None:
    """Mark that this mail has left; `waits` for the disk, once for all of a message: for the last of them.

    Else a crash of PostgreSQL could forget the marks, and the deliveries be told done after it. A commit that is
    waited for has all before it on the disk too; had PostgreSQL crashed meanwhile, this connection would be dead.
    """
    execute(_SENT if waits else _SENT_UNWAITED, {"event": event.id, "template": template})


_SENT = """
UPDATE notifications_notification SET state = 'sent', sent_at = coalesce(sent_at, now())
WHERE event_id = %(event)s AND template = %(template)s
"""
_SENT_UNWAITED = _SENT.replace("WHERE", f"FROM {ASYNCHRONOUSLY} WHERE")


def _send_each(events: Sequence[ReceivedEvent[T]], template: str) -> Iterator[ReceivedEvent[T]]:
    """Send each mail that is still to be sent, and yield its event, before the next is sent."""
    with ExitStack() as stack:
        connection: BaseEmailBackend | None = None
        written = _written(events, template)
        for event in events:
            if notification := written.get(event.id):
                connection = connection or stack.enter_context(_connected())
                with correlated(event.correlation_id, event.traceparent):
                    _send_and_tell(notification, connection)
            yield event


def _send_and_tell(notification: Notification, connection: BaseEmailBackend) -> None:
    began = time.monotonic()
    about = {"notification": str(notification.pk), "template": notification.template}
    with tracing.calling("SMTP send", _SERVER | {f"ordersite.{name}": value for name, value in about.items()}):
        send(notification, connection)
    milliseconds = round((time.monotonic() - began) * 1000, 1)
    fields = about | {"milliseconds": milliseconds}
    logger.info("mail %s sent: %s", notification.template, notification.pk, extra=fields)


def send(notification: Notification, connection: BaseEmailBackend) -> None:
    """Hand the mail to the mail server."""
    mail = EmailMultiAlternatives(
        subject=notification.subject,
        body=notification.text,
        to=[in_ascii(notification.recipient)],  # Django's own way, IDNA 2003, leads to another domain with ß
        headers={"Message-ID": notification.message_id, "X-Request-ID": notification.correlation_id},
    )
    mail.attach_alternative(notification.html, "text/html")
    mail.connection = connection
    _hand_over(mail)


@contextmanager
def _connected() -> Iterator[BaseEmailBackend]:
    """Open a connection. Until then no mail can have left: whatever fails, the server is away, or takes none of ours.

    That is so for a wrong password too: it concerns every mail, and making dead letters of all would mend nothing.
    """
    connection = get_connection()
    try:
        connection.open()
    except (smtplib.SMTPException, OSError) as error:
        raise DependencyAway(f"the mail server cannot be used: {error}") from error
    try:
        yield connection
    finally:
        connection.close()


def _hand_over(mail: EmailMultiAlternatives) -> None:
    """Send the mail. From here on a failure counts as an attempt: the server may have taken the mail all the same,
    and one that never says so must not get it for a day.
    """
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        _refuse_if_for_good(max((code for code, _ in error.recipients.values()), default=0), error)
    except smtplib.SMTPSenderRefused as error:
        raise DependencyAway(f"the mail server takes no mail from us: {error}") from error
    except smtplib.SMTPDataError as error:
        _refuse_if_for_good(error.smtp_code, error)
    except (smtplib.SMTPException, OSError) as error:
        raise Interrupted(f"the mail server did not say that it took the mail: {error}") from error


def _refuse_if_for_good(code: int, error: Exception) -> NoReturn:
    """Raise what the server's answer means: 421 is going away, 4xx is for now, 5xx is for good (RFC 5321, 4.2.1)."""
    if code == 421:
        raise DependencyAway(f"the mail server is going away: {error}") from error
    if code >= 500:
        raise Refused(f"the mail server refuses this mail: {error}") from error
    raise Interrupted(f"the mail server does not take this mail now: {error}") from error


def _written(events: Sequence[ReceivedEvent[Any]], template: str) -> dict[UUID, Notification]:
    """Return the mails that are still to be sent, by event: written down, anew where an earlier try did.

    So an address or data that were mended count.
    """
    rows = Notification.objects.filter(event_id__in=[event.id for event in events], template=template)
    sent = set(rows.filter(state=Notification.State.SENT).values_list("event_id", flat=True))
    left = [event for event in events if event.id not in sent]
    recipients = _recipients(left, template)
    drafts = {event.id: _draft(event, template, recipients.get(event.id)) for event in left}
    mails = Jsonb([_row(draft) for draft in drafts.values()])
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


def _recipients(events: Sequence[ReceivedEvent[Any]], template: str) -> Mapping[UUID, Recipient]:
    """Return whom the mail about each event is for, by event; without those that there is nobody for."""
    if template in TO_THE_SHOP:
        shop = Recipient(None, settings.SUMMARY_TO)
        return {event.id: shop for event in events if shop.email}
    known = people().find({event.data.user_id for event in events})
    found = {event.id: known.get(event.data.user_id) for event in events}
    return {event_id: Recipient(one.id, one.email) for event_id, one in found.items() if one}


def _row(draft: Notification) -> dict[str, str | None]:
    return {
        "id": str(draft.id),
        "event_id": str(draft.event_id),
        "user_id": str(draft.user_id) if draft.user_id else None,
        "recipient": draft.recipient,
        "subject": draft.subject,
        "text": draft.text,
        "html": draft.html,
        "correlation_id": draft.correlation_id,
    }


def _draft(event: ReceivedEvent[Any], template: str, recipient: Recipient | None) -> Notification:
    if recipient is None:
        whom = "address in SUMMARY_TO" if template in TO_THE_SHOP else f"account {event.data.user_id}"
        raise NoRecipient(f"there is no {whom}")
    facts = _in_one_line(event.data.model_dump())
    return Notification(
        event_id=event.id,
        template=template,
        user_id=recipient.user_id,
        recipient=recipient.email,
        subject=SUBJECTS[template].format(**facts),
        text=render_to_string(f"notifications/{template}.txt", facts),
        html=render_to_string(f"notifications/{template}.html", facts),
        correlation_id=event.correlation_id,
    )


def _in_one_line(fact: Any) -> Any:
    """Return facts with each text in one line: names of products may be from before others were refused."""
    if isinstance(fact, dict):
        return {key: _in_one_line(value) for key, value in fact.items()}
    if isinstance(fact, list | tuple):
        return [_in_one_line(value) for value in fact]
    return in_one_line(fact) if isinstance(fact, str) else fact
