"""`make compare`: each scenario on each app, on real processes; then the table, and what is written about it.

APP and SCENARIO, from the environment, choose a part; only a whole run is written down.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import report
from benchmarks.apps import APPS
from benchmarks.command import chosen, run_in_folder
from benchmarks.report import Results
from benchmarks.scenarios import SCENARIOS, run
from local.servers import Servers, start_servers


def compare(folder: Path) -> None:
    """Measure, and print the table; write it down where all of it was measured."""
    apps = chosen("APP", list(APPS))
    scenarios = chosen("SCENARIO", list(SCENARIOS))
    results = measure(apps, scenarios, folder)
    print(report.table(results))
    if len(apps) == len(APPS) and len(scenarios) == len(SCENARIOS):
        report.write(results)


def save_on_stop(servers: Servers, folder: Path) -> None:
    """Have Valkey keep its data over a restart, as Redis does by default; ordersite's own needs none of it."""
    with (folder / "valkey" / "valkey.conf").open("a") as config:
        config.write(f'dir "{folder}"\nsave 3600 1\n')
    servers.valkey.stop()
    servers.valkey.start()


def measure(apps: list[str], scenarios: list[str], folder: Path) -> Results:
    """Start the servers, run all, stop the servers."""
    results: Results = {}
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w", buffering=1))

        def write(name: str, line: str) -> None:
            log.write(f"{name:<20} | {line}\n")

        servers = stack.enter_context(start_servers(folder, log=write))
        save_on_stop(servers, folder)
        for scenario in scenarios:
            for app in apps:
                say = teller(f"{app}, {scenario}")
                log.write(f"=== {app}, {scenario}\n")
                figures = run(APPS[app], SCENARIOS[scenario], servers, folder, write, say)
                results[app, scenario] = figures
                say(f"done: {figures}")
    return results


def teller(what: str) -> Callable[[str], None]:
    """Return a function that prints progress, with the seconds since now."""
    start = time.monotonic()
    return lambda text: print(f"{what:<24} {time.monotonic() - start:5.0f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(run_in_folder("ordersite-compare-", compare))
