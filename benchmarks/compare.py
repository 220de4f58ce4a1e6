"""`make compare`: each scenario on each app, on real processes; then the table, and what is written about it.

APP and SCENARIO, from the environment, choose a part; only a whole run is written down.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import report
from benchmarks.apps import APPS
from benchmarks.report import Results
from benchmarks.scenarios import SCENARIOS, run
from ordersite.local.errors import LocalError
from ordersite.local.servers import Servers, start_servers


def main() -> int:
    """Run what is asked for, and keep the logs only where something went wrong."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it, too, ends what was started
    folder = Path(tempfile.mkdtemp(prefix="ordersite-compare-"))
    try:
        apps = chosen("APP", list(APPS))
        scenarios = chosen("SCENARIO", list(SCENARIOS))
        results = measure(apps, scenarios, folder)
    except LocalError as error:
        print(f"{error}\nThe log is {folder / 'log'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    print(report.table(results))
    if len(apps) == len(APPS) and len(scenarios) == len(SCENARIOS):
        report.write(results)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def chosen(variable: str, names: list[str]) -> list[str]:
    """Return what the variable names, comma-separated; all where it is not set. Raises LocalError."""
    given = [name for name in os.environ.get(variable, "").split(",") if name]
    if unknown := set(given) - set(names):
        raise LocalError(f"{variable}={','.join(sorted(unknown))} is none of {', '.join(names)}")
    return [name for name in names if name in given] or names


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
    sys.exit(main())
