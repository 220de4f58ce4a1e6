"""python -m tests.faults.idle_polls SECONDS: runs a relay for so long while nothing is due.

Prints the milliseconds of a turn: the median of all, and the mean, in which a sweep has its share.
"""

import statistics
import sys
import time

import django


def main(seconds: float) -> None:
    django.setup()
    from celery import current_app

    from events.relaying.relay import Relay
    from events.relaying.sender import Sender
    from events.relaying.waiting import SOON

    relay, took = Relay(Sender(current_app)), []
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        relay.turn()
        took.append(1_000 * (time.monotonic() - began))
        time.sleep(SOON)
    sys.stdout.write(f"{statistics.median(took):.2f} {statistics.mean(took):.2f}\n")


if __name__ == "__main__":
    main(float(sys.argv[1]))
