"""manage.py events list | show | tail | backfill."""

import sys
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from click import progressbar
from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.backfill import NotSubscribed, backfill, count_past
from events.event_text import line, page
from events.feed import follow, newest
from events.models import Event, PurgeMark
from events.purge import purged_until
from events.subscriptions import known_types

EVERY = 0.5  # seconds from one look to the next


class Command(BaseCommand):
    help = "List, show and follow events; give a newly subscribed handler the past ones that it missed."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="the newest, the oldest of them first")
        _add_filters(listing, count=50)
        actions.add_parser("show", help="one, whole, with its deliveries").add_argument("id", type=UUID)
        tail = actions.add_parser("tail", help="the newest, and with --follow each that comes")
        tail.add_argument("--follow", "-f", action="store_true", help="go on until Ctrl-C")
        _add_filters(tail, count=10)
        filling = actions.add_parser("backfill", help="insert missed deliveries; safe to repeat, and beside traffic")
        filling.add_argument("handler")
        filling.add_argument(
            "--from-the-beginning",
            action="store_true",
            help="also events whose done deliveries are purged: only for a handler that never ran",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        for event in newest(_wanted(options), options["count"]):
            self.stdout.write(line(event))

    def _show(self, options: dict[str, Any]) -> None:
        event = Event.objects.filter(pk=options["id"]).first()
        if event is None:
            raise CommandError(f"there is no event {options['id']}; `manage.py events list` shows the newest")
        for text in page(event):
            self.stdout.write(text)

    def _tail(self, options: dict[str, Any]) -> None:
        if not options["follow"]:
            self._list(options)
            return
        try:
            for event in follow(_wanted(options), shown=options["count"], every=EVERY):
                self.stdout.write(line(event))
                self.stdout.flush()
        except KeyboardInterrupt:
            self.stdout.write("")

    def _backfill(self, options: dict[str, Any]) -> None:
        handler, from_the_beginning = options["handler"], options["from_the_beginning"]
        made = 0
        try:
            total = count_past(handler, from_the_beginning=from_the_beginning)
            with progressbar(length=total, label=f"looking at {total} events", file=sys.stderr) as bar:
                for step in backfill(handler, from_the_beginning=from_the_beginning):
                    made += step.made
                    bar.update(step.looked_at)
        except NotSubscribed as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            told = f"interrupted: {made} deliveries made. What was made stays; run this again for the rest."
            raise CommandError(told, returncode=130) from None
        self.stdout.write(f"done: {made} deliveries made for {handler}")
        until = purged_until(PurgeMark.What.DELIVERIES)
        if until and not from_the_beginning:
            self.stdout.write(
                f"Events up to {until:%Y-%m-%d %H:%M:%S} UTC were left out: their done deliveries may be purged."
                " --from-the-beginning includes them, which is right only for a handler that never ran."
            )


def _count(text: str) -> int:
    """Return how many. Raises ArgumentTypeError, in words."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no number of events, such as 10")
    return int(text)


def _add_filters(parser: CommandParser, *, count: int) -> None:
    parser.add_argument("--type", help="its whole name, with its version")
    parser.add_argument("--subject", type=UUID, help="the id of what it is about")
    parser.add_argument("--request-id", dest="correlation_id", help="all that follows from this request")
    parser.add_argument("-n", type=_count, dest="count", default=count, help=f"how many: {count} unless given")


def _wanted(options: dict[str, Any]) -> dict[str, object]:
    """Return the filters. A type that never was is refused: it would look like a quiet day."""
    kind = options["type"]
    if kind and kind not in known_types() and not Event.objects.filter(type=kind).exists():
        raise CommandError(f"there is no event type {kind}: known are {', '.join(sorted(known_types()))}")
    return {name: options[name] for name in ("type", "subject", "correlation_id") if options[name]}
