"""The data of the operations page, and the same in a terminal."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from celery.beat import Service
from django.conf import settings as site
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client
from django_celery_results.models import TaskResult
from redis import Redis

from events import commit_horizon, floors
from events.operations.availability import READ_ONLY
from events.operations.beat import most_frequent_job
from events.operations.processes import BEAT, processes
from events.relaying.watchdog import Watchdog
from events.statistics import snapshots, tally
from events.tests.helpers import handler, nothing, published, run
from events.tests.servers import a_transaction, read_only_database
from events.tests.waiting import until
from ordersite.celery import app
from ordersite.subscriptions import CONSUMERS
from testing.api import admin_client, client_of
from testing.processes import COMPLETE, run_python
from testing.shop import RECEIVED, RESERVE, a_dead_letter, order_created
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)
DATA, HEALTH = "/admin/operations/data", "/admin/operations/health"


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """One order was placed and one reserved, one mail is a dead letter, and all of it is counted."""
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)
    tally.advance()
    published(order_created())
    run(handler(nothing, RESERVE))
    a_dead_letter(RECEIVED)
    tally.sample()
    while tally.advance():
        pass


def make_staff() -> User:
    return User.objects.create_user("clerk@example.com", is_staff=True)


def figures(browser: Client, last: str = "hour") -> Any:
    answer = browser.get(DATA, {"last": last})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


@pytest.mark.parametrize(("last", "steps"), [("hour", 60), ("day", 96), ("week", 84)])
def test_every_chart_has_a_value_for_each_step(happened: None, browser: Client, last: str, steps: int) -> None:
    found = figures(browser, last)
    assert len(found["starts"]) == steps
    lines = [line for chart in found["charts"].values() for line in chart.values()]
    assert {len(line) for line in lines} == {steps}
    assert sum(found["charts"]["orders"]["placed"]) == 2
    assert sum(found["charts"]["handled"]["inventory"]) == 1
    assert sum(found["charts"]["trouble"]["dead letters"]) == 1
    assert max(found["charts"]["backlog"]["analytics"]) >= 1
    assert len([value for value in found["charts"]["durations"]["p99"] if value]) == 1


def test_handlers_and_queues_are_told(happened: None, browser: Client) -> None:
    found = figures(browser)
    done = {each["name"]: (each["done"], each["failed"], each["dead"]) for each in found["handlers"]}
    assert (done[RESERVE], done[RECEIVED]) == ((1, 0, 0), (0, 1, 1))
    queues = {queue["name"]: queue for queue in found["queues"]}
    assert (queues["notifications"]["dead"], queues["inventory"]["dead"]) == (1, 0)
    assert "events/deadletter/?consumer=notifications" in queues["notifications"]["letters"]
    assert browser.get(queues["notifications"]["letters"]).status_code == 200
    assert found["counted_until"]


def test_an_unknown_time_is_refused_in_words(browser: Client) -> None:
    answer = browser.get(DATA, {"last": "year"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "last is one of hour, day, week."})


def test_processes_that_are_not_there_are_told(browser: Client) -> None:
    found = {each["name"]: each["up"] for each in browser.get(HEALTH).json()["processes"]}
    assert found == {"database": True, "broker": True, "relay": False, "beat": False, "vacuum": True} | {
        f"worker of {queue}": False for queue in (*CONSUMERS, "maintenance")
    }


@pytest.fixture
def beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A beat at work; what it sends nobody takes, and no worker answers late."""
    monkeypatch.setattr("events.operations.processes.INSPECT_TIMEOUT", 0.3)
    often: Any = 0.1  # its types know whole seconds only
    service = Service(app, schedule_filename=str(tmp_path / "schedule"), max_interval=often)
    thread = Thread(target=service.start)
    thread.start()
    try:
        yield
    finally:
        service.stop()
        thread.join()
        with Redis.from_url(site.BROKER_URL) as broker:
            broker.delete("maintenance")


def a_job_began(seconds: float) -> None:
    """A job of beat's began so long ago."""
    TaskResult.objects.get_or_create(task_id="a", status="SUCCESS", periodic_task_name="any")
    TaskResult.objects.update(date_created=Now() - timedelta(seconds=seconds))


def beat_is_up() -> bool:
    cache.clear()
    return next(each.up for each in processes() if each.name == "beat")


def test_beat_is_up_where_it_answers_and_its_jobs_run(beat: None) -> None:
    until("it answers", lambda: app.control.inspect(**BEAT).ping())
    assert not beat_is_up()
    a_job_began(seconds=3_600)
    assert not beat_is_up()
    a_job_began(seconds=5)
    assert beat_is_up()


def test_beat_is_down_while_nobody_answers_though_a_job_ran_lately() -> None:
    a_job_began(seconds=5)
    assert not beat_is_up()


def test_beat_sends_its_most_frequent_job_at_its_start(beat: None) -> None:
    with Redis.from_url(site.BROKER_URL) as broker:
        until("a job is sent", lambda: broker.llen("maintenance"))
        sent = json.loads(broker.lindex("maintenance", 0))["headers"]
    name, period = most_frequent_job()
    assert sent["periodic_task_name"] == name
    assert period == min(
        job["schedule"] for job in site.CELERY_BEAT_SCHEDULE.values() if isinstance(job["schedule"], timedelta)
    )


def test_who_holds_an_old_snapshot_is_named(
    browser: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshots, "HELD_FOR", 0.0)
    with a_transaction() as other:
        other.execute("SELECT pg_current_xact_id()")
        pid = other.info.backend_pid
        (vacuum,) = (each for each in browser.get(HEALTH).json()["processes"] if each["name"] == "vacuum")
        assert f"pid {pid}" in vacuum["detail"]
        assert f"pid {pid}" in status()[0]
        assert f'pid="{pid}"' in client_of().get("/metrics").content.decode()
        Watchdog().look(floors.unknown())
        assert f"pid {pid}" in caplog.text


def test_grpc_is_told_of_where_it_is_to_be(browser: Client, settings: Any) -> None:
    settings.EVENTS = settings.EVENTS | {"SERVICES": {"gRPC": "grpc"}}
    (found,) = (each for each in browser.get(HEALTH).json()["processes"] if each["name"] == "gRPC")
    assert found == {"name": "gRPC", "up": False, "detail": "none at work: other services get no answer"}


def test_without_a_broker_the_workers_are_not_waited_for(browser: Client, broker_at: Callable[[str], None]) -> None:
    broker_at(COMPLETE["BROKER_URL"])
    found = browser.get(HEALTH).json()["processes"]
    assert [each["name"] for each in found if each["up"]] == ["database", "vacuum"]


def test_a_broker_that_is_full_is_no_error_of_ours(browser: Client) -> None:
    cache.clear()
    with Redis.from_url(site.BROKER_URL) as broker:
        broker.config_set("maxmemory", 1)
        try:
            found = browser.get(HEALTH).json()["processes"]
        finally:
            broker.config_set("maxmemory", 0)
    broker_found = next(each for each in found if each["name"] == "broker")
    assert not broker_found["up"]
    assert "OutOfMemoryError" in broker_found["detail"]
    assert {each["detail"] for each in found if each["name"].startswith("worker")} == {
        "none answers: without one its deliveries wait"
    }


def test_a_read_only_database_is_down(browser: Client) -> None:
    with read_only_database():
        database = browser.get(HEALTH).json()["processes"][0]
        with pytest.raises(SystemExit):
            call_command("status", stdout=(shown := StringIO()))
    assert database == {"name": "database", "up": False, "detail": READ_ONLY}
    assert READ_ONLY in shown.getvalue()


@pytest.mark.parametrize("path", [DATA, HEALTH])
def test_it_is_for_those_who_may_see_deliveries(path: str) -> None:
    assert Client().get(path).status_code == 302
    clerk = make_staff()
    assert admin_client(clerk).get(path).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    assert admin_client(User.objects.get(pk=clerk.pk)).get(path).status_code == 200
    assert admin_client(clerk).post(path).status_code == 405


def test_the_page_is_the_first_of_the_admin_for_those_who_may_see_it(browser: Client) -> None:
    assert b'id="operations"' in browser.get("/admin/").content
    clerk = make_staff()
    assert b'id="operations"' not in admin_client(clerk).get("/admin/").content


def status(*arguments: str) -> tuple[str, int]:
    """The output of manage.py status, and its exit status."""
    out, code = StringIO(), 0
    try:
        call_command("status", *arguments, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return out.getvalue(), code


def test_a_terminal_shows_the_same_and_says_by_its_exit_status_that_something_is_down(happened: None) -> None:
    text, code = status()
    assert code == 1
    assert "DOWN" in text
    for part in (RESERVE, "notifications", "2 placed", "1 dead letters", "inventory"):
        assert part in text


def test_a_program_gets_json(happened: None) -> None:
    text, _ = status("--json", "--last", "day")
    found = json.loads(text)
    assert {"charts", "handlers", "queues", "processes", "starts", "counted_until"} == found.keys()


def test_nonsense_is_refused() -> None:
    with pytest.raises(CommandError, match="more than 0"):
        call_command("status", "--watch", "0")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("status", "--last", "year")


def test_without_a_database_it_says_so_in_a_line() -> None:
    done = run_python("manage.py", "status", **COMPLETE)
    assert done.returncode == 1
    assert "the database is away" in done.stderr
    assert "Traceback" not in done.stderr
