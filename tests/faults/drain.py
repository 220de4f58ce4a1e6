"""python -m tests.faults.drain QUEUE: runs what is due in a queue here, without messages, until nothing is left."""

import contextlib
import sys

import django

CLAIM = 50  # deliveries


def main(queue: str) -> None:
    django.setup()
    from celery.exceptions import Retry

    from events.handling.runner import run
    from events.models import Delivery
    from events.relaying import claims
    from events.subscriptions import the_map

    handlers = {handler.name: handler for group in the_map().subscriptions.values() for handler in group}
    while Delivery.objects.filter(queue=queue, state__in=["pending", "leased", "running"]).exists():
        found = claims.claim(queue, CLAIM)
        for delivery in found.deliveries if found else ():
            with contextlib.suppress(Retry):
                run(handlers[delivery.handler], {delivery.id: delivery.token}, worker="drain")


if __name__ == "__main__":
    main(sys.argv[1])
