"""Sends mails, each about an event, over SMTP. They are written down first (writing.py)."""

import logging
import smtplib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from events import tracing
from events.correlation import correlated
from events.errors import DependencyAway, PermanentError
from events.handlers import ReceivedEvent
from events.sql import ASYNCHRONOUSLY, execute
from events.types import EventData
from notifications.models import Notification
from notifications.people import Person, people
from notifications.transmission import connect, transmit
from notifications.writing import unsent, write_mails
from values.emails import in_ascii

logger = logging.getLogger(__name__)
T = TypeVar("T", bound=EventData)

TO_THE_SHOP = ("sales_summary",)  # mails to whom the settings name, not to a customer

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
    left = unsent(events, template)
    written = write_mails(left, template, _recipients(left, template))
    with _sending([_mail(written[event.id]) for event in events if event.id in written]) as sent:
        for event in events:
            if notification := written.get(event.id):
                with correlated(event.correlation_id, event.traceparent):
                    _send(notification, sent)
            yield event


@contextmanager
def _sending(mails: Sequence[EmailMultiAlternatives]) -> Iterator[Iterator[None]]:
    """Send these mails, one each time that the next is asked for. Without any nothing is connected."""
    if not mails:
        yield iter(())
        return
    # Closed before the connection: else it would say goodbye where the server waits for a mail's text.
    with _connected() as connection, closing(transmit(mails, connection)) as sent:
        yield sent


def _recipients(events: Sequence[ReceivedEvent[Any]], template: str) -> Mapping[UUID, Person]:
    """Return whom the mail about each event is for, by event. Raises NoRecipient."""
    if template in TO_THE_SHOP:
        if events and not settings.SUMMARY_TO:
            raise NoRecipient("there is no address in SUMMARY_TO")
        return {event.id: Person(None, settings.SUMMARY_TO) for event in events}
    known = people().find({event.data.user_id for event in events})
    for event in events:
        if event.data.user_id not in known:
            raise NoRecipient(f"there is no account {event.data.user_id}")
    return {event.id: known[event.data.user_id] for event in events}


@contextmanager
def _connected() -> Iterator[BaseEmailBackend]:
    """Open a connection. Until then no mail can have left: whatever fails, the server is away, or takes none of ours.

    That is so for a wrong password too: it concerns every mail, and making dead letters of all would mend nothing.
    """
    with closing(get_connection()) as connection:
        try:
            connect(connection)
        except (smtplib.SMTPException, OSError) as error:
            raise DependencyAway(f"the mail server cannot be used: {error}") from error
        yield connection


def _mail(notification: Notification) -> EmailMultiAlternatives:
    mail = EmailMultiAlternatives(
        subject=notification.subject,
        body=notification.text,
        to=[in_ascii(notification.recipient)],  # Django's own way, IDNA 2003, leads to another domain with ß
        headers={"Message-ID": notification.message_id, "X-Request-ID": notification.correlation_id},
    )
    mail.attach_alternative(notification.html, "text/html")
    return mail


def _send(notification: Notification, sent: Iterator[None]) -> None:
    """Have the mail sent, which is the next, with a span and a line in the log."""
    began = time.monotonic()
    about = {"notification": str(notification.pk), "template": notification.template}
    with tracing.calling("SMTP send", _SERVER | {f"ordersite.{name}": value for name, value in about.items()}):
        _hand_over(sent)
    milliseconds = round((time.monotonic() - began) * 1000, 1)
    fields = about | {"milliseconds": milliseconds}
    logger.info("mail %s sent: %s", notification.template, notification.pk, extra=fields)


def _hand_over(sent: Iterator[None]) -> None:
    """See the next mail taken by the server. From here on a failure counts as an attempt: the server may have taken the
    mail all the same, and one that never says so must not get it for a day.
    """
    try:
        next(sent)
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
