"""Reports asked for, watched, cut off and downloaded, on the running system."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import redis

from events.tests.waiting import until
from tests.journeys.client import Api
from tests.journeys.system import LEASE, System

SKU = "TEA-GENMAICHA-100"
WORKER = "worker-reports"
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


def result(system: System, report: Any) -> tuple[str, Any]:
    """Status and what was told last, as django-celery-results has them."""
    rows = system.sql(
        "SELECT status, meta FROM django_celery_results_taskresult WHERE task_id = %s", delivery(system, report)[0]
    )
    return (rows[0][0], json.loads(rows[0][1])) if rows else ("", {})


def files(system: System, report: Any) -> list[str]:
    return [file.name for file in (system.folder / "reports").glob(f"{report['id']}.*")]


@contextmanager
def under_way(system: System, api: Api, kind: str = "orders") -> Iterator[Any]:
    """A report in the middle: it waits for a transaction that was open before its moment, until the block ends."""
    with psycopg.connect(system.servers.database_url) as other:
        other.execute("SELECT 1")
        report = ask(api, kind)
        until("it is being built", lambda: status(api, report) == "running")
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


def test_a_report_is_asked_for_watched_and_downloaded(system: System, ada: Api, staff: Api) -> None:
    order = ada.order(SKU, 3)
    report = ask(staff)
    mine = [line for line in ready(staff, report) if line["number"] == order["number"]]
    assert [(line["total"], line["pieces"]) for line in mine] == [(order["total"], "3")]
    assert len(files(system, report)) == 1
    until("the result is kept", lambda: result(system, report)[0] == "SUCCESS")
    told = result(system, report)[1]
    assert (told["report_id"], told["progress"]) == (report["id"], 100)
    until("Flower shows it", lambda: system.flower_state(delivery(system, report)[0]) == "SUCCESS")
    assert ada.get(f"/reports/{report['id']}").status == 404


def test_a_worker_killed_in_the_middle_and_a_wiped_broker_cost_a_lease_and_make_one_file(
    system: System, staff: Api
) -> None:
    with half_written(system, staff) as report:
        system.supervisor.processes[WORKER].kill()
        with redis.Redis.from_url(system.environment["BROKER_URL"]) as broker:
            broker.flushall()
    assert ready(staff, report)
    assert delivery(system, report)[1] == "done"
    assert delivery(system, report)[2] >= 2
    with system.celery() as celery:  # what beat does each minute
        celery.send_task("analytics.tidy_reports", queue="maintenance")
    until("what was half written is gone", lambda: len(files(system, report)) == 1)


def test_a_worker_that_is_told_to_end_gives_the_report_to_the_next_one(system: System, staff: Api) -> None:
    process = system.supervisor.processes[WORKER]
    with under_way(system, staff) as report:
        process.ask_to_stop()
        try:
            until("the worker has ended", lambda: process.pid is None)
            assert status(staff, report) == "running"
            assert delivery(system, report)[2] == 0  # attempts; the relay may have leased it again
        finally:
            process.stop(1)
            process.start()
    assert ready(staff, report)
    assert delivery(system, report)[1:] == ("done", 1)


def test_a_report_that_is_cancelled_stops_within_five_seconds(system: System, staff: Api) -> None:
    with under_way(system, staff) as report:
        assert staff.delete(f"/reports/{report['id']}").status == 204
        until("the work has ended", lambda: delivery(system, report)[1] == "done", seconds=CANCELLED_WITHIN)
    assert status(staff, report) == "cancelled"
    assert staff.get(f"/reports/{report['id']}/download").status == 410
    assert files(system, report) == []


def test_the_figures_match_the_events_while_orders_come_in(system: System, ada: Api) -> None:
    ada.order(SKU)
    assert "the figures and the events match" in system.run("manage.py", "analytics", "rebuild")
