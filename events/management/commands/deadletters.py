"""manage.py deadletters list | show | replay | discard | unusable."""

import getpass
import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from rest_framework.exceptions import APIException

from events.dead_letters import dead_letters, discard, replay_all
from events.models import DeadLetter, UnusableMessage


class Command(BaseCommand):
    """The dead letters from a shell."""

    help = "List, show, replay and discard dead letters; list messages that no worker could use."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the actions and their filters."""
        actions = parser.add_subparsers(dest="action", required=True)
        _add_filters(actions.add_parser("list", help="the dead letters, the oldest first"))
        actions.add_parser("show", help="one, whole").add_argument("id", type=UUID)
        replaying = actions.add_parser("replay", help="send again: one by id, or all that match")
        replaying.add_argument("id", type=UUID, nargs="?")
        replaying.add_argument("--all", action="store_true", help="really all, where no filter is given")
        _add_filters(replaying)
        discarding = actions.add_parser("discard", help="give one up for good")
        discarding.add_argument("id", type=UUID)
        discarding.add_argument("--reason", required=True)
        unusable = actions.add_parser("unusable", help="messages that no worker could use, the newest first; or one")
        unusable.add_argument("id", type=UUID, nargs="?", help="this one, whole")
        unusable.add_argument("--queue", help="for example inventory")
        unusable.add_argument("--problem", choices=UnusableMessage.Problem.values)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the action; a refusal is a CommandError."""
        try:
            getattr(self, f"_{options['action']}")(options)
        except APIException as error:
            raise CommandError(str(error.detail)) from error

    def _list(self, options: dict[str, Any]) -> None:
        letters = _filtered(options)
        for letter in letters:
            self.stdout.write(
                f"{letter.id}  {letter.consumer}.dlq  {letter.handler}  {letter.reason}  {_first_line(letter)}"
            )
        self.stdout.write(f"{len(letters)} dead letters")

    def _show(self, options: dict[str, Any]) -> None:
        letter = dead_letters().filter(pk=options["id"]).first()
        if letter is None:
            raise CommandError(f"{options['id']} is not a dead letter")
        event = letter.event
        facts = {
            "id": letter.id,
            "queue": f"{letter.consumer}.dlq",
            "handler": letter.handler,
            "event": f"{event.type} {event.id}",
            "subject": letter.subject,
            "request id": event.correlation_id,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "died": letter.handled_at,
            "error": f"{letter.error_type}: {letter.error_message}",
            "data": json.dumps(letter.edited_data or event.data, indent=2),
        }
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value}")
        self.stdout.write(letter.error_traceback)

    def _replay(self, options: dict[str, Any]) -> None:
        if not (options["id"] or options["handler"] or options["event_type"] or options["all"]):
            raise CommandError("say which: an id, --handler, --event-type, or --all")
        letters = list(_filtered(options).values_list("id", flat=True))
        if options["id"] and not letters:
            raise CommandError(f"{options['id']} is not a dead letter")
        self.stdout.write(f"{replay_all(letters, by=_who())} replayed")

    def _discard(self, options: dict[str, Any]) -> None:
        discard(options["id"], by=_who(), reason=options["reason"])
        self.stdout.write("discarded")

    def _unusable(self, options: dict[str, Any]) -> None:
        wanted = {"pk": options["id"], "queue": options["queue"], "problem": options["problem"]}
        messages = UnusableMessage.objects.filter(**{name: value for name, value in wanted.items() if value})
        if options["id"] and not messages:
            raise CommandError(f"{options['id']} is not kept here")
        for m in messages:
            self.stdout.write(f"{m.id}  {m.received_at:%Y-%m-%d %H:%M:%S}  {m.queue}  {m.problem}  {m.detail[:120]}")
            if options["id"]:
                self.stdout.write(f"{m.size} bytes, read by {m.worker}:\n{m.raw}")
        self.stdout.write(f"{len(messages)} messages")


def _add_filters(parser: CommandParser) -> None:
    parser.add_argument("--handler", help="for example inventory.reserve_items")
    parser.add_argument("--event-type", help="for example order.created.v1")


def _filtered(options: dict[str, Any]) -> QuerySet[DeadLetter]:
    wanted = {"pk": options.get("id"), "handler": options["handler"], "event_type": options["event_type"]}
    return dead_letters().filter(**{name: value for name, value in wanted.items() if value})


def _first_line(letter: DeadLetter) -> str:
    return f"{letter.error_type}: {letter.error_message}".split("\n", 1)[0][:120]


def _who() -> str:
    return f"{getpass.getuser()} (shell)"
