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
from events.relaying.relay import Relay
from events.relaying.waiting import SOON
from events.subscriptions import the_map
from inventory import stock
from inventory.catalogue import add_product
from inventory.models import Product
from orders.models import Order
from orders.services import Item, cancel_order, place_order
from ordersite import demo
from users.models import User
from users.services import register

PATIENCE = 3.0  # seconds without a delivery that could go


class Command(BaseCommand):
    help = "Load the demo catalogue, users and orders. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes-on-a-real-database", action="store_true", dest="really")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.EMBEDDED or options["really"]):
            raise CommandError(
                "this is not the embedded database of `make run`: it would fill a real one with demo data."
                " If you mean it, add --yes-on-a-real-database."
            )
        password = os.environ.get("DEMO_PASSWORD", "demo-password")
        _load_staff(password)
        customers = [
            User.objects.filter(email=email).first() or register(email=email, password=password, full_name=name)
            for email, name in demo.CUSTOMERS
        ]
        for product in demo.PRODUCTS:
            _load_product(*product)
        new = range(Order.objects.filter(user__in=customers).count(), demo.ORDERS)
        for number in new:
            _place(customers[number % len(customers)], number)
        if settings.EMBEDDED:
            _handle_what_is_due()
        self.stdout.write(
            f"demo shop: {len(demo.PRODUCTS)} products, {len(customers)} customers, {len(new)} new orders"
        )


def _load_staff(password: str) -> None:
    email, name = demo.STAFF
    if not User.objects.filter(email=email).exists():
        User.objects.create_superuser(email, password, full_name=name)
    for email, name, group in demo.TEAM:
        if not User.objects.filter(email=email).exists():
            with transaction.atomic():
                member = User.objects.create_user(email, password, full_name=name, is_staff=True)
                member.groups.set(Group.objects.filter(name=group))  # where it is gone: one who may do nothing


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
        return 0  # nothing ever waits

    def send(self, claim: Claim, deliveries: Sequence[Claimed]) -> None:
        with contextlib.suppress(Retry, PermanentError):  # the bus has noted what becomes of it
            sent = {delivery.id: delivery.token for delivery in deliveries}
            run(self._handlers[deliveries[0].handler], sent, worker="load_demo")

    def close(self) -> None:
        pass


def _handle_what_is_due() -> None:
    """Run the handlers here and now, so that a shop that is ready is at rest. What has to wait is left to the relay."""
    relay, last = Relay(HereAndNow()), time.monotonic()
    while claims.due_queues() and time.monotonic() < last + PATIENCE:
        if relay.turn():
            last = time.monotonic()
        else:
            time.sleep(SOON)


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
