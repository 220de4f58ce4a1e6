"""The running system, and what a fault test does to it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from events.tests.waiting import until
from local.processes import Worker, options
from local.settings import CHECKOUT, Settings
from tests.journeys.client import Api
from tests.journeys.system import GivenBroker, System

LONGEST_BACKOFF = 6  # seconds: that of the mails, as System sets it
STUCK_AFTER = 8  # seconds


class FaultySystem(System):
    """A system whose processes have failpoints, with one worker more, which misbehaves as its events say."""

    def __init__(self, folder: Path, broker: GivenBroker | None = None) -> None:
        self._failpoints = folder / "failpoints"
        self._failpoints.mkdir()
        more = {
            "FAILPOINTS": str(self._failpoints),
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "EVENTS_UNKNOWN_GRACE": "3",
            "EVENTS_UNKNOWN_RETRY": "0.5",
            "EVENTS_STUCK_AFTER": str(STUCK_AFTER),
        }
        super().__init__(folder, broker, more)
        self._staff: Api | None = None

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        ours = super().commands(settings)
        celery = ours["worker-inventory"]
        command = celery[: celery.index("worker")]
        return {**ours, "worker-faults": [*command, *options(Worker(("faults",), 2))]}

    @property
    def staff(self) -> Api:
        if self._staff is None:
            self._staff = self.person("admin")
        return self._staff

    # --- what happens to it ---------------------------------------------------------------------------------------

    def arm(self, failpoint: str, action: str = "kill") -> None:
        """Have the first process that passes this failpoint killed, or stopped."""
        new = self._failpoints / f"{failpoint} new"
        new.write_text(action)
        new.rename(self._failpoints / failpoint)

    def wait_for(self, failpoint: str, *, seconds: float = 20) -> None:
        """Wait until a process has run into an armed failpoint."""
        until(f"{failpoint} is passed", lambda: not (self._failpoints / failpoint).exists(), seconds=seconds)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and all that it started: SIGSTOP freezes them, SIGCONT thaws them."""
        os.killpg(until(f"{name} runs", lambda: self.supervisor.pid(name) or 0), number)

    @contextmanager
    def one_more(self, name: str) -> Iterator[None]:
        """Run one process more of a kind, such as `relay`; workers among them find their name taken, so not those."""
        argv = self.supervisor.processes[name].command.argv
        with (self.folder / "more.log").open("ab") as log:
            process = subprocess.Popen(
                argv, env=self.environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    def tell(self, what: str, *, subject: UUID | None = None) -> str:
        """Give the worker that misbehaves an order; return the id of the delivery."""
        subject = subject or uuid4()
        data = {"id": str(subject), "what": what}
        return self.publish("faults.order_given.v1", subject, data, ["faults.obey"], max_attempts=3)[0]

    def publish(
        self,
        event_type: str,
        subject: UUID,
        data: dict[str, Any],
        handlers: Sequence[str],
        *,
        max_attempts: int = 10,
        dead_holds: bool = False,
    ) -> list[str]:
        """Insert an event and its deliveries by SQL, as any other code might have; return the deliveries' ids."""
        sequence = self.sql(
            "INSERT INTO events_subjectcounter AS c VALUES (%s, 1)"
            " ON CONFLICT (subject) DO UPDATE SET last = c.last + 1 RETURNING last",
            subject,
        )[0][0]
        event_id = uuid4()
        self.sql(
            "INSERT INTO events_event (id, source, type, subject, sequence, correlation_id, data)"
            " VALUES (%s, '/tests', %s, %s, %s, '', %s::jsonb)",
            *(event_id, event_type, subject, sequence, json.dumps(data)),
        )
        return [
            self.sql(
                "INSERT INTO events_delivery (id, event_id, event_type, subject, sequence, handler, consumer, queue,"
                " lease_seconds, max_attempts, dead_holds, state, due_at) VALUES (gen_random_uuid(),"
                " %s, %s, %s, %s, %s, %s, %s, 5, %s, %s, 'pending', now()) RETURNING id::text",
                *(event_id, event_type, subject, sequence, handler, handler.partition(".")[0]),
                *(handler.partition(".")[0], max_attempts, dead_holds),
            )[0][0]
            for handler in handlers
        ]

    # --- what is looked at ----------------------------------------------------------------------------------------

    def product(self, pieces: int = 1_000) -> str:
        """Put a new product on sale, with these pieces; return its sku."""
        sku = f"FAULT-{uuid4().hex[:10]}"
        product = {"sku": sku, "name": "A product", "price": "5.00", "currency": "EUR"}
        assert self.staff.post("/products", product).status == 201
        adjustment = {"quantity": pieces, "reason": "opening stock"}
        assert self.staff.post(f"/products/{sku}/stock-adjustments", adjustment).status == 201
        return sku

    def row(self, delivery_id: str, columns: str = "state, attempts, reason") -> tuple[Any, ...]:
        """Return columns of a delivery."""
        return self.sql(f"SELECT {columns} FROM events_delivery WHERE id = %s", delivery_id)[0]

    def of_order(self, order: Any, columns: str = "handler, state, attempts") -> Sequence[tuple[Any, ...]]:
        """Return columns of all deliveries of an order, in order."""
        return self.sql(
            f"SELECT {columns} FROM events_delivery WHERE subject = %s ORDER BY sequence, handler", order["id"]
        )
