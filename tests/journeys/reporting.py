"""Reports on the running system: how to ask for one, hold one in the middle, and look at what is left of it."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from events.tests.waiting import until
from tests.journeys.client import Api
from tests.journeys.system import LEASE, System

CANCELLED_WITHIN = 5  # seconds
BACK = LEASE + 120  # seconds until a worker that was killed is back, on a machine that is busy with other things


def ask(api: Api, kind: str = "orders") -> Any:
    days = [(datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (-30, 1)]
    answer = api.post("/reports", {"kind": kind, "from": days[0], "to": days[1], "format": "csv"})
    assert answer.status == 202, answer.body
    return answer.json


def shown(api: Api, report: Any) -> Any:
    return api.get(f"/reports/{report['id']}").json


def status(api: Api, report: Any) -> str:
    return str(shown(api, report)["status"])


def ready(api: Api, report: Any) -> list[dict[str, str]]:
    """Wait until it is ready, and return the lines of its file."""
    until("the report is ready", lambda: status(api, report) == "ready", seconds=BACK)
    answer = api.get(f"/reports/{report['id']}/download")
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/csv")
    return list(csv.DictReader(answer.body.decode().splitlines()))


def delivery(system: System, report: Any) -> tuple[Any, ...]:
    """Id, state and attempts of the report's delivery."""
    return system.delivery(report, "reports.build")


def handled(system: System, report: Any) -> int:
    """Wait until the report's delivery is done, which is written after the report is ready; return its attempts."""
    until("its delivery is done", lambda: delivery(system, report)[1] == "done")
    return int(delivery(system, report)[2])


def result(system: System, report: Any) -> tuple[str, Any]:
    """Status and what was told last, as django-celery-results has them."""
    rows = system.sql(
        "SELECT status, meta FROM django_celery_results_taskresult WHERE task_id = %s", delivery(system, report)[0]
    )
    return (rows[0][0], json.loads(rows[0][1])) if rows else ("", {})


def files(system: System, report: Any) -> list[str]:
    return [file.name for file in (system.folder / "reports").glob(f"{report['id']}.*")]


@contextmanager
def held(system: System) -> Iterator[None]:
    """No report that is begun in this block gets further than its moment: a transaction is open from before it."""
    with psycopg.connect(system.servers.database_url) as other:
        other.execute("SELECT 1")
        yield


@contextmanager
def under_way(system: System, api: Api, kind: str = "orders") -> Iterator[Any]:
    """A report in the middle: it waits for a transaction that was open before its moment, until the block ends."""
    with held(system):
        report = ask(api, kind)
        until("it is being built", lambda: status(api, report) == "running", seconds=BACK)
        until("its task tells of it", lambda: result(system, report)[0] == "PROGRESS")
        yield report


@contextmanager
def half_written(system: System, api: Api) -> Iterator[Any]:
    """A report whose file is begun: what it reads is locked until the block ends."""
    with psycopg.connect(system.servers.database_url) as lock:
        with under_way(system, api, "stock") as report:
            lock.execute("LOCK TABLE inventory_movement")  # younger than the report's moment, so not waited for
        until("its file is begun", lambda: files(system, report))
        yield report
