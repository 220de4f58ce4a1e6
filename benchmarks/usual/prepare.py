"""Tables, products and buyers; prints the buyers' tokens as JSON. Arguments: {sku: pieces} as JSON, buyers."""

import json
import sys

import django


def main(pieces: dict[str, int], buyers: int) -> list[str]:
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from benchmarks.usual.shop.models import Product

    call_command("migrate", interactive=False, verbosity=0)
    Product.objects.bulk_create(Product(sku=sku, name=sku, price=5, stock=n) for sku, n in pieces.items())
    users = User.objects.bulk_create(User(username=f"b{n}", email=f"b{n}@example.com") for n in range(buyers))
    return [Token.objects.create(user=user).key for user in users]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
