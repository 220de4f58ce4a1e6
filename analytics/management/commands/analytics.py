"""manage.py analytics rebuild."""

import sys
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.days import DAY
from analytics.rebuild import Difference, NotWhole, first_whole_day, known_days, rebuild
from events.moments import is_settled, now

LOOK = 0.25  # seconds
SHOWN = 50  # differences that are printed one by one


class Command(BaseCommand):
    """Works on the sales figures."""

    help = "Make the sales figures anew from the events, day by day, while traffic goes on. Safe to repeat and to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the one action."""
        actions = parser.add_subparsers(dest="action", required=True)
        action = actions.add_parser("rebuild", help="compare each day with its events, and put right what differs")
        action.add_argument("--from", dest="start", type=date.fromisoformat, help="the first day (UTC)")
        action.add_argument("--to", dest="end", type=date.fromisoformat, help="the last day")
        action.add_argument("--check", action="store_true", help="change nothing; fail where something differs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rebuild, with a progress bar on standard error, and say what differed."""
        days = self._days(options["start"], options["end"])
        settled = _settled()
        found: list[Difference] = []
        try:
            with click.progressbar(days, label=f"{len(days)} days", file=sys.stderr) as bar:
                for day in bar:
                    found += rebuild(day, settled=settled, change=not options["check"])
        except NotWhole as error:
            raise CommandError(str(error)) from error
        self._tell(len(days), found, checked=options["check"])

    def _days(self, start: date | None, end: date | None) -> Sequence[date]:
        """Return the days to rebuild: those given, else all that there are figures or events of."""
        known = known_days()
        if not known:
            return []
        first, last = start or known[0], end or known[1]
        whole = first_whole_day()
        if whole and first < whole and start is None:
            self.stdout.write(
                f"events of the days before {whole} may be purged (EVENTS_KEEP_DAYS): those stay as they are"
            )
            first = whole
        return [first + number * DAY for number in range((last - first).days + 1)]

    def _tell(self, days: int, found: Sequence[Difference], *, checked: bool) -> None:
        for difference in found[:SHOWN]:
            self.stdout.write(_in_words(difference))
        if len(found) > SHOWN:
            self.stdout.write(f"and {len(found) - SHOWN} more")
        if not found:
            self.stdout.write(f"{days} days: the figures and the events match")
            return
        told = f"{days} days: {len(found)} figures of {len({one.key[0] for one in found})} days did not match"
        if checked:
            raise CommandError(f"{told}; nothing was changed")
        self.stdout.write(f"{told}; now they do")


def _settled() -> datetime:
    """Return a moment before which everything is committed, once that is so: in a second, or a minute at most."""
    moment = now()
    while not is_settled(moment):
        time.sleep(LOOK)
    return moment


def _in_words(difference: Difference) -> str:
    name, key = difference.table.removeprefix("analytics_"), " ".join(map(str, difference.key))
    return f"{name} {key}: {_sums(difference.was)}, by the events {_sums(difference.is_now)}"


def _sums(sums: tuple[Any, ...] | None) -> str:
    return " / ".join(map(str, sums)) if sums else "nothing"
