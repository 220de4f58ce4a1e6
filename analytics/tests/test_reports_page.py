"""What the reports page of the admin may do, and for whom."""

from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth.models import Group
from django.test import Client

from analytics import reports
from analytics.models import Report
from analytics.report_pages import MOST
from events.models import Event
from testing.admin import text
from testing.api import admin_client, make_user
from testing.reporting import ask, build, ready_report
from testing.shop import make_product
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("reports_folder")]
PAGE, DATA, ASK = "/admin/reports/", "/admin/reports/data", "/admin/reports/ask"
JANUARY = {"kind": "orders", "from": "2025-01-01", "to": "2025-01-31"}


def make_analyst(name: str) -> User:
    user = make_user(name, staff=True)
    user.groups.add(Group.objects.get(name="analyst"))
    return user


@pytest.fixture
def analyst() -> User:
    return make_analyst("sam")


@pytest.fixture
def desk(analyst: User) -> Client:
    return admin_client(analyst)


def listed(desk: Client) -> list[Any]:
    found: list[Any] = desk.get(DATA).json()["reports"]
    return found


def test_one_is_asked_for_and_goes_the_way_of_the_api(desk: Client, analyst: User) -> None:
    answer = desk.post(ASK, JANUARY)
    assert answer.status_code == 201
    report = Report.objects.get(user=analyst)
    assert answer.json()["id"] == str(report.id)
    assert (report.kind, str(report.start), str(report.end)) == tuple(JANUARY.values())
    assert Event.objects.get(type="report.requested.v1").subject == report.id
    assert [(each["id"], each["status"]) for each in listed(desk)] == [(str(report.id), "pending")]


@pytest.mark.parametrize("file_format", ["csv", "csv-excel"])
def test_the_page_offers_the_formats_of_the_api(desk: Client, file_format: str) -> None:
    assert f"<option>{file_format}</option>" in text(desk.get(PAGE))
    assert desk.post(ASK, JANUARY | {"format": file_format}).json()["format"] == file_format
    assert desk.post(ASK, JANUARY | {"format": "xlsx"}).status_code == 400


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "secrets"}, 'kind: "secrets" is not a valid choice.'),
        ({"to": "2024-12-31"}, "to: The period ends before it begins."),
        ({"to": "2026-01-31"}, "to: Ask for at most 366 days at once."),
        ({"from": ""}, "from: "),
    ],
)
def test_what_cannot_be_is_refused_in_words(desk: Client, changes: dict[str, str], told: str) -> None:
    answer = desk.post(ASK, JANUARY | changes)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
    assert not Report.objects.exists()


def test_too_many_at_once_are_refused_in_words(desk: Client) -> None:
    answers = [desk.post(ASK, JANUARY) for _ in range(site.REPORTS["RUNNING"] + 1)]
    assert [answer.status_code for answer in answers] == [201] * site.REPORTS["RUNNING"] + [429]
    assert "Wait for one, or cancel one." in answers[-1].json()["detail"]


def test_how_far_each_is_is_told_and_why_one_failed(desk: Client, analyst: User) -> None:
    running, failing = ask(analyst), ask(analyst)
    turn = reports.begin(running.id)
    assert turn
    assert reports.advance(turn, 42)
    turn = reports.begin(failing.id)
    assert turn
    assert reports.fail(turn, "There is no room for the file.")
    newest, oldest = listed(desk)
    assert (newest["status"], newest["error"]) == ("failed", "There is no room for the file.")
    assert (oldest["status"], oldest["progress"]) == ("running", 42)


@pytest.mark.usefixtures("settled_at_once")
def test_a_report_that_is_ready_is_downloaded_and_removed(desk: Client, analyst: User) -> None:
    make_product("CUP", pieces=3)
    build(ask(analyst, "stock"))
    (shown,) = listed(desk)
    answer: Any = desk.get(shown["download"])
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert b"CUP" in answer.getvalue()
    assert desk.post(shown["remove"]).json()["status"] == "cancelled"
    assert not Report.objects.get().file
    answer = desk.get(shown["download"], follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "file is gone" in text(answer)


def test_one_that_is_being_built_is_cancelled(desk: Client, analyst: User) -> None:
    turn = reports.begin(ask(analyst).id)
    (shown,) = listed(desk)
    assert desk.post(shown["remove"]).json()["status"] == "cancelled"
    assert turn
    assert not reports.advance(turn, 50)


def test_nobody_else_sees_downloads_or_removes_it_not_even_who_may_do_everything(
    browser: Client, analyst: User
) -> None:
    report = ready_report(analyst)
    for other in (browser, admin_client(make_analyst("ann"))):
        assert listed(other) == []
        assert other.get(f"{PAGE}{report.id}/download").status_code == 404
        assert other.post(f"{PAGE}{report.id}/remove").status_code == 404
    assert Report.objects.get().status == "ready"


def test_it_is_for_staff_who_may_ask(analyst: User) -> None:
    report = ready_report(analyst)
    paths = [PAGE, DATA, f"{PAGE}{report.id}/download"]
    posts = [ASK, f"{PAGE}{report.id}/remove"]
    analyst.groups.clear()
    viewer = make_user("vera", staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))
    for person in (analyst, viewer):
        desk = admin_client(User.objects.get(pk=person.pk))
        assert [desk.get(path).status_code for path in paths] == [403] * 3
        assert [desk.post(path, JANUARY).status_code for path in posts] == [403] * 2
    assert [Client().get(path).status_code for path in paths] == [302] * 3
    assert Report.objects.get().status == "ready"


def test_nothing_is_changed_without_the_token_of_the_page(analyst: User) -> None:
    report = ready_report(analyst)
    desk = Client(enforce_csrf_checks=True)
    desk.force_login(analyst)
    assert desk.post(ASK, JANUARY).status_code == 403
    assert desk.post(f"{PAGE}{report.id}/remove").status_code == 403
    assert desk.get(f"{PAGE}{report.id}/remove").status_code == 405
    assert Report.objects.get().status == "ready"


def test_the_newest_are_listed(desk: Client, analyst: User) -> None:
    made = [ready_report(analyst) for _ in range(2)]
    Report.objects.bulk_create(
        Report(user=analyst, kind="orders", format="csv", start="2025-01-01", end="2025-01-02", status="cancelled")
        for _ in range(MOST - 1)
    )
    found = [each["id"] for each in listed(desk)]
    assert len(found) == MOST
    assert (str(made[1].id) in found, str(made[0].id) in found) == (True, False)


def test_the_page_offers_every_kind(desk: Client) -> None:
    page = text(desk.get(PAGE))
    for kind in ("orders", "sales", "stock"):
        assert f"<option>{kind}</option>" in page
    assert 'href="/admin/sales/"' in page
