"""The programs of examples/, run as examples/README.md says."""

import csv
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from events.tests.waiting import until
from testing import ROOT, pages
from tests.journeys import shell
from tests.journeys.client import Api
from tests.journeys.lossy import Lossy
from tests.journeys.system import GRPC_TOKEN, System

README = "examples/README.md"
SKU = "TEA-EARLGREY-100"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "examples.settings"}
(WORKER,) = [command for command in pages.commands(README) if command.startswith("celery")]


def by_hand(file: str, **changes: str) -> str:
    """The command of the README's table that runs a file, with some of its words changed."""
    (row,) = [line for line in (ROOT / README).read_text().splitlines() if f"]({file})" in line]
    command = re.findall(r"`([^`]+)`", row)[-1]
    for old, new in {"TEA-SENCHA-100": SKU, **changes}.items():
        command = command.replace(old, new)
    return str(command)


def orders(system: System) -> int:
    return int(system.sql("SELECT count(*) FROM orders_order")[0][0])


def customer(url: str) -> dict[str, str]:
    return {"SHOP": url, "EMAIL": "ada@example.com"}


@pytest.fixture(scope="module")
def worker(running: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The worker that the examples' handlers need."""
    with shell.running(running, WORKER, tmp_path_factory.mktemp("examples") / "worker.log", **SETTINGS):
        yield


@pytest.fixture
def lossy(system: System) -> Iterator[Lossy]:
    with Lossy(system.web) as road:
        thread = threading.Thread(target=road.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield road
        road.shutdown()
        thread.join()


# --- REST ---------------------------------------------------------------------------------------------------------


def test_javascript_reads_the_account_and_orders(system: System, ada: Api) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not on the PATH, so examples/orders.mjs is not run")
    printed = shell.run(system, by_hand("orders.mjs"), **customer(system.web))
    account, outcome = printed.splitlines()
    assert account == "Ada Lovelace <ada@example.com>"
    newest = ada.get("/orders").json["results"][0]
    assert outcome == f"{newest['number']} is confirmed, {newest['total']} EUR"
    assert newest["items"][0]["quantity"] == 3


def test_the_patient_client_orders_once_through_a_broker_and_a_database_that_are_away(
    system: System, ada: Api, tmp_path: Path
) -> None:
    before = orders(system)
    log = tmp_path / "client.log"
    broker, postgres = system.broker, system.servers.postgres
    broker.stop()
    postgres.stop()
    try:
        with shell.running(system, by_hand("patient_client.py"), log, **customer(system.web)) as client:
            until("it is told that the database is away", lambda: "503" in log.read_text(), seconds=30)
            postgres.start()
            until("its order is accepted", lambda: "is accepted" in log.read_text(), seconds=30)
            broker.start()
            until("it ends", lambda: client.poll() is not None, seconds=60)
    finally:
        postgres.start()
        broker.start()
    assert log.read_text().splitlines()[-1].endswith("is confirmed")
    assert orders(system) == before + 1


def test_the_patient_client_orders_once_though_the_answer_is_lost_on_the_way(system: System, lossy: Lossy) -> None:
    before = orders(system)
    printed = shell.run(system, by_hand("patient_client.py"), **customer(lossy.url))
    assert lossy.lost == 201
    assert "POST /orders: RemoteDisconnected" in printed
    assert printed.splitlines()[-1].endswith("is confirmed")
    assert orders(system) == before + 1


def test_the_patient_client_does_not_repeat_what_is_refused(system: System) -> None:
    with pytest.raises(AssertionError, match="There is no product NO-SUCH-TEA on sale"):
        shell.run(system, by_hand("patient_client.py", **{SKU: "NO-SUCH-TEA"}), **customer(system.web))


# --- gRPC ---------------------------------------------------------------------------------------------------------


def test_who_watches_is_told_each_step_through_a_killed_server(
    system: System, ada: Api, staff: Api, tmp_path: Path
) -> None:
    order, log = ada.order(SKU), tmp_path / "watch.log"
    command, here = by_hand("watch_order.py", ORDER_ID=order["id"]), {"GRPC_TARGET": system.grpc}
    with shell.running(system, command, log, **here, GRPC_TOKEN=GRPC_TOKEN) as client:
        until("it is told of the confirmation", lambda: "is confirmed" in log.read_text())
        system.supervisor.processes["grpc"].kill()
        until("it is cut off", lambda: "again in" in log.read_text())
        assert staff.post(f"/orders/{order['id']}/fulfil").status == 200
        until("it ends", lambda: client.poll() is not None, seconds=60)
    told = [line for line in log.read_text().splitlines() if " is " in line and "again in" not in line]
    assert told[-2:] == [f"{order['number']} of Ada Lovelace is {status}" for status in ("confirmed", "fulfilled")]


def test_a_stranger_watches_nothing(system: System) -> None:
    with pytest.raises(AssertionError, match="UNAUTHENTICATED: Invalid token"):
        shell.run(system, by_hand("watch_order.py"), GRPC_TARGET=system.grpc, GRPC_TOKEN="stolen")


# --- The bus ------------------------------------------------------------------------------------------------------


def test_an_event_of_ones_own_reaches_its_subscriber(system: System, worker: None) -> None:
    on_hand = (
        "SELECT s.on_hand FROM inventory_stockitem s JOIN inventory_product p ON p.id = s.product_id WHERE p.sku = %s"
    )
    before = system.sql(on_hand, SKU)[0][0]
    shell.run(system, by_hand("own_event.py"), **SETTINGS)
    until("it is on the shelf", lambda: system.sql(on_hand, SKU)[0][0] == before + 5)
    arrivals = system.sql("SELECT subject::text FROM events_event WHERE data->>'sku' = %s", SKU)
    booked = system.sql("SELECT reason FROM inventory_movement WHERE quantity = 5 AND reason LIKE 'arrival %%'")
    assert {f"arrival {subject}" for (subject,) in arrivals} == {reason for (reason,) in booked}


def test_goods_that_nobody_knows_are_a_dead_letter_until_the_product_is_there(
    system: System, staff: Api, worker: None
) -> None:
    sku = f"NEW-{uuid4().hex[:8]}"
    shell.run(system, by_hand("own_event.py", **{SKU: sku}), **SETTINGS)
    dead = "SELECT id::text FROM events_delivery WHERE handler = 'receiving.put_on_shelf' AND state = 'dead'"
    (delivery_id,) = until("it is dead", lambda: system.sql(dead))[0]
    assert staff.post("/products", {"sku": sku, "name": "A new one", "price": "5.00", "currency": "EUR"}).status == 201
    assert "1 replayed" in system.run("manage.py", "deadletters", "replay", delivery_id)
    until("it is on the shelf", lambda: staff.get(f"/products/{sku}").json["available"] == 5)


def test_a_background_job_leaves_its_file_and_nothing_half_done(system: System, worker: None) -> None:
    file = Path(shell.run(system, by_hand("background_job.py"), **SETTINGS).splitlines()[-1])
    until("the file is there", file.exists)
    with file.open(newline="") as rows:
        prices = {row["sku"]: row["price"] for row in csv.DictReader(rows)}
    assert prices[SKU] == "8.60"
    assert list(file.parent.iterdir()) == [file]
