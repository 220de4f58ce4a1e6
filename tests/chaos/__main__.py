"""`make chaos`: the table, the storm, the report. SEED, MINUTES, RATE and TABLE (0: leave it out) from the environment.

Exits with 1 where anything was violated; the evidence stays in a folder that is named then.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from testing import ROOT
from tests.chaos import report, table
from tests.chaos.schedule import plan
from tests.chaos.storm import Storm
from tests.chaos.verdict import Verdict, judge
from tests.faults.system import FaultySystem
from tests.journeys import books

REPORT = ROOT / "docs" / "chaos-report.md"
KEPT = ROOT / ".local" / "chaos"


def main() -> int:
    """Run it all; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it, too, ends what was started
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    minutes, rate = float(os.environ.get("MINUTES") or 10), float(os.environ.get("RATE") or 20)
    folder = Path(tempfile.mkdtemp(prefix="ordersite-chaos-"))
    outcomes = table.run(folder) if os.environ.get("TABLE", "1") != "0" else []
    print(f"storm: SEED={seed} MINUTES={minutes:g} RATE={rate:g}", flush=True)
    storm, verdict = blow(folder, seed=seed, seconds=minutes * 60, rate=rate)
    if outcomes:
        outcomes += table.of_storm(good=verdict.good, seconds=minutes * 60)
    text = report.render(storm, verdict, outcomes, seed=seed, minutes=minutes, rate=rate)
    print(text)
    (folder / "report.md").write_text(text)
    good = verdict.good and all(outcome.result != "failed" for outcome in outcomes)
    if good and outcomes:
        REPORT.write_text(text)
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"VIOLATED. The evidence is in {keep(folder, seed)}", file=sys.stderr)
    return 0 if good else 1


def blow(folder: Path, *, seed: int, seconds: float, rate: float) -> tuple[Storm, Verdict]:
    """Start a system, have the storm over it, judge, and stop it."""
    data = folder / "system"
    data.mkdir(mode=0o755)
    folder.chmod(0o755)  # PostgreSQL's user passes through
    planned = plan(seed, seconds)
    (folder / "schedule").write_text("\n".join(map(str, planned)) + "\n")
    system = FaultySystem(data)
    try:
        system.start()
        books.settle(system, seconds=60)
        storm = Storm(system, planned, rate=rate, seconds=seconds)
        storm.run(lambda line: print(line, flush=True))
        verdict = judge(storm)
        if not verdict.good:
            dump(system, folder)
    finally:
        system.stop()
    return storm, verdict


def dump(system: FaultySystem, folder: Path) -> None:
    """Write down the tables that tell what happened."""
    for name in ("orders_order", "events_event", "events_delivery", "events_failedattempt", "inventory_reservation"):
        rows = system.sql(f"SELECT to_jsonb(t)::text FROM {name} t")
        (folder / f"{name}.jsonl").write_text("\n".join(row[0] for row in rows))


def keep(folder: Path, seed: int) -> Path:
    """Move the evidence to where the next run does not remove it, without the database's own files."""
    kept = KEPT / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{seed}"
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("postgres", "valkey", "static", "*.sock", "failpoints"))
    shutil.rmtree(folder, ignore_errors=True)
    return kept


if __name__ == "__main__":
    sys.exit(main())
