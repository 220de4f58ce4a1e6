"""Garbage in every list of the broker: nothing of it is executed, all of it is kept, and no worker ends of it."""

import base64
import json
import os
import pickle
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from events.tests.waiting import until
from local.processes import ONE_A_QUEUE
from tests.faults.system import FaultySystem
from tests.journeys.client import Api

QUEUES = [*ONE_A_QUEUE, "faults"]
PRIORITIES = ["", "\x06\x163", "\x06\x166", "\x06\x169"]  # kombu keeps a list for each step of priority
BACK = 10  # seconds
JSON, PICKLE = "application/json", "application/x-python-serialize"


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._file),)


def envelope(body: bytes, content_type: str = JSON, **headers: Any) -> dict[str, Any]:
    """A message as kombu's Redis transport writes it."""
    return {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": content_type,
        "headers": {"lang": "py", "task": "inventory.check_stock", "id": str(uuid4()), **headers},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "delivery_tag": str(uuid4()),
        },
    }


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def garbage(mark: str, trap: Path) -> dict[str, tuple[str, bytes]]:
    """What stands in no contract, by a name of its own: the problem under which it is kept, and the entry.

    Each holds `mark` in the clear.
    """
    call = b"[[], {}, {}]"
    evil = pickle.dumps([[], {"mark": Trap(trap)}, {}])
    good = envelope(call, mark=mark)
    properties = good["properties"]
    no_dict = {**good, "headers": {"task": {"mark": mark}, "id": "1"}}
    messages: dict[str, dict[str, Any]] = {
        "not_a_message": {
            "string": mark,
            "list": [mark],
            "half": without(good, "properties"),
            "other half": without(good, "properties", "body"),
            "no tag": {**good, "properties": without(properties, "delivery_tag")},
            "null tag": {**good, "properties": {**properties, "delivery_tag": None}},
            "no address": {**good, "properties": without(properties, "delivery_info")},
            "headers that are none": {**good, "headers": [mark]},
            "a task's name that is none": no_dict,
            "no id": {**good, "headers": {"task": "inventory.check_stock", "mark": mark}},
            "a time limit that is none": envelope(call, mark=mark, timelimit=[mark, mark]),
        },
        "unreadable_body": {
            "pickle": envelope(evil, PICKLE, mark=mark),
            "pickle that says JSON": envelope(evil, mark=mark),
            "body that is no JSON": envelope(b"{", mark=mark),
            "body that is no base64": {**good, "body": "a"},
            "no body": without(good, "body"),
            "compressed, and not": envelope(call, mark=mark, compression="application/x-gzip"),
            "arguments that are none": envelope(b'{"a": 1}', mark=mark),
            "too many arguments": envelope(b"[[1, 2, 3], {}, {}]", mark=mark),
            "no ids": envelope(b'[["a", "b"], {}, {}]', mark=mark, task="inventory.reserve_items"),
            "a time that is none": envelope(call, mark=mark, eta=mark),
        },
        "unknown_task": {
            "unknown task": envelope(call, mark=mark, task="nobody.knows"),
            "of no delivery": envelope(json.dumps([[str(uuid4())] * 2, {}, {}]).encode(), mark=mark, task="no.such"),
        },
    }
    entries = {
        name: (problem, json.dumps(message).encode())
        for problem, named in messages.items()
        for name, message in named.items()
    }
    broken = {
        "text": mark.encode(),
        "not UTF-8": b"\xff\xfe" + mark.encode(),
        "bytes": zlib.compress(b"x") + mark.encode(),
        "pickled": evil + mark.encode(),
        "cut off": json.dumps(good).encode()[:-5],
        "too deep": f'["{mark}",'.encode() + b"[" * 100_000,
    }
    return entries | {name: ("not_json", entry) for name, entry in broken.items()}


def sizes(entries: dict[str, tuple[str, bytes]]) -> Iterator[tuple[str, int]]:
    """The problem of each, and its size in bytes."""
    return ((problem, len(entry)) for problem, entry in entries.values())


def kept(system: FaultySystem, mark: str) -> Counter[tuple[str, str, int]]:
    rows = system.sql("SELECT queue, problem, size FROM events_unusablemessage WHERE raw LIKE %s", f"%{mark}%")
    return Counter((queue, problem, size) for queue, problem, size in rows)


def test_garbage_in_every_list_ends_no_worker_and_is_kept(system: FaultySystem, ada: Api) -> None:
    mark, trap = uuid4().hex, system.folder / "trap"
    entries = garbage(mark, trap)
    ids = re.findall(r'"id": "([^"]+)"', " ".join(entry.decode(errors="replace") for _, entry in entries.values()))
    sku = system.product()
    mains = {queue: system.supervisor.pid(f"worker-{queue}") for queue in QUEUES}
    broker = redis.Redis.from_url(system.environment["BROKER_URL"])
    with broker:
        for queue in QUEUES:
            for priority in PRIORITIES:
                broker.lpush(queue + priority, *[entry for _, entry in entries.values()])

    order = ada.order(sku)
    obeyed = system.tell("nothing")
    check = system.celery().send_task("inventory.check_stock", queue="maintenance")
    until("the order is confirmed", lambda: ada.status(order) == "confirmed", seconds=BACK)
    until("orders are obeyed", lambda: system.row(obeyed) == ("done", 1, ""), seconds=BACK)
    done = "SELECT status FROM django_celery_results_taskresult WHERE task_id = %s"
    until("the stock is checked", lambda: system.sql(done, check.id) == [("SUCCESS",)], seconds=BACK)

    expected = Counter((queue, *entry) for queue in QUEUES for _ in PRIORITIES for entry in sizes(entries))
    until("all is kept", lambda: kept(system, mark) >= expected, seconds=60)
    assert kept(system, mark) == expected
    assert not trap.exists()
    assert {queue: system.supervisor.pid(f"worker-{queue}") for queue in QUEUES} == mains
    stored = system.sql("SELECT DISTINCT task_name FROM django_celery_results_taskresult WHERE task_id = ANY(%s)", ids)
    assert {name for (name,) in stored} <= {None, "nobody.knows", "no.such"}
