"""A job that takes its time outside the database: it writes the price list to a file."""

import csv
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from uuid_utils.compat import uuid7

from events.declare import outside
from events.handlers import ReceivedEvent
from events.policy import Backoff, Limits
from events.publishing import publish
from events.types import EventData, register
from inventory.models import Product


@register
class PriceListRequestedV1(EventData):
    """Somebody wants the price list as a file."""

    type = "price_list.requested.v1"
    request_id: UUID

    @property
    def subject(self) -> UUID:
        """Return the request's id."""
        return self.request_id


@transaction.atomic
def request_price_list() -> Path:
    """Have the price list written; return the file that there will be."""
    request_id = uuid7()
    publish(PriceListRequestedV1(request_id=request_id))
    return file_of(request_id)


@outside(
    "exports.write_price_list",
    limits=Limits(lease=30, longest=300),  # seconds; the lease is renewed while it works
    backoff=Backoff(first=1, longest=60),
    max_attempts=5,
)
def write_price_list(event: ReceivedEvent[PriceListRequestedV1]) -> None:
    """Write the file under another name, then rename it: run twice, it leaves one whole file."""
    file = file_of(event.data.request_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{uuid7()}")
    with unfinished.open("w", newline="") as output:
        rows = csv.writer(output)
        rows.writerow(["sku", "name", "price", "currency"])
        for product in Product.objects.order_by("sku").iterator():
            rows.writerow([product.sku, product.name, product.price, product.currency])
    unfinished.replace(file)


def file_of(request_id: UUID) -> Path:
    """Return where the price list of a request is, or will be."""
    return Path(settings.DATA_DIR) / "price-lists" / f"{request_id}.csv"
