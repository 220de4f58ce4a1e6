"""Reports for tests."""

import csv
from contextlib import closing
from datetime import date
from uuid import uuid4

from django.db.models.functions import Now

from analytics import files, reports
from analytics.models import Report
from analytics.tasks import build_report
from events.tests.helpers import received
from eventtypes.reports import ReportRequestedV1
from users.models import User

EVER = date(2000, 1, 1), date(9999, 12, 31)  # all days that there are


def ask(user: User, kind: str = "orders", days: tuple[date, date] = EVER, *, file_format: str = "csv") -> Report:
    return reports.request_report(user, kind=kind, start=days[0], end=days[1], file_format=file_format)


def build(report: Report) -> Report:
    """Do what the worker does, and return the report as it is then."""
    build_report(received(ReportRequestedV1(report_id=report.id)))
    return Report.objects.get(pk=report.pk)


def lines(report: Report) -> list[dict[str, str]]:
    """The lines of a report's file, by the names of their columns."""
    with closing(files.read(report.file)) as file:
        return list(csv.DictReader(file.read(-1).decode().splitlines()))


def ready_report(user: User) -> Report:
    """A report that can be downloaded."""
    report = Report.objects.create(
        user=user, kind="stock", format="csv", start=date(2025, 1, 1), end=date(2025, 1, 31), turn=uuid4(),
        status="running", as_of=Now(),
    )  # fmt: skip
    turn = reports.begin(report.id)
    assert turn
    with files.create(turn.file) as file:
        file.write("at,sku\r\n")
        size = files.keep(file, turn.file)
    assert reports.finish(turn, rows=0, size=size)
    return Report.objects.get(pk=report.pk)
