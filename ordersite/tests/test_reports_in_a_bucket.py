"""Reports whose files are in a bucket of S3, at a server that answers as Amazon's does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site

from analytics import files, reports
from analytics.bucket import BucketAway, breaker
from analytics.models import Report
from analytics.storage_url import read_storage_url
from events.errors import Failure, classify
from testing.api import check_problem, client_of
from testing.processes import COMPLETE, run_python
from testing.reporting import ask, build, lines, ready_report
from testing.s3 import BUCKET, PREFIX, S3, run_s3
from testing.shop import make_product
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("settled_at_once")]
URL = "/api/v1/reports"


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with run_s3() as s3:
        yield s3


@pytest.fixture(autouse=True)
def s3(server: S3, settings: Any, tmp_path: Path) -> Iterator[S3]:
    settings.STORAGES = site.STORAGES | {"reports": read_storage_url(server.storage_url)}
    settings.REPORTS_DIR = tmp_path / "reports"
    breaker.close()
    yield server
    breaker.close()
    for key in server.objects():
        server.client.delete_object(Bucket=BUCKET, Key=key)


def get(sam: User, report: Report, **headers: str) -> Any:
    return client_of(sam).get(f"{URL}/{report.id}/download", headers=headers)


def test_one_is_built_beside_the_bucket_and_read_from_it(sam: User, s3: S3) -> None:
    make_product("CUP")
    report = build(ask(sam, "stock"))
    assert s3.objects() == [f"{PREFIX}/{report.file}"]
    assert list(site.REPORTS_DIR.iterdir()) == []
    answer = get(sam, report)
    assert (answer.status_code, answer.streaming) == (200, True)
    assert answer["Content-Length"] == str(report.size)
    assert [line["sku"] for line in lines(report)] == ["CUP"]
    assert len(answer.getvalue()) == report.size


def test_the_rest_of_one_is_read_after_an_interruption(sam: User) -> None:
    report = ready_report(sam)
    answer = get(sam, report, Range="bytes=3-5")
    assert (answer.status_code, answer["Content-Range"], answer.getvalue()) == (206, "bytes 3-5/8", b"sku")


@pytest.mark.django_db(transaction=True)
def test_its_file_goes_when_it_is_deleted_or_lost_its_report_and_no_other_does(sam: User, s3: S3) -> None:
    kept, deleted, stray = (ready_report(sam) for _ in range(3))
    s3.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/mine.csv", Body=b"")
    client_of(sam).delete(f"{URL}/{deleted.id}")
    assert f"{PREFIX}/{deleted.file}" not in s3.objects()
    Report.objects.filter(pk=stray.pk).delete()
    assert reports.tidy()["stray files"] == 1
    assert sorted(s3.objects()) == sorted([f"{PREFIX}/{kept.file}", f"{PREFIX}/mine.csv"])


def test_a_file_that_is_lost_is_gone(sam: User) -> None:
    report = ready_report(sam)
    files.remove(report.file)
    check_problem(get(sam, report), 410, "report_gone")


@pytest.fixture
def away(s3: S3, settings: Any) -> None:
    """The storage's URL names a port at which nobody listens."""
    nowhere = s3.storage_url.replace(s3.endpoint, "http://127.0.0.1:1")
    settings.STORAGES = site.STORAGES | {"reports": read_storage_url(nowhere)}


@pytest.mark.django_db(transaction=True)
def test_while_the_bucket_is_away_a_report_waits_and_a_download_says_so(
    sam: User, request: pytest.FixtureRequest
) -> None:
    ready, wanted = ready_report(sam), ask(sam, "stock")
    request.getfixturevalue("away")
    answer = get(sam, ready)
    check_problem(answer, 503, "reports_unavailable")
    assert answer["Retry-After"] == "5"
    with pytest.raises(BucketAway, match="left alone") as caught:  # at once
        build(wanted)
    assert classify(caught.value) is Failure.AWAY
    breaker.close()  # as it does by itself, after a while
    with pytest.raises(BucketAway, match="cannot be used"):
        build(wanted)
    assert client_of(sam).delete(f"{URL}/{ready.id}").status_code == 204  # the file is a stray from now on


def test_a_bucket_that_does_not_answer_is_away_in_the_end(
    sam: User, s3: S3, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ready_report(sam)
    monkeypatch.setattr("analytics.bucket.ANSWER", 0.2)
    settings.STORAGES = site.STORAGES | {"reports": read_storage_url(s3.storage_url)}
    with s3.frozen():
        check_problem(get(sam, report), 503, "reports_unavailable")


def test_a_bucket_that_is_not_there_is_told_and_no_report_is_taken_for_lost(sam: User, s3: S3, settings: Any) -> None:
    report = ready_report(sam)
    other = s3.storage_url.replace(f"@{BUCKET}/", "@nobodys/")
    settings.STORAGES = site.STORAGES | {"reports": read_storage_url(other)}
    check_problem(get(sam, report), 503, "reports_unavailable")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://files", "is to be like s3://"),
        ("s3:///prefix", "is to be like s3://"),
        ("s3://KEY@files", "has a key without a secret"),
        ("s3://files?acl=public", "has acl, where only region and endpoint may stand"),
        ("s3://files?endpoint=minio:9000", "has an endpoint that is no http:// or https:// URL"),
        ("s3://KEY:se/cret@files", "cannot be read: percent-encode"),
    ],
)
def test_a_url_that_cannot_be_meant_ends_the_process_and_shows_no_secret(url: str, told: str) -> None:
    done = run_python("manage.py", "check", **COMPLETE, REPORTS_STORAGE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("ordersite: REPORTS_STORAGE_URL ")
    assert told in done.stderr
    assert "cret" not in done.stderr.replace("secret", "")


def test_what_its_packages_are_is_told_where_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.storage_url.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="requirements-s3"):
        read_storage_url("s3://files")


def test_without_a_key_the_machines_role_is_asked_for_one() -> None:
    assert read_storage_url("s3://files")["OPTIONS"] == {"bucket_name": "files"}
