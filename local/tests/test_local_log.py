"""The one stream of lines that `make run` prints."""

import io
import threading
from contextlib import closing
from pathlib import Path

import pytest

from local.log import PrefixedLog, RunLog


@pytest.fixture(autouse=True)
def no_colour_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_each_line_follows_its_process_name() -> None:
    stream = io.StringIO()
    log = PrefixedLog(stream, width=6)
    log("web", "up")
    log("flower", "up too")
    assert stream.getvalue() == "web    | up\nflower | up too\n"


def test_lines_written_at_the_same_time_stay_whole() -> None:
    stream = io.StringIO()
    log = PrefixedLog(stream)

    def write(name: str) -> None:
        for _ in range(200):
            log(name, name * 50)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(stream.getvalue().splitlines()) == {f"{name} | {name * 50}" for name in "abcd"}


def test_each_process_has_its_colour_where_colour_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    log = PrefixedLog(stream)
    for name in ("web", "beat", "web"):
        log(name, "line")
    first, second, third = stream.getvalue().splitlines()
    assert first == third
    assert first.startswith("\x1b[")
    assert second[:5] != first[:5]


def test_no_color_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    PrefixedLog(stream)("web", "line")
    assert stream.getvalue() == "web | line\n"


INFO = "2026-11-30 15:58:05,214 INFO events.relaying.sender [01a2] inventory.reserve_items: sent"
SHOWN = [
    ("web", "2026-11-30 15:58:05,161 INFO telemetry.request_line [01a2] POST /api/v1/orders: 201 after 28 ms"),
    ("relay", "2026-11-30 15:58:05,214 WARNING events.relaying.relay [-] relay: the broker is away"),
    ("worker-shop", "2026-11-30 15:58:05,214 ERROR events.handling.outcome_log [01a2] orders.confirm: dead"),
    ("worker-shop", "Traceback (most recent call last):"),
    ("worker-shop", '  File "stock.py", line 1, in reserve'),
    ("postgres", "2026-11-30 15:57:47.835 UTC [15129] FATAL:  no space left on device"),
]
HIDDEN = [
    ("relay", INFO),
    ("relay", "that goes on in a second line"),
    ("web", "2026-11-30 15:57:58,109 INFO _granian.serve [-] Started worker-2"),
    ("postgres", "2026-11-30 15:57:47.847 UTC [15117] LOG:  database system is ready to accept connections"),
    ("postgres", "2026-11-30 15:57:47.835 UTC [15129] FATAL:  the database system is starting up"),
    (
        "valkey",
        "15080:M 30 Nov 2026 15:57:45.712 # WARNING Memory overcommit must be enabled! Without it, a save may fail",
    ),
]


@pytest.mark.parametrize("verbose", [False, True])
def test_the_terminal_shows_requests_and_what_went_wrong_and_a_file_has_all(tmp_path: Path, verbose: bool) -> None:
    stream, file = io.StringIO(), tmp_path / "log"
    with closing(RunLog(PrefixedLog(stream), file, verbose=verbose)) as log:
        for name, line in SHOWN + HIDDEN:
            log(name, line)
    expected = SHOWN + HIDDEN if verbose else SHOWN
    assert stream.getvalue().splitlines() == [f"{name} | {line}" for name, line in expected]
    assert [line.split(" | ")[1] for line in file.read_text().splitlines()] == [line for _, line in SHOWN + HIDDEN]


def test_workers_are_ready_once_all_have_said_so(tmp_path: Path) -> None:
    with closing(RunLog(PrefixedLog(io.StringIO()), tmp_path / "log", verbose=False)) as log:
        log("worker-shop", "2026-11-30 15:58:03,027 INFO celery.apps.worker [-] shop@host ready.")
        assert not log.are_ready(["worker-shop", "worker-outside"])
        log("worker-outside", "2026-11-30 15:58:03,027 INFO celery.apps.worker [-] outside@host ready.")
        assert log.are_ready(["worker-shop", "worker-outside"])
