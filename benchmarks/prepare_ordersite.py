"""Tables, products and buyers; prints the buyers' tokens as JSON. Arguments: {sku: pieces} as JSON, buyers."""

import json
import sys
from decimal import Decimal
from typing import Any

import django


def main(pieces: dict[str, int], buyers: int) -> list[str]:
    """Fill the database that the environment names, as benchmarks/usual/prepare.py does for the other app."""
    django.setup()
    from knox.models import AuthToken

    return [AuthToken.objects.create(user=user)[1] for user in fill(pieces, buyers)]


def fill(pieces: dict[str, int], buyers: int) -> list[Any]:
    """Make the tables, these products and so many users; return the users. Django is set up."""
    from django.core.management import call_command

    from inventory import stock
    from inventory.catalogue import add_product
    from users.models import User

    call_command("migrate", interactive=False, verbosity=0)
    for sku, quantity in pieces.items():
        stock.adjust(add_product(sku=sku, name=sku, price=Decimal(5)), quantity=quantity, reason="opening stock")
    return list(User.objects.bulk_create(User(email=f"b{n}@example.com") for n in range(buyers)))


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
