"""manage.py deadletters list | show | replay | discard | unusable."""

import getpass
import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from click import progressbar
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db.models import QuerySet

from events.errors import is_database_away
from events.letters import dead_letters
from events.letters.groups import groups
from events.letters.text import group_line, line, page
from events.models import DeadLetter, UnusableMessage

WHERE = "`manage.py deadletters list --groups` shows what there is"


class Command(BaseCommand):
    help = "List, show, replay and discard dead letters; list messages that no worker could use."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="the dead letters, in the order of their events")
        listing.add_argument("--groups", action="store_true", help="by handler and error, with counts")
        _add_filters(listing)
        actions.add_parser("show", help="one, whole").add_argument("id", type=UUID)
        _add_choice(actions.add_parser("replay", help="send again: one by id, or all that match"))
        discarding = actions.add_parser("discard", help="give up for good: one by id, or all that match")
        discarding.add_argument("--reason", required=True, help="why; it is kept with the letter")
        _add_choice(discarding)
        unusable = actions.add_parser("unusable", help="messages that no worker could use, the newest first; or one")
        unusable.add_argument("id", type=UUID, nargs="?", help="this one, whole")
        unusable.add_argument("--queue", help="its name, without .dlq")
        unusable.add_argument("--problem", choices=UnusableMessage.Problem.values)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the action; a refusal is a CommandError."""
        try:
            getattr(self, f"_{options['action']}")(options)
        except DatabaseError as error:
            if not is_database_away(error):
                raise
            raise CommandError(f"the database is away ({error}). What was done stays done; run this again.") from error
        except KeyboardInterrupt:
            raise CommandError("interrupted. What was done stays done; run this again.", returncode=130) from None
        except Exception as error:
            if not dead_letters.is_refusal(error):
                raise
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        if options["groups"]:
            self._list_groups(options)
            return
        count = 0
        for letter in _matching(options).defer("error_traceback").iterator():
            self.stdout.write(line(letter))
            count += 1
        self.stdout.write(f"{count} dead letters")

    def _list_groups(self, options: dict[str, Any]) -> None:
        if options["event_type"]:
            raise CommandError("a group may hold letters of several event types: leave --groups or --event-type out")
        _check_known(options)
        wanted = _filters(options).items()
        found = [g for g in groups() if all(getattr(g, name) == value for name, value in wanted)]
        for group in found:
            self.stdout.write(group_line(group))
        self.stdout.write(f"{sum(group.count for group in found)} dead letters in {len(found)} groups")

    def _show(self, options: dict[str, Any]) -> None:
        letter = dead_letters.letters().filter(pk=options["id"]).first()
        if letter is None:
            raise CommandError(f"{options['id']} is not a dead letter, and never was one; {WHERE}")
        for text in page(letter):
            self.stdout.write(text)

    def _replay(self, options: dict[str, Any]) -> None:
        chosen = _chosen(options)
        if options["dry_run"]:
            self._report(chosen, "replayed", lambda _: "sent again from the first attempt")
        elif options["id"]:
            dead_letters.replay(options["id"], by=_who())
            self.stdout.write("1 replayed")
        else:
            ids = list(chosen.values_list("id", flat=True))
            with progressbar(length=len(ids), label=f"replaying {len(ids)}", file=sys.stderr) as bar:
                count = dead_letters.replay_all(ids, by=_who(), progress=bar.update)
            self.stdout.write(f"{count} replayed")

    def _discard(self, options: dict[str, Any]) -> None:
        chosen = _chosen(options)
        if options["dry_run"]:
            self._report(chosen, "discarded", dead_letters.discard_effect)
            return
        if options["id"]:
            dead_letters.discard(options["id"], by=_who(), reason=options["reason"])
            self.stdout.write("1 discarded")
            return
        ids = list(chosen.values_list("id", flat=True))
        with progressbar(length=len(ids), label=f"discarding {len(ids)}", file=sys.stderr) as bar:
            count, failed = dead_letters.discard_all(ids, by=_who(), reason=options["reason"], progress=bar.update)
        self.stdout.write(f"{count} discarded")
        for letter_id, error in failed.items():
            self.stderr.write(f"{letter_id}: {error!r}")
        if failed:
            raise CommandError(f"{len(failed)} were not discarded and are as before, for the reasons above")

    def _report(self, chosen: QuerySet[DeadLetter], done: str, what: Callable[[str], str]) -> None:
        counts = Counter(chosen.values_list("handler", flat=True))
        for handler, count in sorted(counts.items()):
            self.stdout.write(f"{count:>7}  {handler}: {what(handler)}")
        self.stdout.write(f"{counts.total()} would be {done}; nothing is changed")

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
    parser.add_argument("--handler", help="its whole name: consumer.name")
    parser.add_argument("--event-type", help="its whole name, with its version")
    parser.add_argument("--fingerprint", help="letters with the same error, as `list --groups` shows")


def _add_choice(parser: CommandParser) -> None:
    parser.add_argument("id", type=UUID, nargs="?")
    parser.add_argument("--all", action="store_true", help="really all, where no filter is given")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    _add_filters(parser)


def _filters(options: dict[str, Any]) -> dict[str, str]:
    return {name: options[name] for name in ("handler", "event_type", "fingerprint") if options[name]}


def _matching(options: dict[str, Any]) -> QuerySet[DeadLetter]:
    _check_known(options)
    return dead_letters.dead_letters().filter(**_filters(options))


def _check_known(options: dict[str, Any]) -> None:
    """Refuse a slip of the pen, which would look like a queue without dead letters."""
    if options["handler"] and not dead_letters.is_known_handler(options["handler"]):
        raise CommandError(f"there is no handler {options['handler']}; {WHERE}")
    if options["event_type"] and not dead_letters.is_known_type(options["event_type"]):
        raise CommandError(f"there is no event type {options['event_type']}; {WHERE}")


def _chosen(options: dict[str, Any]) -> QuerySet[DeadLetter]:
    """Return the letters that the command is about; CommandError where it does not say which, or says it twice."""
    ways = [bool(options["id"]), bool(_filters(options)), options["all"]]
    if sum(ways) != 1:
        raise CommandError(
            "say which: an id; or --handler, --event-type, --fingerprint, or several of them; or --all. " + WHERE
        )
    if not options["id"]:
        return _matching(options)
    letter = dead_letters.dead_letters().filter(pk=options["id"])
    if not letter:
        raise CommandError(f"{options['id']} is not a dead letter, or no longer one; {WHERE}")
    return letter


def _who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = f"user {os.getuid()}"
    return f"{name} (shell)"
