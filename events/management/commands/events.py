"""manage.py events backfill HANDLER."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.backfill import NotSubscribed, backfill


class Command(BaseCommand):
    """Works on past events."""

    help = "Give a newly subscribed handler the past events that it missed. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the one action."""
        actions = parser.add_subparsers(dest="action", required=True)
        backfilling = actions.add_parser("backfill", help="insert missed deliveries")
        backfilling.add_argument("handler")
        backfilling.add_argument(
            "--from-the-beginning",
            action="store_true",
            help="older events too, whose done deliveries are purged: only for a handler that never ran",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Backfill, telling the count as it grows."""
        total = 0
        try:
            for made in backfill(options["handler"], from_the_beginning=options["from_the_beginning"]):
                total += made
                self.stdout.write(f"{total} deliveries made")
        except NotSubscribed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"done: {total} deliveries made for {options['handler']}")
