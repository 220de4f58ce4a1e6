from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks import scenarios
from benchmarks.apps import ORDERSITE, USUAL, App
from benchmarks.books import Books, Figures, Waiting, lost_parked_doubled
from benchmarks.scenarios import run, rush
from local.errors import LocalError
from local.servers import VARIABLES
from testing.servers import SERVERS

BUYERS, PIECES = 20, 5
EMBEDDED = SERVERS is not None and len(SERVERS.urls) == len(VARIABLES)


@pytest.mark.skipif(not EMBEDDED, reason="it makes databases on the embedded servers")
def test_of_five_pieces_ordersite_sells_five_and_both_apps_handle_every_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scenarios, "CALM", 0.5)
    log: list[str] = []

    def measure(app: App) -> Figures:
        assert SERVERS
        return run(app, rush(BUYERS, PIECES), SERVERS, tmp_path, lambda name, line: log.append(line), log.append)

    with ThreadPoolExecutor() as pool:
        try:
            usual, ours = pool.map(measure, [USUAL, ORDERSITE])
        except LocalError as error:
            raise AssertionError("\n".join([str(error), *log])) from error
    for figures in (usual, ours):
        assert (figures.accepted, figures.errors, figures.unseen) == (BUYERS, 0, 0), log
        assert (figures.lost, figures.parked, figures.doubled, figures.exits) == (0, 0, 0, 0), log
    assert usual.sold >= PIECES
    assert usual.stock_off == -(usual.sold - PIECES)
    assert (ours.sold, ours.stock_off) == (PIECES, 0)


def books(*, counted: int, **orders: tuple[str, int]) -> Books:
    return Books(orders, counted=counted, sold=0, available=0)


def test_an_order_that_stays_pending_is_lost_unless_its_message_is_held() -> None:
    seen = books(counted=1, a=("confirmed", 1), b=("pending", 0), c=("pending", 0))
    assert lost_parked_doubled({"a", "b", "c"}, seen, Waiting(outcomes=frozenset("c"))) == (1, 1, 0)


def test_an_accepted_order_that_does_not_exist_is_lost() -> None:
    assert lost_parked_doubled({"a"}, books(counted=0), Waiting()) == (1, 0, 0)


def test_a_message_about_the_outcome_does_not_bring_a_lost_mail() -> None:
    seen = books(counted=1, a=("confirmed", 0))
    assert lost_parked_doubled({"a"}, seen, Waiting(outcomes=frozenset("a"))) == (1, 0, 0)
    assert lost_parked_doubled({"a"}, seen, Waiting(mails=frozenset("a"))) == (0, 1, 0)


def test_a_sale_that_is_not_counted_is_lost_and_one_counted_twice_is_doubled() -> None:
    assert lost_parked_doubled({"a"}, books(counted=0, a=("confirmed", 1)), Waiting()) == (1, 0, 0)
    assert lost_parked_doubled({"a"}, books(counted=0, a=("confirmed", 1)), Waiting(sales=1)) == (0, 1, 0)
    assert lost_parked_doubled({"a"}, books(counted=2, a=("confirmed", 2)), Waiting()) == (0, 0, 1)
