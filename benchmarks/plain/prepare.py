"""Tables, products and buyers; prints the buyers' tokens as JSON. Arguments: {sku: pieces} as JSON, buyers."""

import json
import sys

import django

from benchmarks.prepare_ordersite import fill


def main(pieces: dict[str, int], buyers: int) -> list[str]:
    """Fill the database that the environment names, with the same as ours, and the tokens of another library."""
    django.setup()
    from rest_framework.authtoken.models import Token

    return [Token.objects.create(user=user).key for user in fill(pieces, buyers)]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
