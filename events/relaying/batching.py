"""How many deliveries are claimed at once, and how many of them share a message.

A batch is as large as its handler declares (`batch`; settings.EVENTS["BATCH"] where it says nothing), which is copied
to the delivery when its event is published. What ran before goes alone: it may be what broke its batch.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from events.relaying.claims import Claimed
from events.subscriptions import the_map

LEAST = 25  # deliveries a claim, however small the batches: one statement and one commit for all of them
CLAIMS_OUT = 4  # claims of one queue that may be out with workers, so that one slow delivery keeps no claim waiting


def whole_claim(queue: str = "") -> int:
    """Return how many deliveries of a queue would be claimed at once if there were room, or of any queue at most."""
    batches = the_map().largest_batches
    return max(LEAST, batches.get(queue, 0) if queue else max(batches.values(), default=0))


def bound(queue: str) -> int:
    """Return how many of a queue's deliveries may be out with workers at once. The map may not know the queue."""
    consumer = the_map().consumers.get(queue)
    if consumer is None or consumer.in_flight is None:
        return CLAIMS_OUT * whole_claim(queue)
    return consumer.in_flight


def claim_size(queue: str) -> int:
    """Return how many of a queue's deliveries are claimed at once.

    Only whole claims are made: into any smaller room they would shrink to two or three deliveries each.
    """
    return max(1, min(whole_claim(queue), bound(queue) // CLAIMS_OUT))


def messages(deliveries: Sequence[Claimed]) -> Iterator[Sequence[Claimed]]:
    """Put the deliveries into messages: those of one handler together, as many as may share one."""
    by_handler: dict[tuple[str, int], list[Claimed]] = defaultdict(list)
    for delivery in deliveries:
        by_handler[delivery.handler, 1 if delivery.tries else delivery.batch].append(delivery)
    for (_, batch), group in by_handler.items():
        yield from (group[start : start + batch] for start in range(0, len(group), batch))
