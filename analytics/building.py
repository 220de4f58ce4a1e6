"""Builds a report: outside of any transaction, chunk by chunk, into a file of its own.

It may be killed anywhere, and run twice at once. Who has the report's turn goes on; everybody else stops at the next
chunk and leaves nothing behind.
"""

import csv
import errno
import logging
import time
from contextlib import suppress
from datetime import datetime
from typing import TextIO
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from analytics import files, reports
from analytics.days import DAY, midnight
from analytics.reports import Turn
from analytics.sources import Source, sources
from events.commit_horizon import until_settled
from events.errors import DependencyAway, PermanentError
from events.jobs import give_way, report_progress
from postgres.replica import each_from, source_of_now
from values.csv_text import harmless, mark

logger = logging.getLogger(__name__)

LONGEST_REST = 3.0  # seconds: a report that is cancelled, or whose worker is told to end, stops after it
FULL = (errno.ENOSPC, errno.EDQUOT)

DISK_FULL = "There is no room for the file on the site's disk. Ask again once those who run the site have made some."
TOO_LONG = "It takes longer than a report may. Ask for a shorter period."
NO_SUCH_KIND = "There are no reports of this kind any more."


class Ended(Exception):
    """The report was cancelled, or another worker has it: nobody waits for what this one does."""


class Elsewhere(DependencyAway):
    """Another worker has the report: the delivery, if it still is this one's, is looked at again later, uncounted."""


def build(report_id: UUID) -> None:
    """Build a report; one that is cancelled, or ready, is done. Run again, it begins anew, as of the same moment.

    Raises PermanentError, once the report has failed with a reason that a person understands; WorkerEnding where the
    worker is told to end; and whatever may pass with another try.
    """
    turn = reports.begin(report_id)
    if turn is None:
        return
    try:
        _build(turn)
    except Ended as error:
        if reports.is_under_way(report_id):  # should the other one be lost, somebody has to build it
            raise Elsewhere("another worker builds this report") from error
        logger.info("report %s was cancelled", report_id)
    except SoftTimeLimitExceeded as error:
        _fail(turn, TOO_LONG, error)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _fail(turn, DISK_FULL, error)


def period(turn: Turn) -> tuple[datetime, datetime]:
    """Return the moments between which a report reads, the second not included: its days, up to `as_of` at most."""
    over = turn.end < turn.as_of.date()
    return midnight(turn.start), midnight(turn.end + DAY) if over else turn.as_of


def _build(turn: Turn) -> None:
    source = sources().get(turn.kind)
    if source is None:
        _fail(turn, NO_SUCH_KIND, None)
        return
    _report_progress(turn, 0)
    # Until all that was written before `as_of` can be read: a second, or as long as a transaction is open.
    for _ in until_settled(turn.as_of):
        _go_on(turn, 0)
    try:
        with files.create(turn.file) as file:
            rows = _write(turn, source, file)
            size = files.keep(file, turn.file)
    except BaseException:
        files.abandon(turn.file)  # nothing half written is left
        raise
    if not reports.finish(turn, rows=rows, size=size):  # should this raise, it may be done: beat removes strays
        with suppress(DependencyAway):
            files.remove(turn.file)
        raise Ended
    _report_progress(turn, 100)


def _write(turn: Turn, source: Source, file: TextIO) -> int:
    """Write the rows, chunk by chunk, and return how many they are; the header does not count."""
    since, until = period(turn)
    file.write(mark(turn.format))
    writer = csv.writer(file)
    writer.writerow(source.columns)
    rows, told, began = 0, 0, time.monotonic()
    # The rows never change, so a replica that has them all gives the same as the primary. What failed once may have
    # failed because of the replica.
    database = DEFAULT_DB_ALIAS if turn.again else source_of_now()
    logger.info("report %s is read from the database %s", turn.report_id, database)
    for reached, chunk in each_from(database, source.read(since, until, turn.as_of)):
        for row in chunk:
            writer.writerow([harmless(value) for value in row])
        rows += len(chunk)
        percent = share(since, reached, until)
        _go_on(turn, percent)
        if percent > told:
            _report_progress(turn, percent)
            told = percent
        time.sleep(rest(time.monotonic() - began, settings.REPORTS["PACE"]))
        _go_on(turn, percent)
        began = time.monotonic()
    return rows


def rest(worked: float, pace: int) -> float:
    """Return the seconds to rest after so many of work, for these percent of work in all; LONGEST_REST at most."""
    return min(LONGEST_REST, worked * (100 - pace) / pace)


def share(since: datetime, reached: datetime, until: datetime) -> int:
    """Return how much of the period has been read, in percent; never all of it: then the file is not whole yet."""
    return min(99, int(100 * (reached - since) / (until - since))) if until > since else 99


def _go_on(turn: Turn, percent: int) -> None:
    """Note how far it is. Raises Ended where nobody waits for it, and WorkerEnding."""
    if not reports.advance(turn, percent):
        raise Ended
    give_way()


def _report_progress(turn: Turn, percent: int) -> None:
    report_progress(percent, report_id=str(turn.report_id), kind=turn.kind)


def _fail(turn: Turn, reason: str, error: BaseException | None) -> None:
    """Raise PermanentError, once the report says why; where it was cancelled meanwhile, there is nothing to tell."""
    if reports.fail(turn, reason):
        raise PermanentError(reason) from error
