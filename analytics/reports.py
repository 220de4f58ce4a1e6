"""Writes of reports: asking for one, each step of its life, and what beat tidies up. Each a conditional update."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now
from rest_framework.exceptions import APIException

from analytics import files
from analytics.models import Report
from analytics.selectors import unfinished
from events.models import Delivery, State
from events.publishing import publish
from events.purge import purge_rows
from eventtypes.reports import ReportRequestedV1
from users.models import User

Status = Report.Status
BUILD = "reports.build"  # the handler
BUILDABLE = (Status.PENDING, Status.RUNNING, Status.FAILED)  # failed: its dead letter was replayed
GIVEN_UP = "It was tried several times, and failed each time. Those who run the site see why in reports.dlq."


@dataclass(frozen=True)
class Turn:
    """A worker's turn at a report: what is to be written, and the token without which it may change nothing."""

    report_id: UUID
    token: UUID
    kind: str
    format: str
    start: date
    end: date
    as_of: datetime
    again: bool  # it was begun before, and did not come to an end

    @property
    def file(self) -> str:
        return files.name_of(self.report_id, self.token)


class TooManyReports(APIException):
    status_code = 429
    default_code = "too_many_reports"
    wait = 30  # seconds until it is worth another try

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} reports under way, and may have no more. Wait for one, or cancel one.")


@transaction.atomic
def request_report(user: User, *, kind: str, start: date, end: date, file_format: str) -> Report:
    """Note that a report is wanted, and publish report.requested: a worker builds it. Raises TooManyReports."""
    # Two requests at once are counted one after the other. NO KEY: orders of the same person do not wait for this.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    most = settings.REPORTS["RUNNING"]
    if unfinished().filter(user=user).count() >= most:
        raise TooManyReports(most)
    report = Report.objects.create(user=user, kind=kind, start=start, end=end, format=file_format)
    publish(ReportRequestedV1(report_id=report.id))
    return Report.objects.get(pk=report.pk)


def begin(report_id: UUID) -> Turn | None:
    """Take a report up, from its beginning; None where nobody waits for it any more, or it is ready."""
    token = uuid4()
    again = Report.objects.filter(pk=report_id, as_of__isnull=False).exists()
    Report.objects.filter(pk=report_id, status__in=BUILDABLE).update(
        status=Status.RUNNING,
        turn=token,
        progress=0,
        error="",
        as_of=Coalesce("as_of", Now()),
        started_at=Coalesce("started_at", Now()),
        finished_at=None,
    )
    report = Report.objects.filter(pk=report_id, turn=token).first()
    if report is None or report.as_of is None:
        return None
    return Turn(report_id, token, report.kind, report.format, report.start, report.end, report.as_of, again)


def advance(turn: Turn, progress: int) -> bool:
    """Note how far it is, in percent; False where it was cancelled, or another worker has it."""
    return bool(_mine(turn).update(progress=progress))


def is_under_way(report_id: UUID) -> bool:
    return Report.objects.filter(pk=report_id, status=Status.RUNNING).exists()


def finish(turn: Turn, *, rows: int, size: int) -> bool:
    """Make the turn's file the report's; False where it was cancelled, or another worker has it. `size` in bytes."""
    expires_at = Now() + timedelta(days=settings.REPORTS["KEEP_DAYS"])
    ready = {"progress": 100, "file": turn.file, "rows": rows, "size": size, "expires_at": expires_at}
    return bool(_end(_mine(turn), Status.READY, **ready))


def fail(turn: Turn, reason: str) -> bool:
    """Give it up, with a reason for who asked; False where it was cancelled, or another worker has it."""
    return bool(_end(_mine(turn), Status.FAILED, error=reason))


@transaction.atomic
def cancel(report_id: UUID) -> None:
    """Give a report up for who asked, whatever its state, and remove its file. Whoever builds it stops."""
    report = Report.objects.select_for_update(no_key=True).exclude(status=Status.EXPIRED).filter(pk=report_id).first()
    if report is not None:
        _end(Report.objects.filter(pk=report_id), Status.CANCELLED, file="")
        # Robust: where this is lost, or fails, the file is a stray, which beat removes.
        transaction.on_commit(lambda: files.remove(report.file), robust=True)


def tidy() -> dict[str, int]:
    """Expire what is old enough, fail what the bus gave up, remove files that are no report's; return how many."""
    expired = _end(Report.objects.filter(status=Status.READY, expires_at__lt=Now()), Status.EXPIRED, file="")
    return {"expired": expired, "given up": _fail_given_up(), "stray files": _remove_strays()}


def _fail_given_up() -> int:
    """Fail the reports whose delivery is a dead letter, such as that of a worker that was lost each time."""
    over = Delivery.objects.filter(  # by the events, whose index has the subject
        event__subject__in=unfinished().values("id"), handler=BUILD, state__in=[State.DEAD, State.DISCARDED]
    )
    return _end(unfinished().filter(pk__in=over.values("event__subject")), Status.FAILED, error=GIVEN_UP)


def _remove_strays() -> int:
    """Remove the files that no report has and nobody writes: a killed worker's, and those of expired reports."""
    found = {name for name in files.names() if _is_ours(name)}  # before the rows: so what is begun later is not in it
    reports = Report.objects.filter(pk__in={name.partition(".")[0] for name in found})
    strays = found - {_file_of(report) for report in reports}
    for name in strays:
        files.remove(name)
    return len(strays)


def purge_reports(*, older_than_days: int) -> int:
    """Delete the rows of reports that ended, or expired, more than so many days ago; return how many."""
    old = Now() - timedelta(days=older_than_days)
    ended = Report.objects.filter(status__in=[Status.FAILED, Status.CANCELLED], finished_at__lt=old)
    return purge_rows(ended) + purge_rows(Report.objects.filter(status=Status.EXPIRED, expires_at__lt=old))


def _mine(turn: Turn) -> QuerySet[Report]:
    return Report.objects.filter(pk=turn.report_id, status=Status.RUNNING, turn=turn.token)


def _end(reports: QuerySet[Report], status: Report.Status, **changes: Any) -> int:
    return reports.update(status=status, finished_at=Coalesce("finished_at", Now()), **changes)


def _file_of(report: Report) -> str:
    """Return the name of the file that it has, or is being written; "" for none."""
    if report.status == Status.RUNNING and report.turn:
        return files.name_of(report.id, report.turn)
    return report.file


def _is_ours(name: str) -> bool:
    """Tell whether the name is one that files.name_of() gives: whatever else lies there is not ours to remove."""
    try:
        report_id, turn, _ = name.split(".")
        return name == files.name_of(UUID(report_id), UUID(turn))
    except ValueError:
        return False
