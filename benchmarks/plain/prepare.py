"""Tables, products and buyers; prints their tokens and ids as JSON. Arguments: {sku: pieces} as JSON, buyers."""

import json
import sys
from decimal import Decimal

import django


def main(pieces: dict[str, int], buyers: int) -> dict[str, list[str]]:
    """Fill the database that the environment names, as benchmarks/prepare_ordersite.py does for ours."""
    django.setup()
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from inventory import stock
    from inventory.catalogue import add_product
    from users.models import User

    call_command("migrate", interactive=False, verbosity=0)
    for sku, quantity in pieces.items():
        stock.adjust(add_product(sku=sku, name=sku, price=Decimal(5)), quantity=quantity, reason="opening stock")
    users = User.objects.bulk_create(User(email=f"b{n}@example.com") for n in range(buyers))
    return {
        "tokens": [Token.objects.create(user=user).key for user in users],
        "users": [str(user.pk) for user in users],
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
