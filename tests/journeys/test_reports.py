"""Reports asked for, watched, cut off and downloaded, on the running system."""

from concurrent.futures import ThreadPoolExecutor

import redis

from events.tests.waiting import until
from tests.journeys.client import Api
from tests.journeys.reporting import (
    CANCELLED_WITHIN,
    ask,
    delivery,
    files,
    half_written,
    handled,
    ready,
    result,
    status,
    under_way,
)
from tests.journeys.system import System

SKU = "TEA-GENMAICHA-100"
WORKER = "worker-reports"
SPOILT = "UPDATE analytics_dailysales SET orders = orders + 7 WHERE status = 'pending' RETURNING day"


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
    assert handled(system, report) >= 2
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
    assert handled(system, report) == 1


def test_a_report_that_is_cancelled_stops_within_five_seconds(system: System, staff: Api) -> None:
    with under_way(system, staff) as report:
        assert staff.delete(f"/reports/{report['id']}").status == 204
        until("the work has ended", lambda: delivery(system, report)[1] == "done", seconds=CANCELLED_WITHIN)
    assert status(staff, report) == "cancelled"
    assert staff.get(f"/reports/{report['id']}/download").status == 410
    assert files(system, report) == []


def test_spoilt_figures_are_put_right_while_orders_come_in(system: System, ada: Api) -> None:
    ada.order(SKU)
    until("it is counted", lambda: system.sql(SPOILT))
    placed = 0
    with ThreadPoolExecutor(1) as pool:
        rebuilt = pool.submit(system.run, "manage.py", "analytics", "rebuild")
        while not rebuilt.done():
            ada.order(SKU)
            placed += 1
    assert placed > 1
    assert "did not match; now they do" in rebuilt.result()
    assert "the figures and the events match" in system.run("manage.py", "analytics", "rebuild", "--check")
