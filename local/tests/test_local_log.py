"""The one stream of lines that `make run` prints."""

import io
import threading

import pytest

from local.log import PrefixedLog


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
