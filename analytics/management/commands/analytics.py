"""manage.py analytics rebuild."""

import sys
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.days import DAY, midnight
from analytics.rebuild import Busy, Difference, NotWhole, first_certain_day, first_whole_day, known_days, rebuild
from events.commit_horizon import now, until_settled
from rest.rfc3339 import parse_day

LOOK = 0.25  # seconds
TRIES = 20  # to keep the figures still; each waits for a second
SHOWN = 50  # differences that are printed one by one


class Command(BaseCommand):
    help = "Make the sales figures anew from the events, day by day, while traffic goes on. Safe to repeat and to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        action = actions.add_parser("rebuild", help="compare each day with its events, and put right what differs")
        action.add_argument("--from", dest="start", type=parse_day, help="the first day (UTC)")
        action.add_argument("--to", dest="end", type=parse_day, help="the last day")
        action.add_argument("--check", action="store_true", help="change nothing; fail where something differs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rebuild, with a progress bar on standard error, and say what differed."""
        days = self._days(options["start"], options["end"])
        settled = _settled()
        found: list[Difference] = []
        try:
            with click.progressbar(days, label=f"{len(days)} days", file=sys.stderr) as bar:
                for day in bar:
                    if midnight(day + DAY) > settled:  # a day that is not over: little is to have come since
                        settled = _settled()
                    found += _patiently(day, settled=settled, change=not options["check"])
        except (NotWhole, Busy) as error:
            raise CommandError(str(error)) from error
        self._report(len(days), found, checked=options["check"])

    def _days(self, start: date | None, end: date | None) -> Sequence[date]:
        """Return the days to rebuild: those given, else all that there are figures or events of."""
        known = known_days()
        if not known:
            return []
        first, last = start or known[0], end or known[1]
        if start and end and end < start:
            raise CommandError(f"--to {end} is before --from {start}")
        certain = max(filter(None, [first_whole_day(), first_certain_day()]), default=first)
        if first < certain and start is None:
            self.stdout.write(
                f"deliveries of the days before {certain} are purged (EVENTS_KEEP_DONE_DAYS): those stay as they are"
            )
            first = certain
        elif first < certain:
            self.stdout.write(
                f"of the days before {certain} every event counts, with its own data: which were discarded or edited"
                " is purged (EVENTS_KEEP_DONE_DAYS)"
            )
        return [first + number * DAY for number in range((last - first).days + 1)]

    def _report(self, days: int, found: Sequence[Difference], *, checked: bool) -> None:
        for difference in found[:SHOWN]:
            self.stdout.write(_describe(difference))
        if len(found) > SHOWN:
            self.stdout.write(f"and {len(found) - SHOWN} more")
        if not found:
            self.stdout.write(f"{days} days: the figures and the events match")
            return
        told = f"{days} days: {len(found)} figures of {len({one.key[0] for one in found})} days did not match"
        if checked:
            raise CommandError(f"{told}; nothing was changed")
        self.stdout.write(f"{told}; now they do")


def _patiently(day: date, *, settled: datetime, change: bool) -> Sequence[Difference]:
    """Rebuild a day, and try again where the figures are just being written. Raises Busy after TRIES."""
    for _ in range(TRIES - 1):
        try:
            return rebuild(day, settled=settled, change=change)
        except Busy:
            time.sleep(LOOK)
    return rebuild(day, settled=settled, change=change)


def _settled() -> datetime:
    """Return a moment before which everything is committed, once that is so: in a second, or a minute at most."""
    moment = now()
    for _ in until_settled(moment):
        pass
    return moment


def _describe(difference: Difference) -> str:
    name, key = difference.table.removeprefix("analytics_"), " ".join(map(str, difference.key))
    return f"{name} {key}: {_sums(difference.was)}, by the events {_sums(difference.is_now)}"


def _sums(sums: tuple[Any, ...] | None) -> str:
    return " / ".join(map(str, sums)) if sums else "nothing"
