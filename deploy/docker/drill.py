"""Tries docker-compose.yml on an engine.

Up from nothing, an order, its mail, every container killed, every process made anew while somebody asks, down and up.

    python3 deploy/docker/drill.py                     # with `docker compose`
    python3 deploy/docker/drill.py docker-compose      # with 1.29, or any other program that does the same

It runs as root on the engine's host, since Docker takes `docker kill` for a wish and starts nothing again: what ends
here are the processes. It has a project, ports and volumes of its own, and removes them. Some ten minutes; ends with 1
at the first thing that is not as it should be.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "ordersite-drill"
WEB_PORT, FLOWER_PORT = "18000", "15555"
API = f"http://127.0.0.1:{WEB_PORT}/api/v1"
ADA = {"email": "ada@example.com", "password": "demo-password"}
ONCE = {"secrets", "migrate"}
START = 300  # seconds for everything to be healthy
BACK = 90  # seconds for one container to work again, and for an order to be confirmed meanwhile
PAUSE = 0.15  # seconds between the requests of one who asks all the time: ten a second are allowed
STARTED = time.monotonic()

# Asks Mailpit's own API from within, since its port is published to nobody.
FIND_MAIL = """
import json, sys, urllib.request
url = "http://mailpit:8025/api/v1/search?query=" + sys.argv[1]
print(json.load(urllib.request.urlopen(url, timeout=5))["messages_count"])
"""


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def until(what: str, seconds: float, probe: Callable[[], Any]) -> Any:
    """Return the first true thing that `probe` returns. Ends the drill after so many seconds."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if last := probe():
                return last
        except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
            last = error
        time.sleep(0.5)
    raise SystemExit(f"FAILED: {what}, within {seconds:.0f} s; last seen: {last!r}")


class Drill:
    """One project of Compose. `command`: how Compose is called here."""

    def __init__(self, command: list[str]) -> None:
        self._compose = [*command, "-p", PROJECT]
        self._environment = os.environ | {"WEB_PORT": WEB_PORT, "FLOWER_PORT": FLOWER_PORT}
        self._token = ""

    def compose(self, *arguments: str) -> str:
        return self._run([*self._compose, *arguments])

    def up(self) -> None:
        """Start it, and wait until Docker says that all of it is healthy."""
        self.compose("up", "-d", "--build")
        until("everything is healthy", START, self.all_healthy)

    def sign_in(self) -> None:
        self._token = self.call("POST", "/auth/token", ADA)["token"]

    def order(self) -> Any:
        order = self.call("POST", "/orders", {"items": [{"sku": "SPOON-MEASURE", "quantity": 1}]})
        until("the order is confirmed", BACK, lambda: self.status(order) == "confirmed")
        return order

    def status(self, order: Any) -> str:
        return str(self.call("GET", f"/orders/{order['id']}")["status"])

    def mailed(self, order: Any) -> bool:
        """Tell whether Mailpit has the mail that confirms an order.

        A server that only prints its mails will do. It may print them in blocks: another order pushes this one out.
        """
        number = str(order["number"])
        try:
            return int(self.compose("exec", "-T", "web", "python", "-c", FIND_MAIL, number)) > 0
        except subprocess.CalledProcessError:
            self.order()
            return f"Your order {number} is confirmed" in self.compose("logs", "--no-color", "mailpit")

    def kill(self, service: str) -> None:
        """Kill the service's first process, and wait until Docker has started it again and it does its work."""
        container = self._container(service)
        before = self._inspect(container)
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        until(
            f"{service} is started again",
            BACK,
            lambda: self._inspect(container)["RestartCount"] > before["RestartCount"],
        )
        until(f"{service} works again", BACK, lambda: self._works(container))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the API as the customer; as any client would, come again where it asks for that, or is not there."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(time.monotonic_ns())}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"

        def answer() -> Any:
            request = urllib.request.Request(API + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=15) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise SystemExit(f"FAILED: {method} {path}: {error.code} {error.read().decode()}") from None
                raise

        return until(f"{method} {path} is answered", BACK, answer)

    def change_a_setting(self) -> int:
        """Have every process of ours made anew, while somebody asks all the time; return how often.

        Ends the drill where one request fails: it is sent once.
        """
        self._environment["LOG_LEVEL"] = "WARNING"
        over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(self._ask, over)
            try:
                for web in ("web", "web-2"):  # one after the other, as docs/docker.md has it
                    self.compose("up", "-d", "--no-deps", web)
                    until(f"{web} is healthy", START, partial(self.healthy, web))
                self.compose("up", "-d")
                until("everything is healthy", START, self.all_healthy)
            finally:
                over.set()
        return asking.result()

    def _ask(self, over: threading.Event) -> int:
        asked = 0
        while not over.is_set():
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                urllib.request.urlopen(urllib.request.Request(f"{API}/products", None, headers), timeout=15).close()
            except OSError as error:
                raise SystemExit(f"FAILED: request {asked + 1} while the processes were made anew: {error}") from error
            asked += 1
            time.sleep(PAUSE)
        return asked

    def services(self) -> list[str]:
        return sorted(set(self.compose("config", "--services").split()) - ONCE)

    def all_healthy(self) -> bool:
        return all(self.healthy(name) for name in self.services())

    def healthy(self, service: str) -> bool:
        state = self._inspect(self._container(service))["State"]
        return bool(state.get("Health", {}).get("Status") == "healthy")

    def _container(self, service: str) -> str:
        return self.compose("ps", "-q", service).split()[0]

    def _works(self, container: str) -> bool:
        """Run the container's own health check, sooner than Docker would."""
        kind, *test = self._inspect(container)["Config"]["Healthcheck"]["Test"]
        self._run(["docker", "exec", container, *(["sh", "-c"] if kind == "CMD-SHELL" else []), *test])
        return True

    def _inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run(["docker", "inspect", container]))[0]
        return found

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False, timeout=1200
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout


def main(command: list[str]) -> None:
    drill = Drill(command or ["docker", "compose"])
    say(drill.compose("version").splitlines()[0])
    drill.compose("down", "-v")
    try:
        run(drill)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"FAILED: {error}\n{error.stdout}\n{error.stderr}") from None
    finally:
        drill.compose("down", "-v", "-t", "5")
    say("PASSED")


def run(drill: Drill) -> None:
    drill.up()
    say("up from nothing: everything is healthy")
    drill.compose("run", "--rm", "-T", "web", "python", "manage.py", "load_demo", "--yes-on-a-real-database")
    drill.sign_in()
    first = drill.order()
    until("its mail is at Mailpit", BACK, lambda: drill.mailed(first))
    say(f"order {first['number']} is confirmed, and its mail is at Mailpit")
    for service in drill.services():
        began = time.monotonic()
        drill.kill(service)
        works = time.monotonic() - began
        order = drill.order()
        say(f"{service:<22} killed: works again after {works:4.1f} s; order {order['number']} is confirmed")
    until("everything is healthy", START, drill.all_healthy)
    say("everything is healthy")
    say(f"all processes made anew with another setting: all of {drill.change_a_setting():,} requests were answered")
    drill.compose("down")
    drill.up()
    if drill.status(first) != "confirmed":
        raise SystemExit(f"FAILED: order {first['number']} is not what it was before down and up")
    last = drill.order()
    until("a mail after down and up", BACK, lambda: drill.mailed(last))
    say("down and up: the orders, the sign-in and the secrets are as before, and a new order is confirmed and mailed")


if __name__ == "__main__":
    main(sys.argv[1:])
