"""manage.py load_demo: a shop to try things with."""

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Any

from celery.exceptions import Retry
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from events.errors import PermanentError
from events.handling.runner import run
from events.relaying import claims
from events.relaying.claims import Claim, Claimed
from events.relaying.relay import POLL, Relay
from events.subscriptions import the_map
from inventory import stock
from inventory.catalogue import add_product
from inventory.models import Product
from orders.models import Order
from orders.services import Item, cancel_order, place_order
from ordersite import demo
from users.models import User
from users.services import register

PATIENCE = 1.0  # seconds without a delivery that could go


class Command(BaseCommand):
    """Loads the demo shop."""

    help = "Load the demo catalogue, users and orders. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the flag that a real database needs."""
        parser.add_argument("--yes-on-a-real-database", action="store_true", dest="really")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load what is not there yet."""
        if not (settings.EMBEDDED or options["really"]):
            raise CommandError(
                "this is not the embedded database of `make run`: it would fill a real one with demo data."
                " If you mean it, add --yes-on-a-real-database."
            )
        password = os.environ.get("DEMO_PASSWORD", "demo-password")
        self._load_staff(password)
        for email, name, group in demo.TEAM:
            _load_member(email, name, group, password)
        customers = [self._load_customer(email, name, password) for email, name in demo.CUSTOMERS]
        for product in demo.PRODUCTS:
            _load_product(*product)
        placed = _place_orders(customers)
        if settings.EMBEDDED:
            _handle_what_is_due()
        self.stdout.write(f"demo shop: {len(demo.PRODUCTS)} products, {len(customers)} customers, {placed} new orders")

    def _load_staff(self, password: str) -> None:
        email, name = demo.STAFF
        if not User.objects.filter(email=email).exists():
            User.objects.create_superuser(email, password, full_name=name)

    def _load_customer(self, email: str, name: str, password: str) -> User:
        return User.objects.filter(email=email).first() or register(email=email, password=password, full_name=name)


@transaction.atomic
def _load_member(email: str, name: str, group: str, password: str) -> None:
    """Make somebody of the staff; where the group is gone, one who may do nothing."""
    if not User.objects.filter(email=email).exists():
        person = User.objects.create_user(email, password, full_name=name, is_staff=True)
        person.groups.set(Group.objects.filter(name=group))


@transaction.atomic
def _load_product(sku: str, name: str, price: Any, pieces: int) -> None:
    if Product.objects.filter(sku=sku).exists():
        return
    product = add_product(sku=sku, name=name, price=price, currency=demo.CURRENCY)
    pieces = demo.SCARCE_PIECES if sku == demo.SCARCE_SKU else pieces
    stock.adjust(product, quantity=pieces, reason="opening stock")


class HereAndNow:
    """Takes the place of a relay's sender: runs each message in this process. What fails is left to the workers."""

    def __init__(self) -> None:
        self._handlers = {handler.name: handler for group in the_map().subscriptions.values() for handler in group}

    def length(self, queue: str) -> int:
        """Return 0: nothing ever waits."""
        return 0

    def send(self, claim: Claim, deliveries: Sequence[Claimed]) -> None:
        """Run the deliveries of a message."""
        with contextlib.suppress(Retry, PermanentError):  # the bus has noted what becomes of it
            sent = {delivery.id: delivery.token for delivery in deliveries}
            run(self._handlers[deliveries[0].handler], sent, worker="load_demo")

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _handle_what_is_due() -> None:
    """Run the handlers here and now, so that a shop that is ready is at rest. What has to wait is left to the relay."""
    relay, last = Relay(HereAndNow()), time.monotonic()
    while claims.due_queues() and time.monotonic() < last + PATIENCE:
        if relay.turn():
            last = time.monotonic()
        else:
            time.sleep(POLL)


def _place_orders(customers: list[User]) -> int:
    """Place what is missing of the demo orders."""
    placed = Order.objects.filter(user__in=customers).count()
    if placed >= demo.ORDERS:
        return 0
    for number in range(placed, demo.ORDERS):
        _place(customers[number % len(customers)], number)
    return demo.ORDERS - placed


def _place(customer: User, number: int) -> None:
    """Place a demo order: one in ten of something scarce, so that some are rejected; one in fifteen is cancelled."""
    skus = [sku for sku, *_ in demo.PRODUCTS if sku != demo.SCARCE_SKU]
    chosen = {skus[(number * 7 + step * 13) % len(skus)] for step in range(1 + number % 3)}
    items = [Item(sku, 1 + number % 2) for sku in sorted(chosen)]
    if number % 10 == 3:
        items = [Item(demo.SCARCE_SKU, 2)]
    order = place_order(user_id=customer.id, items=items)
    if number % 15 == 7:
        cancel_order(order, by="customer")
