"""What who asks for a report is answered."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as site
from django.db.models.functions import Now

from analytics import files, reports
from analytics.models import Report
from events.models import Delivery, Event
from events.tests.servers import at_once
from testing.api import body, check_problem, client_of, make_user, pointers
from testing.reporting import ask, build, ready_report
from testing.shop import make_product
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("reports_folder")]
URL = "/api/v1/reports"
JANUARY = {"kind": "orders", "from": "2025-01-01", "to": "2025-01-31", "format": "csv"}


def test_asking_is_answered_at_once_with_where_to_look(sam: User) -> None:
    answer = client_of(sam).post(URL, JANUARY)
    assert answer.status_code == 202
    asked = body(answer)
    assert answer["Location"] == f"{URL}/{asked['id']}"
    assert (asked["status"], asked["progress"], asked["download_url"], asked["error"]) == ("pending", 0, None, "")
    assert (asked["from"], asked["to"], asked["kind"]) == ("2025-01-01", "2025-01-31", "orders")
    event = Event.objects.get(type="report.requested.v1")
    assert (str(event.subject), event.data) == (asked["id"], {"report_id": asked["id"]})
    assert Delivery.objects.get(event=event).queue == "reports"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"kind": "secrets"}, ["/kind"]),
        ({"kind": None}, ["/kind"]),
        ({"format": "xlsx"}, ["/format"]),
        ({"from": "2025-02-01"}, ["/to"]),
        ({"to": "2026-01-02"}, ["/to"]),
        ({"from": "yesterday"}, ["/from"]),
        ({"user": "x"}, ["/user"]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(sam: User, changes: Any, where: list[str]) -> None:
    assert pointers(client_of(sam).post(URL, JANUARY | changes)) == where
    assert not Report.objects.exists()
    assert not Event.objects.filter(type="report.requested.v1").exists()


def test_it_is_downloaded_by_who_asked_and_nobody_else(sam: User) -> None:
    report = ready_report(sam)
    shown = body(client_of(sam).get(f"{URL}/{report.id}"))
    answer: Any = client_of(sam).get(shown["download_url"])
    assert answer.status_code == 200
    assert answer.streaming
    assert answer.getvalue() == b"at,sku\r\n"
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="stock-2025-01-01-2025-01-31.csv"'
    assert (answer["Content-Length"], answer["Cache-Control"]) == ("8", "no-store")
    assert (answer["Accept-Ranges"], answer["ETag"]) == ("bytes", f'"{report.turn}"')
    for other in (make_user("ann", superuser=True), make_user("ada")):
        for path in ("", "/download"):
            check_problem(client_of(other).get(f"{URL}/{report.id}{path}"), 404, "not_found")
        check_problem(client_of(other).delete(f"{URL}/{report.id}"), 404, "not_found")
    assert Report.objects.get().status == "ready"


def test_a_download_that_was_cut_off_is_continued(sam: User) -> None:
    report = ready_report(sam)
    whole: Any = client_of(sam).get(f"{URL}/{report.id}/download")

    def part(**headers: str) -> Any:
        return client_of(sam).get(f"{URL}/{report.id}/download", headers=headers)

    rest = part(Range="bytes=3-", **{"If-Range": whole["ETag"]})
    assert (rest.status_code, rest["Content-Range"], rest["Content-Length"]) == (206, "bytes 3-7/8", "5")
    assert whole.getvalue() + rest.getvalue() == b"at,sku\r\nsku\r\n"
    assert part(Range="bytes=3-4").getvalue() == b"sk"
    assert part(Range="bytes=3-", **{"If-Range": '"another"'}).getvalue() == b"at,sku\r\n"
    check_problem(part(Range="bytes=8-"), 416, "range_not_satisfiable")


@pytest.mark.parametrize("lost", [{"is_staff": False}, {"is_superuser": False}])
def test_a_report_is_not_given_to_its_owner_once_they_lost_the_permission(sam: User, lost: dict[str, bool]) -> None:
    report = ready_report(sam)
    User.objects.update(**lost)
    for path in ("", "/download"):
        check_problem(client_of(sam).get(f"{URL}/{report.id}{path}"), 403, "permission_denied")
    check_problem(client_of(sam).delete(f"{URL}/{report.id}"), 403, "permission_denied")
    assert Report.objects.get().status == "ready"


def test_a_report_is_not_given_to_an_account_that_is_not_active(sam: User) -> None:
    report = ready_report(sam)
    client = client_of(sam)
    User.objects.update(is_active=False)
    check_problem(client.get(f"{URL}/{report.id}/download"), 401, "authentication_failed")


def test_a_report_for_excel_is_the_same_file_with_a_byte_order_mark(sam: User, settled_at_once: None) -> None:
    make_product("Tasse-ü")
    asked = client_of(sam).post(URL, JANUARY | {"format": "csv-excel"})
    assert (asked.status_code, body(asked)["format"]) == (202, "csv-excel")
    files_of = {}
    for file_format in ("csv", "csv-excel"):
        report = build(ask(sam, "stock", file_format=file_format))
        answer: Any = client_of(sam).get(f"{URL}/{report.id}/download")
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"].endswith('.csv"')
        files_of[file_format] = answer.getvalue()
    assert files_of["csv"].startswith(b"at,sku,")
    assert files_of["csv-excel"] == b"\xef\xbb\xbf" + files_of["csv"]


@pytest.mark.parametrize("accept", ["text/csv", "application/json", "text/html"])
def test_the_file_is_sent_whatever_the_client_accepts(sam: User, accept: str) -> None:
    answer: Any = client_of(sam).get(f"{URL}/{ready_report(sam).id}/download", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer.getvalue()) == (200, b"at,sku\r\n")


def test_before_it_is_ready_there_is_nothing_to_download(sam: User) -> None:
    report = ask(sam)
    client = client_of(sam)
    check_problem(client.get(f"{URL}/{report.id}/download"), 409, "report_not_ready")
    turn = reports.begin(report.id)
    assert turn
    reports.advance(turn, 42)
    check_problem(client.get(f"{URL}/{report.id}/download"), 409, "report_not_ready")
    shown = body(client.get(f"{URL}/{report.id}"))
    assert (shown["status"], shown["progress"]) == ("running", 42)


def test_one_that_failed_says_why(sam: User) -> None:
    report = ask(sam)
    turn = reports.begin(report.id)
    assert turn
    reports.fail(turn, "There is no room.")
    shown = body(client_of(sam).get(f"{URL}/{report.id}"))
    assert (shown["status"], shown["error"], shown["download_url"]) == ("failed", "There is no room.", None)
    problem = check_problem(client_of(sam).get(f"{URL}/{report.id}/download"), 409, "report_failed")
    assert problem["detail"] == "There is no room."


@pytest.mark.django_db(transaction=True)
def test_deleting_removes_the_file_and_may_be_repeated(sam: User, reports_folder: Path) -> None:
    report = ready_report(sam)
    client = client_of(sam)
    assert len(list(reports_folder.iterdir())) == 1
    for _ in range(2):
        answer = client.delete(f"{URL}/{report.id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert list(reports_folder.iterdir()) == []
    assert body(client.get(f"{URL}/{report.id}"))["status"] == "cancelled"
    check_problem(client.get(f"{URL}/{report.id}/download"), 410, "report_gone")


def test_one_that_was_cancelled_before_its_turn_is_not_built(
    sam: User, settled_at_once: None, reports_folder: Path
) -> None:
    report = ask(sam)
    client_of(sam).delete(f"{URL}/{report.id}")
    assert build(report).status == "cancelled"
    assert not reports_folder.exists()


def test_its_file_expires(sam: User, reports_folder: Path) -> None:
    report, young = ready_report(sam), ready_report(sam)
    Report.objects.filter(pk=report.pk).update(expires_at=Now())
    assert reports.tidy() == {"expired": 1, "given up": 0, "stray files": 1}
    check_problem(client_of(sam).get(f"{URL}/{report.id}/download"), 410, "report_gone")
    assert [file.name for file in reports_folder.iterdir()] == [young.file]
    client_of(sam).delete(f"{URL}/{report.id}")
    assert Report.objects.get(pk=report.pk).status == "expired"


def test_a_file_that_is_lost_is_gone(sam: User) -> None:
    report = ready_report(sam)
    files.remove(report.file)
    check_problem(client_of(sam).get(f"{URL}/{report.id}/download"), 410, "report_gone")


def test_a_person_has_so_many_under_way_and_no_more(sam: User) -> None:
    client = client_of(sam)
    most = site.REPORTS["RUNNING"]
    asked = [client.post(URL, JANUARY) for _ in range(most)]
    assert {answer.status_code for answer in asked} == {202}
    refused = client.post(URL, JANUARY)
    check_problem(refused, 429, "too_many_reports")
    assert int(refused["Retry-After"]) > 0
    assert client_of(make_user("ann", superuser=True)).post(URL, JANUARY).status_code == 202
    client.delete(asked[0]["Location"])
    assert client.post(URL, JANUARY).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_no_more_than_that_are_heard(sam: User) -> None:
    def try_once(_: int) -> int:
        try:
            ask(sam)
        except reports.TooManyReports:
            return 0
        return 1

    assert sum(at_once(10, try_once)) == site.REPORTS["RUNNING"] == Report.objects.count()


def test_orders_of_who_asks_are_taken_meanwhile(sam: User) -> None:
    make_product("CUP")
    ask(sam)
    order = {"items": [{"sku": "CUP", "quantity": 1}]}
    assert client_of(sam).post("/api/v1/orders", order).status_code == 201


def test_a_report_that_is_not_there_is_404(sam: User) -> None:
    for path in (f"{URL}/{uuid4()}", f"{URL}/{uuid4()}/download"):
        check_problem(client_of(sam).get(path), 404, "not_found")


def test_days_at_the_ends_of_the_calendar_are_no_error(sam: User, settled_at_once: None) -> None:
    for day in (date.min, date.max):
        assert build(ask(sam, days=(day, day))).status == "ready"
