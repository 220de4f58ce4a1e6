"""manage.py migrate: Django's own, that runs once at a time and stops no orders while it waits for a lock."""

from functools import partial
from typing import Any

from django.core.management import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import Error as DatabaseError
from django.db import connections

from events.errors import in_one_line, is_database_away
from postgres.migrating import Patience, turn
from postgres.migrating import migrate as migrate_patiently


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout",
            type=float,
            default=Patience.lock_timeout,
            metavar="SECONDS",
            help="give up a lock after so long, so that traffic does not queue up behind it (%(default)g)",
        )
        parser.add_argument(
            "--attempts", type=int, default=Patience.attempts, help="tries to get each lock (%(default)d)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate when it is this command's turn. Raises CommandError for a lock that was never to be had."""
        patience = Patience(options.pop("lock_timeout"), options.pop("attempts"))
        if patience.lock_timeout <= 0 or patience.attempts < 1:
            raise CommandError("--lock-timeout takes more than 0 seconds, --attempts 1 or more")
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        connection = connections[options["database"]]
        try:
            with turn(connection, self._write):
                run = partial(super().handle, *args, **options)
                migrate_patiently(connection, run, patience=patience, tell=self._write)
        except DatabaseError as error:
            if not is_database_away(error):
                raise
            raise CommandError(f"the database is away: {in_one_line(error)}") from error

    def _write(self, text: str) -> None:
        self.stderr.write(text, self.style.WARNING)
