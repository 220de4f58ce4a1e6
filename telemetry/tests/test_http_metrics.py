"""Requests are counted by route, over all processes of a web server."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from testing.api import client_of
from testing.processes import COMPLETE, run_python

pytestmark = pytest.mark.django_db

# Two processes of one parent that each answer a request; then a third that tells what they have counted.
THREE = """
import os, sys
for number in range(3):
    if os.fork():
        os.wait()
        continue
    import ordersite.wsgi
    from django.test import Client
    if number < 2:
        Client().get("/health/live")
    else:
        from prometheus_client.exposition import generate_latest
        from telemetry import http_metrics
        sys.stdout.write(generate_latest(http_metrics.all_processes()).decode())
    break
"""


def count(text: str, method: str, route: str, status: int) -> int:
    labels = rf'method="{method}",route="{re.escape(route)}",status="{status}"'
    found = re.search(rf"^ordersite_http_requests_total{{{labels}}} (\S+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def scraped() -> str:
    return str(client_of().get("/metrics").content.decode())


def test_a_request_counts_under_its_route_and_not_its_path() -> None:
    before = scraped()
    for path in ("/api/v1/products/A", "/api/v1/products/B", "/nothing/at/all", "/nothing"):
        assert client_of().get(path).status_code == 404
    after = scraped()
    routes = {"/api/v1/products/<sku>": 2, "unmatched": 2}
    for route, number in routes.items():
        assert count(after, "GET", route, 404) - count(before, "GET", route, 404) == number, route
    assert "/nothing" not in after


def test_a_method_of_nobody_makes_no_series() -> None:
    client_of().generic("BREW", "/api/v1/products")
    assert "BREW" not in scraped()
    assert count(scraped(), "other", "/api/v1/products", 405) >= 1


def start_in(place: Path) -> subprocess.CompletedProcess[str]:
    """A server of one process, which counts below this folder."""
    return run_python(
        "-c",
        "import os, ordersite.wsgi; print(os.getppid())",
        **COMPLETE,
        STATIC_ROOT="/nonexistent",
        TMPDIR=str(place),
    )


def test_the_folders_of_servers_that_are_gone_are_removed(tmp_path: Path) -> None:
    gone = tmp_path / f"ordersite-metrics-{os.getuid()}-999999999"
    gone.mkdir()
    mine = tmp_path / f"ordersite-metrics-{os.getuid()}-{start_in(tmp_path).stdout.strip()}"
    assert [*tmp_path.glob("ordersite-metrics-*")] == [mine]


def test_a_folder_that_somebody_else_has_made_is_not_used(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"ordersite-metrics-{os.getuid()}-{os.getpid()}").symlink_to(elsewhere)
    done = start_in(tmp_path)
    assert done.returncode == 1
    assert "is not ours. Remove it" in done.stderr


def test_the_processes_of_a_server_are_added_up() -> None:
    done = run_python("-c", THREE, **COMPLETE, ALLOWED_HOSTS="testserver", STATIC_ROOT="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert count(done.stdout, "GET", "/health/live", 200) == 2
