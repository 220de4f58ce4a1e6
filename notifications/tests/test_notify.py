"""Mails go to a real SMTP server, which runs beside the tests and answers as it is told to."""

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.db import connection

from events.errors import DependencyAway, Failure, PermanentError, classify
from events.handlers import Handler, ReceivedEvent
from events.tests.helpers import received
from events.types import EventData
from eventtypes.orders import OrderCancelledV1, OrderConfirmedV1, OrderCreatedV1, OrderFulfilledV1, OrderRejectedV1
from eventtypes.sales import DayFigure, SalesDayEndedV1, TopProduct
from eventtypes.users import UserCreatedV1
from local.settings import free_port
from notifications import tasks
from notifications.models import Notification
from notifications.services import notify
from notifications.writing import SUBJECTS
from testing.shop import order_data
from users.models import User

pytestmark = pytest.mark.django_db
CONNECTION = ("host", "port", "user", "password", "dbname")


class Mailbox:
    """Keeps what is sent to it, or refuses it as told."""

    def __init__(self, more: Sequence[str]) -> None:
        self.more = more  # of what it offers
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.at_recipient = self.at_data = "250 OK"
        self.connections = 0
        self.refuses_after: int | None = None  # mails
        self.before_each: Callable[[], object] = lambda: None

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return [*responses[:-1], *self.more, responses[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
            self.recipients.append(address)
        return self.at_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.before_each()
        if len(self.mails) == self.refuses_after:
            return "554 never"
        if self.at_data.startswith("250"):
            mail = message_from_bytes(cast(bytes, envelope.content), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return self.at_data


@pytest.fixture(params=[(), ("250-PIPELINING",)], ids=["plain", "pipelining"])
def mailbox(request: pytest.FixtureRequest, settings: Any) -> Iterator[Mailbox]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    box = Mailbox(request.param)
    controller = Controller(box, hostname="127.0.0.1", port=settings.EMAIL_PORT)
    controller.start()
    yield box
    controller.stop()


def welcome(user: User) -> ReceivedEvent[UserCreatedV1]:
    return received(UserCreatedV1(user_id=user.id), correlation_id="request-9")


def order(user: User, kind: type[EventData], **more: Any) -> ReceivedEvent[EventData]:
    return received(kind(**order_data(uuid4()) | {"user_id": user.id} | more))


def line(name: str) -> dict[str, Any]:
    return {"sku": "A", "name": name, "quantity": 2, "unit_price": "1.00", "line_total": "2.00"}


def parts(mail: EmailMessage) -> tuple[str, str]:
    """The plain text and the HTML of a mail."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def raised_by(event: ReceivedEvent[Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the tests look at
        tasks.send_welcome(event)
    return caught.value


MAILS: list[tuple[str, Handler, type[EventData], dict[str, Any], str]] = [
    ("order_received", tasks.send_order_received, OrderCreatedV1, {}, "Thank you for your order O-1"),
    ("order_confirmed", tasks.send_order_confirmed, OrderConfirmedV1, {}, "Your order O-1 is confirmed"),
    (
        "order_rejected",
        tasks.send_order_rejected,
        OrderRejectedV1,
        {"reason": "Out of stock: A (3 ordered, 1 available)"},
        "Out of stock: A (3 ordered, 1 available)",
    ),
    ("order_cancelled", tasks.send_order_cancelled, OrderCancelledV1, {"reason": "customer"}, "O-1 is cancelled"),
    ("order_fulfilled", tasks.send_order_fulfilled, OrderFulfilledV1, {}, "Your order O-1 has left"),
]


def test_a_new_customer_is_greeted(mailbox: Mailbox, ada: User) -> None:
    tasks.send_welcome(welcome(ada))
    (mail,) = mailbox.mails
    notification = Notification.objects.get()
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Welcome")
    assert mail["From"] == "Ordersite <shop@example.com>"
    assert mail["Message-ID"] == notification.message_id == f"<{notification.id}@ordersite>"
    assert mail["X-Request-ID"] == "request-9"
    text, html = parts(mail)
    for part in (text, html):
        assert "Hello," in part
        assert "Your account is ready" in part
    assert "<" not in text
    assert (notification.state, notification.sent_at is not None) == ("sent", True)


def test_a_mail_goes_to_the_domain_itself_and_to_no_other_that_looks_alike(mailbox: Mailbox, ada: User) -> None:
    """Python's own codec takes straße.de for strasse.de, which may be somebody else's."""
    User.objects.update(email="ada@straße.de")
    tasks.send_welcome(welcome(ada))
    assert mailbox.recipients == ["ada@xn--strae-oqa.de"]
    assert mailbox.mails[0]["To"] == "ada@xn--strae-oqa.de"


@pytest.mark.parametrize(("template", "handler", "kind", "more", "says"), MAILS, ids=[mail[0] for mail in MAILS])
def test_each_step_of_an_order_is_told_in_text_and_html(
    mailbox: Mailbox, ada: User, template: str, handler: Handler, kind: type[EventData], more: Any, says: str
) -> None:
    handler(order(ada, kind, **more))
    (mail,) = mailbox.mails
    assert Notification.objects.get().template == template
    assert mail["Subject"] == SUBJECTS[template].format(number="O-1")
    for part in parts(mail):
        assert says in part
        assert "An A" in part
        assert "2.00 EUR" in part
        assert "{{" not in part
    assert "<" not in parts(mail)[0]


@pytest.mark.parametrize("handler", [tasks.send_welcome, *(mail[1] for mail in MAILS)])
def test_no_mail_holds_a_text_that_its_recipient_has_chosen(mailbox: Mailbox, ada: User, handler: Handler) -> None:
    User.objects.update(full_name="Cheap pills at pills.example")
    kind = {mail[1]: mail[2] for mail in MAILS}.get(handler)
    more = {"reason": "customer"} if kind in (OrderRejectedV1, OrderCancelledV1) else {}
    handler(order(ada, kind, **more) if kind else welcome(ada))
    assert "ills" not in mailbox.mails[0].as_string()
    assert not any("ills" in part for part in parts(mailbox.mails[0]))


# All that mails hold: what the shop wrote, and figures. Nobody confirms an address, so nothing that an account's owner
# may write belongs here (docs/decisions/0026-registration.md).
FACTS = {
    *("number", "reason", "currency", "total", "item.name", "item.quantity", "item.line_total"),
    *("day", "figure.status", "figure.orders", "figure.amount", "figure.currency"),
    *("product.sku", "product.quantity", "product.amount", "product.currency"),
}


def test_templates_use_no_other_facts_than_the_shops_own() -> None:
    templates = list((Path(settings.BASE_DIR) / "notifications" / "templates").rglob("*.*"))
    used = {fact for file in templates for fact in re.findall(r"{{\s*([\w.]+)", file.read_text())}
    assert used == FACTS


def test_what_staff_typed_is_no_html(mailbox: Mailbox, ada: User) -> None:
    tasks.send_order_received(order(ada, OrderCreatedV1, items=[line("<b>Cups</b> & Co")]))
    text, html = parts(mailbox.mails[0])
    assert "<b>Cups</b> & Co" in text
    assert "&lt;b&gt;Cups&lt;/b&gt; &amp; Co" in html


def test_a_name_from_before_some_were_refused_stays_in_its_line_and_is_no_link(mailbox: Mailbox, ada: User) -> None:
    tasks.send_order_received(order(ada, OrderCreatedV1, items=[line("Cup\r\n\r\nBuy\u2028at https://x.example\x1b")]))
    assert "  2 x Cup Buy at https x.example: 2.00 EUR\n" in parts(mailbox.mails[0])[0].replace("\r\n", "\n")


def test_the_same_event_again_sends_nothing(mailbox: Mailbox, ada: User) -> None:
    event = welcome(ada)
    for _ in range(3):
        tasks.send_welcome(event)
    assert len(mailbox.mails) == Notification.objects.count() == 1


def test_a_mail_whose_sending_was_not_written_down_goes_out_with_the_same_message_id(
    mailbox: Mailbox, ada: User
) -> None:
    event = welcome(ada)
    tasks.send_welcome(event)
    Notification.objects.update(state="pending", sent_at=None)
    tasks.send_welcome(event)
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert Notification.objects.get().state == "sent"


def test_a_mail_that_failed_goes_to_the_address_that_was_mended_under_its_old_id(mailbox: Mailbox, ada: User) -> None:
    event = welcome(ada)
    mailbox.at_data = "451 later"
    raised_by(event)
    first_id = Notification.objects.get().message_id
    User.objects.update(email="grace@example.com")
    mailbox.at_data = "250 OK"
    tasks.send_welcome(event)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Message-ID"]) == ("grace@example.com", first_id)


def test_two_templates_of_one_event_are_two_mails(mailbox: Mailbox, ada: User) -> None:
    event = order(ada, OrderCreatedV1)
    tasks.send_order_received(event)
    tasks.send_order_confirmed(event)
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 2


def test_a_mail_server_that_refuses_the_connection_is_away(mailbox: Mailbox, ada: User, settings: Any) -> None:
    settings.EMAIL_PORT = free_port()
    assert classify(raised_by(welcome(ada))) is Failure.AWAY
    assert Notification.objects.get().state == "pending"


def test_a_mail_server_that_says_nothing_is_away(mailbox: Mailbox, ada: User, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_PORT = silent.getsockname()[1]
        assert classify(raised_by(welcome(ada))) is Failure.AWAY


def test_a_mail_server_that_is_not_found_is_away(mailbox: Mailbox, ada: User, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.invalid"
    assert classify(raised_by(welcome(ada))) is Failure.AWAY


@pytest.mark.parametrize("at", ["at_recipient", "at_data"])
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("550 no such user", Failure.PERMANENT),
        ("552 too large", Failure.PERMANENT),
        ("451 try later", Failure.TRANSIENT),
        ("452 full", Failure.TRANSIENT),
        ("421 going down", Failure.AWAY),
    ],
)
def test_the_answer_of_the_mail_server_decides(
    mailbox: Mailbox, ada: User, at: str, answer: str, failure: Failure
) -> None:
    setattr(mailbox, at, answer)
    error = raised_by(welcome(ada))
    assert classify(error) is failure
    assert isinstance(error, PermanentError) == (failure is Failure.PERMANENT)
    assert isinstance(error, DependencyAway) == (failure is Failure.AWAY)
    assert answer[4:] in str(error)
    assert mailbox.mails == []
    assert Notification.objects.get().state == "pending"


def test_a_mail_that_was_put_off_goes_out_once_the_server_takes_it(mailbox: Mailbox, ada: User) -> None:
    event = welcome(ada)
    mailbox.at_recipient = "451 greylisted"
    raised_by(event)
    mailbox.at_recipient = "250 OK"
    tasks.send_welcome(event)
    assert len(mailbox.mails) == Notification.objects.count() == 1


def test_a_mail_to_an_account_that_is_gone_is_given_up(mailbox: Mailbox, ada: User) -> None:
    event = welcome(ada)
    User.objects.all().delete()
    error = raised_by(event)
    assert classify(error) is Failure.PERMANENT
    assert str(event.data.user_id) in str(error)
    assert not Notification.objects.exists()


def test_every_subject_has_its_two_templates_and_a_handler() -> None:
    assert set(SUBJECTS) == {"welcome", "sales_summary", *(mail[0] for mail in MAILS)}


def day_ended(orders: int = 12) -> ReceivedEvent[SalesDayEndedV1]:
    figure = DayFigure(status="pending", currency="EUR", orders=orders, amount=Decimal("120.00"))
    product = TopProduct(sku="CUP", currency="EUR", quantity=7, amount=Decimal("66.50"))
    some = {"figures": (figure,), "products": (product,)} if orders else {"figures": (), "products": ()}
    return received(SalesDayEndedV1(summary_id=uuid4(), day=date(2025, 3, 1), **some))


def test_the_sales_of_a_day_go_to_whom_the_settings_name_once(mailbox: Mailbox, settings: Any) -> None:
    settings.SUMMARY_TO = "boss@example.com"
    event = day_ended()
    for _ in range(2):
        tasks.send_sales_summary(event)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("boss@example.com", "Sales of 2025-03-01")
    for part in parts(mail):
        assert "Hello," in part
        assert "pending" in part
        assert "120.00 EUR" in part
        assert "CUP" in part
        assert "{{" not in part
    assert "pending: 12, 120.00 EUR" in parts(mail)[0]
    assert mail["Message-ID"] == Notification.objects.get(user_id__isnull=True, state="sent").message_id


def test_a_day_without_orders_is_told_too(mailbox: Mailbox, settings: Any) -> None:
    settings.SUMMARY_TO = "boss@example.com"
    tasks.send_sales_summary(day_ended(orders=0))
    assert all("there were no orders" in part for part in parts(mailbox.mails[0]))


def test_where_nobody_is_named_any_more_the_summary_is_given_up(mailbox: Mailbox, settings: Any) -> None:
    settings.SUMMARY_TO = ""
    with pytest.raises(PermanentError, match="SUMMARY_TO"):
        tasks.send_sales_summary(day_ended())
    assert mailbox.mails == []


def test_a_batch_of_mails_goes_over_one_connection_and_each_is_told_done(mailbox: Mailbox, ada: User) -> None:
    events = [welcome(ada) for _ in range(3)]
    tasks.send_welcome(events[1])
    assert list(notify(events, "welcome")) == events
    assert len(mailbox.mails) == 3
    assert mailbox.connections == 2


def test_a_batch_stops_at_the_first_mail_that_is_refused(mailbox: Mailbox, ada: User) -> None:
    events = [welcome(ada) for _ in range(3)]
    mailbox.refuses_after = 1
    done = notify(events, "welcome")
    assert next(done) == events[0]
    with pytest.raises(PermanentError):
        next(done)
    assert Notification.objects.filter(state="sent").count() == 1


def wal(function: str) -> int:
    """How far PostgreSQL's log is written, or is on the disk, by a connection of its own."""
    parameters = {name: value for name, value in connection.get_connection_params().items() if name in CONNECTION}
    with psycopg.connect(**parameters) as other:
        return int(other.execute(f"SELECT pg_wal_lsn_diff({function}(), '0/0')").fetchall()[0][0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("refuses_after", [None, 2])
def test_when_a_mail_is_told_done_it_is_on_the_disk_that_it_has_left(
    mailbox: Mailbox, ada: User, refuses_after: int | None
) -> None:
    """Else PostgreSQL could crash and forget it, and the delivery be marked done after that."""
    written: list[int] = []
    mailbox.before_each = lambda: written.append(wal("pg_current_wal_insert_lsn"))
    mailbox.refuses_after = refuses_after
    done = notify([welcome(ada) for _ in range(3)], "welcome")
    next(done)
    assert wal("pg_current_wal_flush_lsn") >= written[-1]
    assert len(written) == 3
