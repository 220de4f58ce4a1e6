"""A backlog: accepts orders of three lines, one after the other, and has their work begin; prints how many.

python -m benchmarks.plain.fill COUNT celery|lean|dramatiq|ordersite, with the DJANGO_SETTINGS_MODULE of the app.
"""

import random
import sys
from collections.abc import Callable
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

    place = placing(kind)
    skus = list(Product.objects.filter(is_active=True).order_by("sku").values_list("sku", flat=True))
    users = list(User.objects.order_by("id").values_list("id", flat=True))
    chance = random.Random(SEED)
    for number in range(1, count + 1):
        items = [{"sku": sku, "quantity": 1} for sku in chance.sample(skus, LINES)]
        place(users[number % len(users)], items)
        if number % 1_000 == 0:
            print(f"{number:,} of {count:,} orders", file=sys.stderr)
    return count


def placing(kind: str) -> Place:
    """Return how an order is placed whose work this kind does."""
    if kind == "ordersite":
        from orders.services import Item, place_order

        return lambda user_id, items: place_order(user_id=user_id, items=[Item(**item) for item in items])
    from benchmarks.plain.orders import place

    then: list[Callable[[str], object]]
    if kind == "celery":
        from benchmarks.plain import tasks

        then = [task.delay for task in tasks.FIRST]
    elif kind == "lean":
        from benchmarks.plain import lean

        then = [lean.send_all]
    else:
        from benchmarks.plain import actors

        then = [actor.send for actor in actors.FIRST]
    return lambda user_id, items: place(user_id, items, *then)


if __name__ == "__main__":
    print(main(int(sys.argv[1]), sys.argv[2]))
