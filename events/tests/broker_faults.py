"""What a real Redis or Valkey does that answers, and takes no messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from events.tests.waiting import until


@contextmanager
def full(broker: Any) -> Iterator[None]:
    broker.config_set("maxmemory", 1)
    try:
        yield
    finally:
        broker.config_set("maxmemory", 0)


@contextmanager
def replica(broker: Any) -> Iterator[None]:
    """Of a server that is not there, as after a switch-over."""
    broker.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        broker.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def unable_to_save(broker: Any) -> Iterator[None]:
    """With a folder where its file would be."""
    kept = broker.config_get("save")["save"]
    file = Path(broker.config_get("dir")["dir"], broker.config_get("dbfilename")["dbfilename"])
    file.unlink(missing_ok=True)
    file.mkdir()
    try:
        broker.config_set("save", "3600 1")
        broker.bgsave()
        until("the save has failed", lambda: broker.info("persistence")["rdb_last_bgsave_status"] == "err")
        yield
    finally:
        file.rmdir()
        broker.config_set("save", kept)
        broker.save()  # one that succeeds ends the fault
        file.unlink()
