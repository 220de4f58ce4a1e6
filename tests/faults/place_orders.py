"""python -m tests.faults.place_orders COUNT EMAIL SKU...: places orders through the service, without the web."""

import sys

import django


def main(count: int, email: str, skus: list[str]) -> None:
    django.setup()
    from orders.services import Item, place_order
    from users.models import User

    user = User.objects.get(email=email)
    for number in range(count):
        place_order(user_id=user.id, items=[Item(skus[number % len(skus)], 1)])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
