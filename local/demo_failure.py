"""`make demo-failure`: breaks the mail of a running `make run`, and shows what becomes of an order's mail.

Retries arrive in Flower, then a dead letter in the admin; the mail is mended, the letter replayed, and it is done.
"""

import base64
import functools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import psycopg

from .banner import DEMO_SKU
from .errors import LocalError
from .mail import ANSWER_FILE
from .settings import CHECKOUT, Settings, read_environment, read_settings

HANDLER = "notifications.send_order_received"
LATER = "451 4.3.2 broken on purpose: come back later"
NEVER = "554 5.7.1 broken on purpose: never come back"
RETRIES = 2  # to watch before the mail server refuses for good
PATIENCE = 90.0  # seconds for each step: the second back-off of a mail may take 30
TIMEOUT = 10.0  # seconds for one request
POLL = 0.2  # seconds

say = functools.partial(print, flush=True)  # at once, even into a pipe


class Demo:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = read_environment(settings.data_dir)
        self._web = f"http://127.0.0.1:{settings.web_port}"
        self._flower = f"http://127.0.0.1:{settings.flower_port}"
        self._answer = settings.data_dir / ANSWER_FILE

    def run(self) -> None:
        """Go through all steps. Raises LocalError where one does not happen."""
        self._check_that_it_runs()
        try:
            self._show()
        finally:
            self._answer.unlink(missing_ok=True)

    def _show(self) -> None:
        say("1. The mail is broken: the mail server now answers every mail with")
        say(f"     {LATER}")
        self._answer.write_text(LATER)
        order = self._place_order()
        say(f"2. An order is placed: {order['number']}. The API does not notice anything.")
        say(f"     {self._web}/admin/orders/order/{order['id']}/change/")
        delivery = self._wait(lambda: self._delivery(order["id"]), "its mail is to be sent")
        say("3. The mail fails, and is tried again, each time a little later. Flower shows RETRY:")
        say(f"     {self._flower}/task/{delivery}    (sign in: {self._environment['FLOWER_BASIC_AUTH']})")
        for number in range(1, RETRIES + 1):
            self._wait(lambda number=number: self._attempts(delivery) >= number, "a retry")  # type: ignore[misc]
            say(f"     attempt {number} failed; Flower says {self._flower_state(delivery)}")
        say("   Meanwhile the order itself goes on:")
        self._wait(lambda: self._order(order["id"])["status"] == "confirmed", "the order is confirmed")
        say(f"     {order['number']} is confirmed: stock has a queue of its own")
        say("4. The mail server now refuses for good:")
        say(f"     {NEVER}")
        self._answer.write_text(NEVER)
        self._wait(lambda: self._flower_state(delivery) == "FAILURE", "Flower shows FAILURE")
        say("   Flower says FAILURE, and the delivery is a dead letter, in notifications.dlq:")
        say(f"     {self._web}/admin/events/deadletter/{delivery}/change/")
        self._answer.unlink()
        say("5. The mail is mended, and a person replays the dead letter:")
        say(f"     manage.py deadletters replay {delivery}")
        self._replay(delivery)
        self._wait(lambda: self._flower_state(delivery) == "SUCCESS", "Flower shows SUCCESS")
        self._wait(lambda: self._others_mended(order["id"]), "the order's other mail is mended too")
        say("   Flower says SUCCESS, under the same id. The mail is in the admin:")
        say(f"     {self._web}/admin/notifications/notification/")

    def _check_that_it_runs(self) -> None:
        try:
            self._call("GET", f"{self._web}/health/ready")
        except OSError:
            raise LocalError(f"Nothing answers at {self._web}: start `make run` in another terminal first") from None
        if "DATABASE_URL" not in self._environment:
            folder = self._settings.data_dir
            raise LocalError(f"{folder} is not of a running `make run`: set DATA_DIR as it was set there")

    def _place_order(self) -> Any:
        credentials = {"email": "ada@example.com", "password": self._settings.demo_password}
        token = self._call("POST", f"{self._web}/api/v1/auth/token", credentials)["token"]
        self._bearer = f"Bearer {token}"
        body = {"items": [{"sku": DEMO_SKU, "quantity": 1}]}
        return self._call("POST", f"{self._web}/api/v1/orders", body, authorization=self._bearer)

    def _order(self, order_id: str) -> Any:
        return self._call("GET", f"{self._web}/api/v1/orders/{order_id}", authorization=self._bearer)

    def _delivery(self, order_id: str) -> str:
        rows = self._sql("SELECT id FROM events_delivery WHERE subject = %s AND handler = %s", order_id, HANDLER)
        return str(rows[0][0]) if rows else ""

    def _attempts(self, delivery: str) -> int:
        rows = self._sql("SELECT attempts FROM events_delivery WHERE id = %s AND state <> 'running'", delivery)
        return int(rows[0][0]) if rows else 0

    def _sql(self, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._environment["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def _flower_state(self, delivery: str) -> str:
        login = base64.b64encode(self._environment["FLOWER_BASIC_AUTH"].encode()).decode()
        try:
            task = self._call("GET", f"{self._flower}/api/task/info/{delivery}", authorization=f"Basic {login}")
        except urllib.error.HTTPError:  # Flower has not heard of it yet
            return "nothing yet"
        return str(task["state"])

    def _replay(self, delivery: str) -> None:
        command = [sys.executable, "manage.py", "deadletters", "replay", delivery]
        environment = {**os.environ, **self._environment}
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"The replay failed: {done.stderr.strip()}")

    def _others_mended(self, order_id: str) -> bool:
        """Replay what else of the order has died, so that the demo leaves nothing behind; tell when that is so."""
        for (delivery,) in self._sql("SELECT id FROM events_delivery WHERE subject = %s AND state = 'dead'", order_id):
            self._replay(str(delivery))
        out = "SELECT 1 FROM events_delivery WHERE subject = %s AND state IN ('dead', 'leased', 'running')"
        return not self._sql(out, order_id)

    def _wait(self, probe: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (seen := probe()):
            if time.monotonic() > deadline:
                raise LocalError(f"Not within {PATIENCE:g} s: {what}. The lines of `make run` may say why")
            time.sleep(POLL)
        return seen

    def _call(self, method: str, url: str, body: object = None, *, authorization: str = "") -> Any:
        headers = {"Content-Type": "application/json", "Authorization": authorization}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {k: v for k, v in headers.items() if v}, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return json.load(answer)


def main() -> int:
    try:
        Demo(read_settings(os.environ)).run()
    except (LocalError, urllib.error.URLError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
