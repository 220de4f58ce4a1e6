"""manage.py status: the operations page for a terminal."""

import json
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError
from django.db import connection

from events.errors import is_database_away
from events.operations.figures import SPANS, figures
from events.operations.processes import processes
from events.operations.text import as_text

CLEAR = "\033[H\033[J"


class Command(BaseCommand):
    help = (
        "Show processes, queues, handlers and what went wrong; exit status 1 where a process is down or a queue stuck."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--last", choices=list(SPANS), default="hour", help="the time that is summed up")
        parser.add_argument(
            "--watch", nargs="?", type=float, const=2.0, metavar="SECONDS", help="again every 2 s, until Ctrl-C"
        )
        parser.add_argument("--json", action="store_true", help="for a program")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show it, once or again and again. Raises CommandError while the database is away, unless it is watched."""
        if options["watch"] is None:
            self._once(options)
            return
        if options["watch"] <= 0:
            raise CommandError("--watch takes seconds, more than 0")
        try:
            while True:
                self._again(options)
                time.sleep(options["watch"])
        except KeyboardInterrupt:
            return

    def _once(self, options: dict[str, Any]) -> None:
        try:
            found, seen = figures(options["last"]), processes()
        except DatabaseError as error:
            if not is_database_away(error):
                raise
            raise CommandError(f"the database is away: {error}") from error
        if options["json"]:
            self.stdout.write(
                json.dumps({**asdict(found), "processes": [asdict(each) for each in seen]}, cls=DjangoJSONEncoder)
            )
        else:
            self.stdout.write(as_text(found, seen, options["last"]))
        if not all(process.up for process in seen) or found.is_stuck:
            raise SystemExit(1)

    def _again(self, options: dict[str, Any]) -> None:
        try:
            text = as_text(figures(options["last"]), processes(), options["last"])
        except DatabaseError as error:
            if not is_database_away(error):
                raise
            connection.close()
            text = f"The database is away: {error}".strip()
        clear = CLEAR if self.stdout.isatty() else ""
        self.stdout.write(f"{clear}{text}\n{time.strftime('%X')}, Ctrl-C ends this")
