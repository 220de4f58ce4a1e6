"""python -m tests.faults.releases.publish ROUNDS SUBJECT...: publishes about each subject, in each round, as the
release of DJANGO_SETTINGS_MODULE does.
"""

import sys
from importlib import import_module
from uuid import UUID

import django


def main(rounds: int, subjects: list[UUID]) -> None:
    django.setup()
    from django.conf import settings
    from django.db import transaction

    from events.publishing import publish

    release = import_module(settings.EVENTS["SUBSCRIPTIONS"])
    for _ in range(rounds):
        for subject in subjects:
            with transaction.atomic():
                publish(release.happened(subject))


if __name__ == "__main__":
    main(int(sys.argv[1]), [UUID(subject) for subject in sys.argv[2:]])
