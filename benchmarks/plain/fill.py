"""A backlog: accepts orders of three lines, one after the other, and has their work begin; prints how many.

python -m benchmarks.plain.fill COUNT celery|dramatiq|ordersite, with the DJANGO_SETTINGS_MODULE of the app.
"""

import random
import sys
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import django

SEED = 7
LINES = 3

Items = list[dict[str, Any]]
Place = Callable[[UUID, Items], object]


def main(count: int, kind: str) -> int:
    """Accept this many orders, the same ones each time, by the buyers in turn."""
    django.setup()
    from inventory.models import Product
    from users.models import User

    place = KINDS[kind]()
    skus = list(Product.objects.filter(is_active=True).order_by("sku").values_list("sku", flat=True))
    users = list(User.objects.order_by("id").values_list("id", flat=True))
    chance = random.Random(SEED)
    for number in range(1, count + 1):
        items = [{"sku": sku, "quantity": 1} for sku in chance.sample(skus, LINES)]
        place(users[number % len(users)], items)
        if number % 1_000 == 0:
            print(f"{number:,} of {count:,} orders", file=sys.stderr)
    return count


def by_celery() -> Place:
    """Return how an order is placed whose work Celery does."""
    from benchmarks.plain import tasks

    return _plain([task.delay for task in tasks.FIRST])


def by_dramatiq() -> Place:
    """Return how an order is placed whose work Dramatiq does."""
    from benchmarks.plain import actors

    return _plain([actor.send for actor in actors.FIRST])


def by_ordersite() -> Place:
    """Return how an order is placed in ours."""
    from orders.services import Item, place_order

    return lambda user_id, items: place_order(user_id=user_id, items=[Item(**item) for item in items])


def _plain(then: Sequence[Callable[[str], object]]) -> Place:
    from benchmarks.plain.orders import place

    return lambda user_id, items: place(user_id, items, *then)


KINDS = {"celery": by_celery, "dramatiq": by_dramatiq, "ordersite": by_ordersite}


if __name__ == "__main__":
    print(main(int(sys.argv[1]), sys.argv[2]))
